"""Outliers pulled in before anything is fitted, so that single points make no change.

A running median follows steps, slopes and slow swings; what stands far off it, season apart, is
brought back to a few standard deviations.
"""

import numpy as np
from numba import types

from detectors.compiled import kernel
from detectors.series import Floats

_REACH = 3.0  # standard deviations that a point keeps
_MAD_TO_SIGMA = 1.4826
_FEW = 0.1  # of the points: these are outliers wherever all others stand still

_FLOATS = types.float64[::1]


@kernel(types.void(_FLOATS, types.int64, _FLOATS, _FLOATS))
def running_medians(values: Floats, reach: int, low: Floats, high: Floats) -> None:
    """Fill `low` and `high` with the middle values up to `reach` points away; NaN is left out."""
    n = len(values)
    kept = np.empty(2 * reach + 1)
    size = 0
    for t in range(-reach, n):
        entering, leaving = t + reach, t - reach - 1
        if leaving >= 0 and not np.isnan(values[leaving]):
            at = np.searchsorted(kept[:size], values[leaving])
            for k in range(at, size - 1):
                kept[k] = kept[k + 1]
            size -= 1
        if entering < n and not np.isnan(values[entering]):
            k = size
            while k > 0 and kept[k - 1] > values[entering]:
                kept[k] = kept[k - 1]
                k -= 1
            kept[k] = values[entering]
            size += 1
        if t >= 0:
            low[t] = kept[(size - 1) // 2] if size else np.nan
            high[t] = kept[size // 2] if size else np.nan


@kernel(types.float64(_FLOATS))
def _median(values: Floats) -> float:
    """Median of the values that are not NaN; NaN where there is none."""
    known = np.sort(values[~np.isnan(values)])
    n = len(known)
    return 0.5 * (known[(n - 1) // 2] + known[n // 2]) if n else np.nan


@kernel(types.float64(_FLOATS, types.int64, types.int64))
def _line_at_end(values: Floats, t: int, reach: int) -> float:
    """Value of a robust line through the points at an end; NaN where there are too few.

    The running median has no points beyond the end, so it lags behind a slope there; the median of
    the differences across `reach` points follows one.
    """
    n = len(values)
    begin = 0 if t < reach else max(n - 2 * reach - 1, 0)
    end = min(begin + 2 * reach + 1, n)
    rise = _median(values[begin + reach : end] - values[begin : end - reach]) / reach
    middle = _median(values[begin:end])
    return middle + rise * (t - 0.5 * (begin + end - 1))


@kernel(types.void(_FLOATS, types.int64, types.int64, _FLOATS))
def _season_of(values: Floats, period: int, reach: int, season: Floats) -> None:
    """Fill the median distance of each phase from the running median of about a season."""
    low, high = np.empty(len(values)), np.empty(len(values))
    running_medians(values, max(period // 2, reach), low, high)
    apart = values - 0.5 * (low + high)
    for p in range(period):
        typical = _median(apart[p::period].copy())
        season[p] = 0.0 if np.isnan(typical) else typical


@kernel(types.void(_FLOATS, types.int64, _FLOATS))
def _distances(plain: Floats, reach: int, off: Floats) -> None:
    """Fill how far each value is from its running median; signed."""
    n = len(plain)
    low, high = np.empty(n), np.empty(n)
    running_medians(plain, reach, low, high)
    for t in range(n):
        if (t < reach or t >= n - reach) and n > 2 * reach:
            line = _line_at_end(plain, t, reach)
            if not np.isnan(line):
                low[t], high[t] = min(low[t], line), max(high[t], line)
        off[t] = min(plain[t] - low[t], 0.0) + max(plain[t] - high[t], 0.0)


@kernel(types.float64(_FLOATS))
def _sigma_of(sizes: Floats) -> float:
    """Robust standard deviation of distances; 0 where all but a few points stand still."""
    sigma: float = _MAD_TO_SIGMA * _median(sizes)
    if sigma == 0.0 and (sizes > 0.0).sum() > _FEW * (~np.isnan(sizes)).sum():
        sigma = _MAD_TO_SIGMA * _median(np.where(sizes > 0.0, sizes, np.nan))
    return sigma


@kernel(types.void(_FLOATS, types.int64, types.int64))
def pull_in(values: Floats, period: int, reach: int) -> None:
    """Pull outliers in, in place; steps that last more than `reach` points stay as they are.

    A gap is filled with the last value before it, season apart, so that the point after it has a
    predecessor; the gap itself takes no part in anything.
    """
    n = len(values)
    season, plain, off = np.zeros(period), np.empty(n), np.empty(n)
    if period > 1:
        _season_of(values, period, reach, season)
    for t in range(n):
        plain[t] = values[t] - season[t % period]
    _distances(plain, reach, off)
    sizes = np.abs(off)
    sigma = _sigma_of(sizes)
    before = np.nan
    for t in range(n):
        if np.isnan(values[t]):
            values[t] = before + season[t % period]
            continue
        if sizes[t] > _REACH * sigma:
            side = 1.0 if off[t] > 0.0 else -1.0
            values[t] -= side * (sizes[t] - _REACH * sigma)
        before = values[t] - season[t % period]
