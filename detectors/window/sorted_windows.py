"""Median and spread by ranks of windows without a season, compiled.

From one window to the next few points leave and few enter, so the sorted values are kept, and
the distance of a rank is searched in the distances from the median, which are sorted to both sides
of it. What is found is what sorting each window anew would find, to the last bit.
"""

import math

import numpy as np
from numba import types

from detectors.compiled import kernel
from detectors.series import Floats, Millis
from detectors.window.statistics import (
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


@kernel()
def _place(ordered: Floats, n: int, x: float) -> int:
    """Count the values below one."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low


@kernel()
def _without(ordered: Floats, n: int, x: float) -> int:
    """Take a value out; return how many are left."""
    for t in range(_place(ordered, n, x), n - 1):
        ordered[t] = ordered[t + 1]
    return n - 1


@kernel()
def _with(ordered: Floats, n: int, x: float) -> int:
    """Put a value in its place; return how many there are."""
    at = _place(ordered, n, x)
    for t in range(n, at, -1):
        ordered[t] = ordered[t - 1]
    ordered[at] = x
    return n + 1


# Zeros of both signs are one number, or their order would tell of earlier windows.


@kernel()
def _anew(row: Floats, ordered: Floats) -> int:
    n = 0
    for x in row:
        if not np.isnan(x):
            ordered[n] = x + 0.0
            n += 1
    ordered[:n].sort()
    return n


@kernel()
def _moved(leaving: Floats, entering: Floats, ordered: Floats, n: int) -> int:
    for x in leaving:
        if not np.isnan(x):
            n = _without(ordered, n, x + 0.0)
    for x in entering:
        if not np.isnan(x):
            n = _with(ordered, n, x + 0.0)
    return n


@kernel()
def _median(ordered: Floats) -> float:
    n = len(ordered)
    return float(ordered[(n - 1) // 2] / 2 + ordered[n // 2] / 2) if n else float(np.nan)


@kernel()
def _residual_quantile(ordered: Floats, median: float, q: float) -> float:
    """Type-7 quantile of residuals about the median."""
    position = q * (len(ordered) - 1)
    low = int(position)
    near, far = ordered[low] - median, ordered[min(low + 1, len(ordered) - 1)] - median
    return float(near + (position - low) * (far - near))


@kernel()
def _distances(ordered: Floats, median: float, out: Floats) -> None:
    """Fill the distances from the median, ascending."""
    right = _place(ordered, len(ordered), median)
    left = right - 1
    for r in range(len(out)):
        below = median - ordered[left] if left >= 0 else np.inf
        above = ordered[right] - median if right < len(ordered) else np.inf
        if below < above:
            out[r] = below
            left -= 1
        else:
            out[r] = above
            right += 1


@kernel()
def _distance(ordered: Floats, median: float, rank: int) -> float:
    """Find the distance from the median that has a rank, of two sorted sides by halving."""
    right = _place(ordered, len(ordered), median)
    # How many of the rank + 1 least lie below the median.
    least, most = max(0, rank + 1 - (len(ordered) - right)), min(rank + 1, right)
    while least < most:
        below = (least + most) // 2
        if median - ordered[right - 1 - below] < ordered[right + rank - below] - median:
            least = below + 1
        else:
            most = below
    distance = 0.0
    if least > 0:
        distance = median - ordered[right - least]
    if least <= rank:
        distance = max(distance, ordered[right + rank - least] - median)
    return float(distance)


@kernel()
def _spread(
    ordered: Floats, median: float, mode: int, size: float, distances: Floats
) -> tuple[float, float]:
    """Spread below and above the median."""
    n = len(ordered)
    if n == 0:
        return np.nan, np.nan
    if mode == QUANTILES:
        low = _residual_quantile(ordered, median, LOW_QUANTILE)
        return -low, _residual_quantile(ordered, median, HIGH_QUANTILE)
    if mode == MAD:
        low = _distance(ordered, median, (n - 1) // 2)
        mad = low / 2 + (_distance(ordered, median, n // 2) if n % 2 == 0 else low) / 2
        if mad > FLOOR * size:
            return MAD_TO_SIGMA * mad, MAD_TO_SIGMA * mad
        _distances(ordered, median, distances[:n])
        mean = MEAN_DEVIATION_TO_SIGMA * distances[:n].mean()
        return mean, mean
    return np.nan, np.nan


@kernel(types.void(VALUES, SLOTS, SLOTS, types.int64, FILLED))
def sorted_windows(values: Floats, first: Millis, stop: Millis, mode: int, out: Statistics) -> None:
    """Median and a spread by ranks of all values of each span."""
    longest = 0
    for j in range(len(first)):
        longest = max(longest, stop[j] - first[j])
    ordered, measured, distances = np.empty(longest), np.empty(longest), np.empty(longest)
    for i in range(len(values)):
        row, n, begin, end = values[i], 0, 0, 0
        for j in range(len(first)):
            moves = abs(first[j] - begin) + abs(stop[j] - end)
            if begin <= first[j] < end <= stop[j] and 2 * moves < n:
                n = _moved(row[begin : first[j]], row[end : stop[j]], ordered, n)
            elif moves > 0:
                n = _anew(row[first[j] : stop[j]], ordered)
            begin, end = first[j], stop[j]
            found = ordered[:n]
            size = max(abs(ordered[0]), abs(ordered[n - 1])) if n else 0.0
            unit = unit_of(size)
            if unit != 0:
                measured[:n] = found
                found = measured[:n]
                scale(found, unit)
            centre = _median(found)
            below, above = _spread(found, centre, mode, math.ldexp(size, -unit), distances)
            out.centre[i, j] = math.ldexp(centre, unit)
            out.below[i, j] = math.ldexp(below, unit)
            out.above[i, j] = math.ldexp(above, unit)
            out.points[i, j] = n
            out.freedom[i, j] = max(n - 1, 0)
            out.size[i, j] = size
