"""What a detector says about the judged slots, before the common rules are applied."""

from dataclasses import dataclass, replace

import numpy as np

from detectors.result import Change, Codes, Flags
from detectors.series import Floats

# How a cell is marked for the verdicts, as bits of one code.
INSUFFICIENT = 1
SPREADLESS = 2
MEMBER = 4
SMALL = 8  # beyond its bound by less than the minimum change
AT_MOST_WARNING = 16  # no spread, and nobody said which changes matter


@dataclass(frozen=True, slots=True)
class Bands:
    """Bands of s series over m judged slots; every array broadcasts to shape (s, m).

    Attributes
    ----------
    expected : ndarray of float64
    lower, upper : ndarray of float64, optional
        Bounds; NaN means that there is none.
    half : ndarray of float64, optional
        Distance of both bounds from `expected`, in the place of `lower` and `upper`; history is
        insufficient where it is NaN. Whoever judges may widen it in place where it has shape
        (s, m).
    baseline_size : ndarray of float64, optional
        max|baseline|, for the numerical floor of the half-widths.
    insufficient : ndarray of bool, optional
        Where there was too little history to judge.
    spreadless : ndarray of bool, optional
        Where the baseline has no spread at all.
    centre : ndarray of float64, optional
        Where the score is 0, when that is not `expected`.
    member : ndarray of bool, optional
        Membership decided by the detector itself instead of by comparison with the bounds.
    score : ndarray of float64, optional
        Scores of a detector that decides membership itself.
    severity : ndarray of int8, optional
        Severity that each point has if it is an anomaly, instead of the common ladder.
    difference : ndarray of float64, optional
        What the minimum change is compared with, where a detector that decides membership itself
        judges something else than the distance between value and `expected`.
    expected_trend : ndarray of float64, optional
        Carried through to the result.
    changes : tuple, optional
        The changes of each series, which its anomalies are; the result takes those that are.
    """

    expected: Floats
    lower: Floats | None = None
    upper: Floats | None = None
    baseline_size: Floats | None = None
    insufficient: Flags | None = None
    spreadless: Flags | None = None
    centre: Floats | None = None
    member: Flags | None = None
    score: Floats | None = None
    severity: Codes | None = None
    difference: Floats | None = None
    expected_trend: Floats | None = None
    changes: tuple[tuple[Change, ...], ...] | None = None
    half: Floats | None = None

    def spelled_out(self) -> "Bands":
        """Give `lower`, `upper` and `insufficient` in the place of `half`."""
        if self.half is None:
            return self
        with np.errstate(over="ignore"):  # an infinite bound is one that nothing crosses
            lower, upper = self.expected - self.half, self.expected + self.half
        lacking = np.isnan(self.half)
        if self.insufficient is not None:
            lacking = lacking | self.insufficient
        return replace(self, lower=lower, upper=upper, insufficient=lacking, half=None)
