"""The extreme Studentised deviate test with median and median distance, over sorted residuals.

What is left after removals from both ends of a sorted array is a slice of it, so each step finds
its median at once and its median absolute deviation by bisection.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.seasonal_esd.critical import critical_values
from detectors.seasonal_esd.removal import find
from detectors.series import Floats

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Extremes:
    """What the test found.

    Attributes
    ----------
    rows : ndarray of int64, shape (m,)
        Rows of the anomalies, in order of removal.
    scores : ndarray of float64, shape (m,)
        For the row of step i the largest deviate / critical value of steps i..m, above 1.
    half_width : float
        Critical value times scale at the last accepted step, the first if there is none.
    centre : float
        Median of what is left.
    reach : float
        The same product for what is left; 0 where that has no spread.
    steps : int
        Removals tried; fewer than asked for where the spread vanished.
    critical : ndarray of float64, shape (m + 1,)
        What the deviate of each accepted step, and of the one after them, must exceed.
    centres, scales : ndarray of float64, shape (m + 1,)
        Median and spread of what is left before these steps.
    """

    rows: Rows
    scores: Floats
    half_width: float
    centre: float
    reach: float
    steps: int
    critical: Floats
    centres: Floats
    scales: Floats


def find_extremes(
    residuals: Floats, steps: int, alpha: float, tails: int, nothing: float, *, fall_back: bool
) -> Extremes:
    """Test residuals, shape (n,), for up to `steps` extremes.

    Parameters
    ----------
    tails : int
        1 high residuals only, -1 low ones only, 0 both.
    nothing : float
        A spread up to this counts as none.
    fall_back : bool
        Where the median absolute deviation is exactly 0, go on with the mean one; stop otherwise.
        One that is only rounding always gives way to the mean one.
    """
    critical = critical_values(len(residuals), steps, alpha, 1 if tails else 2)
    centres, scales = np.empty(steps + 1), np.empty(steps + 1)
    rows, scores = np.empty(steps, np.int64), np.empty(steps)
    made, accepted = find(
        residuals, np.sort(residuals), critical, tails, nothing, fall_back, centres, scales, rows,
        scores,
    )  # fmt: skip
    last = max(accepted - 1, 0)
    return Extremes(
        rows=rows[:accepted],
        scores=scores[:accepted],
        half_width=float(critical[last] * scales[last]),
        centre=float(centres[accepted]),
        reach=float(critical[accepted] * scales[accepted]),
        steps=made,
        critical=critical[: accepted + 1],
        centres=centres[: accepted + 1],
        scales=scales[: accepted + 1],
    )
