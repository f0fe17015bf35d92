"""Median and spread by ranks of every judged slot's baseline in a season, compiled."""

import math

import numpy as np
from numba import types

from detectors.compiled import kernel
from detectors.series import Floats, Millis
from detectors.window.statistics import (
    FACTORS,
    FILLED,
    FLOOR,
    HIGH_QUANTILE,
    LOW_QUANTILE,
    MAD,
    MAD_TO_SIGMA,
    MEAN_DEVIATION_TO_SIGMA,
    QUANTILES,
    SLOTS,
    VALUES,
    Statistics,
)
from detectors.window.units import scale, unit_of

_RANKS = types.void(
    VALUES, SLOTS, SLOTS, SLOTS, SLOTS, SLOTS, types.int64, FACTORS, FILLED,
)  # fmt: skip


@kernel()
def _middle(ordered: Floats) -> float:
    """Median of sorted values; NaN of none."""
    n = len(ordered)
    if n == 0:
        return float(np.nan)
    return float(ordered[(n - 1) // 2] / 2 + ordered[n // 2] / 2)


@kernel()
def _quantile(ordered: Floats, q: float) -> float:
    """Type-7 quantile of sorted values; NaN of none."""
    n = len(ordered)
    if n == 0:
        return float(np.nan)
    position = q * (n - 1)
    low = int(position)
    high = min(low + 1, n - 1)
    return float(ordered[low] + (position - low) * (ordered[high] - ordered[low]))


@kernel()
def _spread(residuals: Floats, mode: int, size: float) -> tuple[float, float]:
    """Spread below and above of residuals about their median; sorts them in place."""
    if mode == QUANTILES:
        residuals.sort()
        return -_quantile(residuals, LOW_QUANTILE), _quantile(residuals, HIGH_QUANTILE)
    if mode == MAD:
        for t in range(len(residuals)):
            residuals[t] = abs(residuals[t])
        residuals.sort()
        mad = _middle(residuals)
        if mad > FLOOR * size:
            return MAD_TO_SIGMA * mad, MAD_TO_SIGMA * mad
        if len(residuals):
            mean = MEAN_DEVIATION_TO_SIGMA * residuals.mean()
            return mean, mean
    return np.nan, np.nan


@kernel()
def _sort_by_key(row: Floats, keys: Millis, start: Millis, by_key: Floats) -> float:
    """Put values into `by_key`, those of key k sorted at start[k]:start[k + 1]; max|value|."""
    size = 0.0
    start[:] = 0
    for x, k in zip(row, keys):  # noqa: B905 - numba knows no strict
        if not np.isnan(x):
            start[k + 1] += 1
            size = max(size, abs(x))
    for k in range(len(start) - 1):
        start[k + 1] += start[k]
    free = start[:-1].copy()
    for x, k in zip(row, keys):  # noqa: B905
        if not np.isnan(x):
            by_key[free[k]] = x
            free[k] += 1
    for k in range(len(start) - 1):
        by_key[start[k] : start[k + 1]].sort()
    return size


@kernel()
def _residuals_by_key(by_key: Floats, start: Millis, median: Floats) -> None:
    """Turn values into residuals about the median of their key."""
    for k in range(len(median)):
        part = by_key[start[k] : start[k + 1]]
        median[k] = _middle(part)
        part -= median[k]


@kernel()
def _pool(
    by_key: Floats, start: Millis, pools: Millis, wanted: int, inflation: Floats, pool: Floats
) -> int:
    """Gather the residuals of a pool's keys, inflated; return how many were gathered."""
    in_pool = 0
    for k in range(len(pools)):
        if pools[k] != wanted:
            continue
        part = by_key[start[k] : start[k + 1]]
        middle = len(part) // 2 if len(part) % 2 else -1
        for t in range(len(part)):
            if t != middle:  # that one's residual is 0 whatever the spread is
                pool[in_pool] = part[t] * inflation[min(len(part), len(inflation) - 1)]
                in_pool += 1
    return in_pool


@kernel()
def _freedom(start: Millis, pools: Millis, wanted: int) -> int:
    """Count the points of a pool's keys less one for each key."""
    freedom = 0
    for k in range(len(pools)):
        if pools[k] == wanted:
            freedom += max(start[k + 1] - start[k] - 1, 0)
    return freedom


@kernel(_RANKS)
def ranks(
    values: Floats,
    keys: Millis,
    pools: Millis,
    judged_keys: Millis,
    first: Millis,
    stop: Millis,
    mode: int,
    inflation: Floats,
    out: Statistics,
) -> None:
    """Median and a spread by ranks.

    `inflation[c]` undoes that residuals about the median of c points are too small; it is applied
    where residuals of several keys are pooled. Counts beyond its end take its last value.
    """
    key_count, pool_count = len(pools), pools.max() + 1
    alone = pool_count == key_count
    longest = 0
    for j in range(len(first)):
        longest = max(longest, stop[j] - first[j])
    by_key, pool = np.empty(longest), np.empty(longest)
    start = np.empty(key_count + 1, np.int64)
    median = np.empty(key_count)
    below, above, freedom = np.empty(pool_count), np.empty(pool_count), np.empty(pool_count)
    for i in range(values.shape[0]):
        size, unit = 0.0, 0
        for j in range(len(first)):
            if j == 0 or first[j] != first[j - 1] or stop[j] != stop[j - 1]:
                span = slice(first[j], stop[j])
                size = _sort_by_key(values[i, span], keys[span], start, by_key)
                unit = unit_of(size)
                scale(by_key[: start[key_count]], unit)
                size = math.ldexp(size, -unit)
                _residuals_by_key(by_key, start, median)
                for p in range(pool_count):
                    freedom[p] = _freedom(start, pools, p)
                    part = by_key[start[p] : start[p + 1]]
                    if not alone:
                        part = pool[: _pool(by_key, start, pools, p, inflation, pool)]
                    below[p], above[p] = _spread(part, mode, size)
            k = judged_keys[j]
            p = pools[k]
            points = start[k + 1] - start[k]
            out.centre[i, j] = math.ldexp(median[k], unit)
            out.below[i, j] = math.ldexp(below[p], unit)
            out.above[i, j] = math.ldexp(above[p], unit)
            out.points[i, j] = points
            out.freedom[i, j] = freedom[p]
            out.size[i, j] = math.ldexp(size, unit)
