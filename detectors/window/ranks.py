"""Median and spread by ranks of every judged slot's baseline, compiled."""

import numpy as np
from numba import types

from detectors.compiled import kernel
from detectors.series import Floats, Millis
from detectors.window.statistics import FACTORS, FILLED, SLOTS, VALUES, Statistics

_MAD_TO_SIGMA = 1.4826
_MEAN_DEVIATION_TO_SIGMA = 1.253314
_FLOOR = 1e-12  # of max|baseline|: a MAD up to this counts as zero
_LOW_QUANTILE, _HIGH_QUANTILE = 0.05, 0.95

_CENTRE_ONLY, _MAD, _QUANTILES = 0, 1, 2
MODES = {"pct": _CENTRE_ONLY, "robust": _MAD, "quantile": _QUANTILES}
"""What `ranks` measures below and above the median, by Window's method."""


_RANKS = types.void(
    VALUES, SLOTS, types.int64, SLOTS, SLOTS, SLOTS, types.boolean, types.int64, FACTORS,
    FILLED,
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
    if mode == _QUANTILES:
        residuals.sort()
        return -_quantile(residuals, _LOW_QUANTILE), _quantile(residuals, _HIGH_QUANTILE)
    if mode == _MAD:
        for t in range(len(residuals)):
            residuals[t] = abs(residuals[t])
        residuals.sort()
        mad = _middle(residuals)
        if mad > _FLOOR * size:
            return _MAD_TO_SIGMA * mad, _MAD_TO_SIGMA * mad
        if len(residuals):
            mean = _MEAN_DEVIATION_TO_SIGMA * residuals.mean()
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
def _residuals_by_key(
    by_key: Floats, start: Millis, inflation: Floats, median: Floats, pool: Floats
) -> int:
    """Turn values into residuals and pool them, inflated; return how many were pooled."""
    in_pool = 0
    for k in range(len(median)):
        part = by_key[start[k] : start[k + 1]]
        median[k] = _middle(part)
        part -= median[k]
        middle = len(part) // 2 if len(part) % 2 else -1
        for t in range(len(part)):
            if t != middle:  # that one's residual is 0 whatever the spread is
                pool[in_pool] = part[t] * inflation[min(len(part), len(inflation) - 1)]
                in_pool += 1
    return in_pool


@kernel(_RANKS)
def ranks(
    values: Floats,
    keys: Millis,
    key_count: int,
    judged_keys: Millis,
    first: Millis,
    stop: Millis,
    pooled: bool,
    mode: int,
    inflation: Floats,
    out: Statistics,
) -> None:
    """Median and a spread by ranks.

    `inflation[c]` undoes that residuals about the median of c points are too small; it is applied
    where residuals of several keys are pooled. Counts beyond its end take its last value.
    """
    longest = 0
    for j in range(len(first)):
        longest = max(longest, stop[j] - first[j])
    by_key, pool = np.empty(longest), np.empty(longest)
    start = np.empty(key_count + 1, np.int64)
    median, below, above = np.empty(key_count), np.empty(key_count), np.empty(key_count)
    for i in range(values.shape[0]):
        size = freedom = 0.0
        for j in range(len(first)):
            if j == 0 or first[j] != first[j - 1] or stop[j] != stop[j - 1]:
                span = slice(first[j], stop[j])
                size = _sort_by_key(values[i, span], keys[span], start, by_key)
                in_pool = _residuals_by_key(by_key, start, inflation, median, pool)
                freedom = np.maximum(np.diff(start) - 1, 0).sum()
                if pooled:
                    below[:], above[:] = _spread(pool[:in_pool], mode, size)
                else:
                    for k in range(key_count):
                        part = by_key[start[k] : start[k + 1]]
                        below[k], above[k] = _spread(part, mode, size)
            k = judged_keys[j]
            points = start[k + 1] - start[k]
            out.centre[i, j] = median[k]
            out.below[i, j] = below[k]
            out.above[i, j] = above[k]
            out.points[i, j] = points
            out.freedom[i, j] = freedom if pooled else max(points - 1, 0)
            out.size[i, j] = size
