"""Verdicts of many series at once: what is kept of them, and the columns that follow from it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from detectors import memory
from detectors.result import Codes, Flags
from detectors.series import Floats

# How a row's codes share one byte: reason, severity, is_anomaly, and direction with its sign.
SEVERITY_SHIFT = 3
ANOMALY = 1 << 5
DIRECTION_SHIFT = 6
_REASON, _SEVERITY = 0b111, 0b11


@dataclass(frozen=True, eq=False)
class Bounds:
    """Finished bounds, each broadcastable to the judged cells.

    Attributes
    ----------
    expected : ndarray of float64
    half : ndarray of float64, optional
        Distance of both bounds from `expected`.
    sides : pair of ndarrays of float64, optional
        Lower and upper bound, where `half` does not give them.
    """

    expected: Floats
    half: Floats | None = None
    sides: tuple[Floats, Floats] | None = None

    @property
    def given(self) -> tuple[Floats, Floats]:
        """Both bounds, or the half-width twice."""
        if self.sides is None:
            assert self.half is not None
            return self.half, self.half
        return self.sides

    @cached_property
    def lower(self) -> Floats:
        """The lower bounds; of the shape of `expected` or of `sides`."""
        return self._side(np.subtract, 0)

    @cached_property
    def upper(self) -> Floats:
        """The upper bounds."""
        return self._side(np.add, 1)

    @np.errstate(over="ignore")  # an infinite bound is one that nothing crosses
    def _side(self, move: np.ufunc, which: int) -> Floats:
        half = self.given[which]
        if self.half is None:
            return half
        shape = np.broadcast_shapes(self.expected.shape, half.shape)
        moved: Floats = move(self.expected, half, out=memory.empty(shape))
        return moved


@dataclass(frozen=True, eq=False)
class Decision:
    """Verdicts of s series over m judged slots with the bounds that they follow from.

    All columns have shape (s, m). Those that follow from fewer are made when they are read.
    """

    bounds: Bounds
    score: Floats
    codes: Codes

    @cached_property
    def expected(self) -> Floats:
        """Centres; constant ones are broadcast."""
        return np.broadcast_to(self.bounds.expected, self.score.shape)

    @cached_property
    def lower(self) -> Floats:
        """Lower bounds, as `expected`."""
        return np.broadcast_to(self.bounds.lower, self.score.shape)

    @cached_property
    def upper(self) -> Floats:
        """Upper bounds, as `expected`."""
        return np.broadcast_to(self.bounds.upper, self.score.shape)

    @cached_property
    def is_anomaly(self) -> Flags:
        """Which cells are anomalies."""
        found: Flags = np.not_equal(self.codes & ANOMALY, 0, out=self._column(np.bool_))
        return found

    @cached_property
    def severity(self) -> Codes:
        """Codes of `Severity`."""
        found: Codes = np.right_shift(self.codes, SEVERITY_SHIFT, out=self._column(np.int8))
        found &= _SEVERITY
        return found

    @cached_property
    def direction(self) -> Codes:
        """Codes of `Direction`."""
        found: Codes = np.right_shift(self.codes, DIRECTION_SHIFT, out=self._column(np.int8))
        return found

    @cached_property
    def reason(self) -> Codes:
        """Codes of `Reason`."""
        found: Codes = np.bitwise_and(self.codes, _REASON, out=self._column(np.int8))
        return found

    def part(self, cut: tuple[slice, slice]) -> "Decision":
        """Copy some rows and columns."""
        expected, *sides = (np.array(one[cut]) for one in (self.expected, self.lower, self.upper))
        bounds = Bounds(expected, sides=(sides[0], sides[1]))
        return Decision(bounds, np.array(self.score[cut]), np.array(self.codes[cut]))

    def _column(self, kind: DTypeLike) -> NDArray[Any]:
        return memory.empty(self.codes.shape, kind)
