"""Loess over equally spaced points: what depends on lengths alone, worked out once.

A point is smoothed by a line fitted to the nearest `window` points with tricube weights; only every
`jump`-th point is fitted, those between are interpolated. All interior points share one row of
weights, so a plan holds that row and a dozen rows for the edges, however long the series is.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.series import Floats

Integers = NDArray[np.int64]


class Smoother(NamedTuple):
    """Weights of a loess smoother.

    Attributes
    ----------
    shape : ndarray of int64, shape (4,)
        Distance of fitted points (jump), reach of the window to one side, first and one past the
        last fitted point whose window is not cut by an edge.
    interior : ndarray of float64, shape (width,)
        Weights of an interior point.
    edge_knots : ndarray of int64, shape (e,)
        Numbers of the other fitted points.
    edges : ndarray of float64, shape (e, width)
        Their weights.
    """

    shape: Integers
    interior: Floats
    edge_knots: Integers
    edges: Floats

    @classmethod
    def for_length(cls, n: int, window: int) -> "Smoother":
        """Plan for n points, an odd window and a fit at every tenth of the window."""
        jump = min(-(-window // 10), n - 1)
        reach, width = (window - 1) // 2, min(window, n)
        knots = _knots(n, jump)
        lefts = np.clip(knots - reach, 0, n - width)
        inside = np.flatnonzero((knots - lefts == reach) & (width == window))
        first, stop = (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, 0)
        outside = np.concatenate([np.arange(first), np.arange(stop, len(knots))])
        beyond = (window - n) // 2 if window > n else 0
        edges = [_tricube(width, int(knots[q] - lefts[q]), beyond) for q in outside]
        return cls(
            shape=np.array([jump, reach, first, stop], np.int64),
            interior=_tricube(width, reach, 0) if stop else np.zeros(width),
            edge_knots=outside.astype(np.int64),
            edges=np.array(edges).reshape(len(outside), width),
        )

    def with_slopes(self, n: int) -> "Smoother":
        """Fold the slopes into the weights, for equal robustness: each fit is one weighted sum."""
        jump, reach, first, stop = (int(number) for number in self.shape)
        width, knots = len(self.interior), _knots(n, jump)
        at = [int(knots[q] - np.clip(knots[q] - reach, 0, n - width)) for q in self.edge_knots]
        edges = [_line(row, centre, n) for row, centre in zip(self.edges, at, strict=True)]
        return Smoother(
            shape=self.shape,
            interior=_line(self.interior, reach, n) if stop > first else self.interior,
            edge_knots=self.edge_knots,
            edges=np.array(edges).reshape(self.edges.shape),
        )


class Plan(NamedTuple):
    """All weights of a robust periodic STL of n points.

    Attributes
    ----------
    phase_weights : ndarray of float64, shape (2, 4, cycles)
        Weights over one phase's points, for phases with `cycles` and with `cycles - 1` points, of
        the fits just before, at the first, at the last and just after the phase's points.
    trend, low_pass : Smoother
    """

    phase_weights: Floats
    trend: Smoother
    low_pass: Smoother


# 64 plans: one per pair of length and period in flight; a plan is some 20 windows of floats.
@lru_cache(maxsize=64)
def plan(n: int, period: int) -> Plan:
    """Plan of the R function's windows for `s.window = "periodic"`."""
    seasonal_window = 10 * n + 1
    trend_window = _next_odd(int(np.ceil(1.5 * period / (1 - 1.5 / seasonal_window))))
    cycles = (n - 1) // period + 1
    phase_weights = np.zeros((2, 4, cycles))
    phase_weights[0] = _phase(cycles, seasonal_window)
    phase_weights[1, :, : cycles - 1] = _phase(cycles - 1, seasonal_window)
    return Plan(
        phase_weights=phase_weights,
        trend=Smoother.for_length(n, trend_window),
        low_pass=Smoother.for_length(n, _next_odd(period)).with_slopes(n),
    )


def _next_odd(number: int) -> int:
    return number + 1 - number % 2


def _knots(n: int, jump: int) -> Integers:
    """Fitted points: every jump-th and the last; int64, shape (knots,)."""
    knots = np.arange(0, n, jump)
    return knots if knots[-1] == n - 1 else np.append(knots, n - 1)


def _tricube(width: int, at: int, beyond: int) -> Floats:
    """Weights of points 0..width-1 around point `at`; the bandwidth reaches `beyond` further."""
    distance = np.abs(np.arange(width) - at).astype(np.float64)
    return _cubes(distance, max(at, width - 1 - at) + beyond)


def _cubes(distance: Floats, bandwidth: float) -> Floats:
    # Products, not powers: numpy's power differs in the last digit between processors.
    share = distance / bandwidth
    rest = 1 - share * share * share
    weights = rest * rest * rest
    weights[distance <= 0.001 * bandwidth] = 1.0
    weights[distance > 0.999 * bandwidth] = 0.0
    return weights


def _line(weights: Floats, at: int, n: int) -> Floats:
    """Weights of the fitted line's value at point `at`."""
    share: Floats = weights / weights.sum()
    offset = np.arange(len(weights)) - float(at)
    mean = float((share * offset).sum())  # not a dot product: those differ between processors
    variance = float((share * (offset - mean) ** 2).sum())
    # Too narrow beside the whole series for a slope to be trusted: a mean instead of a line.
    if np.sqrt(variance) <= 0.001 * (n - 1):
        return share
    line: Floats = share * (1 - mean / variance * (offset - mean))
    return line


def _phase(points: int, window: int) -> Floats:
    """Weights over a phase's points of its four fits, shape (4, points)."""
    targets = np.array([0.0, 1.0, points, points + 1.0])
    beyond = (window - points) // 2
    numbers = np.arange(1.0, points + 1)
    return np.array([_cubes(np.abs(numbers - x), max(x - 1, points - x) + beyond) for x in targets])
