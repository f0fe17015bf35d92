"""Mean and standard deviation of every judged slot's baseline, compiled."""

import math

import numpy as np
from numba import types

from detectors.compiled import kernel
from detectors.series import Floats, Millis
from detectors.window.statistics import FILLED, SLOTS, VALUES, Statistics
from detectors.window.units import scale, unit_of

_MOMENTS = types.void(VALUES, SLOTS, SLOTS, SLOTS, SLOTS, SLOTS, types.boolean, FILLED)


@kernel()
def _taken(row: Floats, span: Floats) -> float:
    """Copy the values of a span; return max|value|."""
    size = 0.0
    for t in range(len(span)):
        span[t] = row[t]
        size = max(size, 0.0 if np.isnan(row[t]) else abs(row[t]))
    return size


@kernel()
def _moments_of_span(
    span: Floats, keys: Millis, points: Floats, origin: Floats, mean: Floats, squares: Floats
) -> None:
    """Fill points, origin, mean (about the origin) and squares by key."""
    points[:] = 0.0
    mean[:] = 0.0
    squares[:] = 0.0
    for x, k in zip(span, keys):  # noqa: B905 - numba knows no strict
        if not np.isnan(x):
            if points[k] == 0.0:
                origin[k] = x
            points[k] += 1.0
            mean[k] += x - origin[k]
    mean /= np.maximum(points, 1.0)
    for x, k in zip(span, keys):  # noqa: B905
        if not np.isnan(x):
            deviation = (x - origin[k]) - mean[k]
            squares[k] += deviation * deviation


@kernel()
def _draw_together(squares: Floats, freedom: Floats) -> None:
    """Draw the variances of the pools towards their mean, as far as they differ by chance alone.

    The logarithm of a variance that is estimated with d degrees of freedom itself has the variance
    trigamma(d / 2). What the pools' logarithms vary more is their own, and says how many degrees of
    freedom the mean is worth to each: few where hours scatter differently, all where they do not
    (G. Smyth, "Linear models and empirical Bayes methods", doi:10.2202/1544-6115.1027, 2004).
    """
    used = logs = chance = all_squares = all_freedom = 0.0
    for k in range(len(freedom)):
        if freedom[k] > 0.0 and squares[k] > 0.0:
            half = freedom[k] / 2.0
            used += 1.0
            logs += np.log(squares[k] / freedom[k])
            chance += 1.0 / half + 1.0 / (2.0 * half**2) + 1.0 / (6.0 * half**3)
        all_squares += squares[k]
        all_freedom += freedom[k]
    if used < 2.0 or not np.isfinite(all_squares):
        return
    varied = 0.0
    for k in range(len(freedom)):
        if freedom[k] > 0.0 and squares[k] > 0.0:
            varied += (np.log(squares[k] / freedom[k]) - logs / used) ** 2
    own = varied / (used - 1.0) - chance / used
    worth = 1.0 + 2.0 / own if own > 0.0 else all_freedom
    for k in range(len(freedom)):
        lent = min(worth, all_freedom - freedom[k])
        squares[k] += lent * (all_squares / all_freedom)
        freedom[k] += lent


@kernel(_MOMENTS)
def moments(
    values: Floats,
    keys: Millis,
    pools: Millis,
    judged_keys: Millis,
    first: Millis,
    stop: Millis,
    together: bool,
    out: Statistics,
) -> None:
    """Mean and standard deviation, summed about each key's first value so that offsets cancel.

    `together` draws the spreads of the pools towards each other.
    """
    key_count, pool_count = len(pools), pools[-1] + 1
    points, origin = np.empty(key_count), np.empty(key_count)
    mean, squares = np.empty(key_count), np.empty(key_count)
    pool_squares, pool_freedom = np.empty(key_count), np.empty(key_count)
    buffer = np.empty(max(0, (stop - first).max()) if len(first) else 0)
    for i in range(values.shape[0]):
        size, unit = 0.0, 0
        for j in range(len(first)):
            if j == 0 or first[j] != first[j - 1] or stop[j] != stop[j - 1]:
                span = buffer[: max(stop[j] - first[j], 0)]
                size = _taken(values[i, first[j] : stop[j]], span)
                unit = unit_of(size)
                scale(span, unit)
                _moments_of_span(span, keys[first[j] : stop[j]], points, origin, mean, squares)
                pool_squares[:] = 0.0
                pool_freedom[:] = 0.0
                for k, pool in enumerate(pools):
                    pool_squares[pool] += squares[k]
                    pool_freedom[pool] += max(points[k] - 1.0, 0.0)
                if together:
                    _draw_together(pool_squares[:pool_count], pool_freedom[:pool_count])
            k = judged_keys[j]
            freedom = pool_freedom[pools[k]]
            spread = np.sqrt(pool_squares[pools[k]] / freedom)
            centre = origin[k] + mean[k] if points[k] > 0.0 else np.nan
            out.centre[i, j] = math.ldexp(centre, unit)
            out.below[i, j] = math.ldexp(spread, unit)
            out.above[i, j] = math.ldexp(spread, unit)
            out.points[i, j] = points[k]
            out.freedom[i, j] = freedom
            out.size[i, j] = size
