"""Removing extremes from sorted residuals one by one, as a compiled loop.

Importing this module compiles it, or loads what was compiled before.
"""

import numpy as np

from detectors.compiled import kernel
from detectors.result import Codes
from detectors.seasonal_esd.smoother import Integers
from detectors.series import Floats

MAD_TO_DEVIATION = 1.4826  # to a normal distribution's standard deviation, as R rounds it
MEAN_TO_DEVIATION = 1.253314


@kernel("f8(f8[::1], i8, i8, f8)")
def _absolute_deviation(ordered: Floats, low: int, high: int, centre: float) -> float:
    """Median distance of ordered[low..high] from their median, by bisection for its window."""
    size = high - low + 1
    total = 0.0
    for rank in ((size - 1) >> 1, size >> 1):
        # The rank + 1 values nearest to the centre are neighbours: find where they begin.
        left, right = low, high - rank
        while left < right:
            middle = (left + right) >> 1
            if centre - ordered[middle] > ordered[middle + rank + 1] - centre:
                left = middle + 1
            else:
                right = middle
        total += max(centre - ordered[left], ordered[left + rank] - centre)
    return total / 2.0


@kernel("void(f8[::1], i8, i8, f8, f8[::1])")
def _sum_outward(ordered: Floats, low: int, high: int, centre: float, out: Floats) -> None:
    """Sum distances from the centre, from the middle of low..high to both sides.

    Every term is positive, so that equal values give exact zeros.
    """
    middle = (low + high) >> 1
    total = 0.0
    for i in range(middle, low - 1, -1):
        total += abs(ordered[i] - centre)
        out[i] = total
    total = 0.0
    for i in range(middle + 1, high + 1):
        total += abs(ordered[i] - centre)
        out[i] = total


@kernel("f8(f8[::1], f8[::1], i8, i8, f8, f8, b1)")
def _scale(
    ordered: Floats,
    outward: Floats,
    low: int,
    high: int,
    centre: float,
    nothing: float,
    fall_back: bool,
) -> float:
    """Estimate the spread by the median distance, by the mean one where that is nothing; or 0."""
    scale: float = MAD_TO_DEVIATION * _absolute_deviation(ordered, low, high, centre)
    if scale > nothing or (scale == 0.0 and not fall_back):
        return scale
    if np.isnan(outward[0]):
        _sum_outward(ordered, low, high, centre, outward)
    scale = MEAN_TO_DEVIATION * (outward[low] + outward[high]) / (high - low + 1)
    return scale if scale > nothing else 0.0


@kernel("i8(f8[::1], i8[::1], i8, i8)")
def _first_side(ordered: Floats, order: Integers, low: int, high: int) -> int:
    """Choose the side of the first row left among the lowest and the highest values.

    Equal values lie in order of their rows, and their first rows go first, from either end.
    """
    first, last = high, high
    while first > low and ordered[first - 1] == ordered[high]:
        first -= 1
    while last + 1 < len(ordered) and ordered[last + 1] == ordered[high]:
        last += 1
    gone = last - high
    return 1 if order[first + gone] < order[low] else -1


@kernel("i8(f8[::1], i8[::1], i8, f8, b1, f8[::1], f8[::1], f8[::1], i1[::1])")
def remove_extremes(
    ordered: Floats,
    order: Integers,
    tails: int,
    nothing: float,
    fall_back: bool,
    deviates: Floats,
    centres: Floats,
    scales: Floats,
    sides: Codes,
) -> int:
    """Remove the farthest value again and again; write what each step saw.

    Parameters
    ----------
    ordered : ndarray of float64, shape (n,)
        Residuals, ascending.
    order : ndarray of int64, shape (n,) or (0,)
        Their rows in time, equal residuals in order of rows; needed only for ties of both sides.
    tails : int
        1 high residuals only, -1 low ones only, 0 both.
    nothing : float
        A spread up to this counts as none.
    fall_back : bool
        Whether the mean distance takes the place of a median distance of exactly 0 too, and not
        only of one that is rounding.
    deviates, sides : ndarray, shape (k,)
        Written: the removed value's distance in scales, and its side, 1 high or -1 low.
    centres, scales : ndarray of float64, shape (k + 1,)
        Written: median and scale of what each step finds, and of what the last one leaves.

    Returns
    -------
    int
        Steps made; fewer than k when the spread vanished. -1: a tie needs `order`.
    """
    n, steps = len(ordered), len(deviates)
    low, high = 0, n - 1
    outward = np.full(n, np.nan)
    for i in range(steps + 1):
        if low > high:
            return i - 1
        centre = (ordered[(low + high) >> 1] + ordered[(low + high + 1) >> 1]) / 2.0
        scale = _scale(ordered, outward, low, high, centre, nothing, fall_back)
        centres[i] = centre
        scales[i] = scale
        if scale == 0.0 or i == steps:
            return i
        above, below = ordered[high] - centre, centre - ordered[low]
        side = tails
        if tails == 0:
            side = 1 if above > below else -1
            if above == below:
                if len(order) == 0:
                    return -1
                side = _first_side(ordered, order, low, high)
        sides[i] = side
        deviates[i] = (above if side == 1 else below) / scale
        if side == 1:
            high -= 1
        else:
            low += 1
    return steps
