"""Removing extremes from sorted residuals one by one, and what that says of each point.

Compiled loops: importing this module compiles them, or loads what was compiled before.
"""

import numpy as np
from numba import types

from detectors.compiled import kernel
from detectors.result import Codes, Flags
from detectors.seasonal_esd.smoother import Integers
from detectors.series import Floats

MAD_TO_DEVIATION = 1.4826  # to a normal distribution's standard deviation, as R rounds it
MEAN_TO_DEVIATION = 1.253314

_FLOATS, _INTS, _ROWS = types.float64[::1], types.int64[::1], types.float64[:, ::1]
_CRITICAL = types.Array(types.float64, 1, "C", readonly=True)


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


@kernel("void(f8[::1], f8, i8, i8[::1])")
def _farthest(residuals: Floats, limit: float, side: int, out: Integers) -> None:
    """Fill rows of the farthest residuals from a limit on, the first rows first of equal ones."""
    if len(out) == 0:
        return
    rows = np.flatnonzero(side * residuals >= side * limit)
    order = np.argsort(-side * residuals[rows], kind="mergesort")
    out[:] = rows[order[: len(out)]]


@kernel("void(f8[::1], f8[::1], i1[::1], i8[::1])")
def _removed_rows(residuals: Floats, ordered: Floats, sides: Codes, rows: Integers) -> None:
    """Fill rows in order of removal; of equal residuals the first rows."""
    above = (sides == 1).sum()
    below = len(sides) - above
    high, low = np.empty(above, np.int64), np.empty(below, np.int64)
    _farthest(residuals, ordered[len(ordered) - above] if above else 0.0, 1, high)
    _farthest(residuals, ordered[below - 1] if below else 0.0, -1, low)
    above, below = 0, 0
    for i in range(len(sides)):
        if sides[i] == 1:
            rows[i] = high[above]
            above += 1
        else:
            rows[i] = low[below]
            below += 1


_FOUND = types.UniTuple(types.int64, 2)  # type: ignore[no-untyped-call]


@kernel(_FOUND(
    _FLOATS, _FLOATS, _CRITICAL, types.int64, types.float64, types.boolean, _FLOATS, _FLOATS,
    _INTS, _FLOATS,
))  # fmt: skip
def find(
    residuals: Floats,
    ordered: Floats,
    critical: Floats,
    tails: int,
    nothing: float,
    fall_back: bool,
    centres: Floats,
    scales: Floats,
    rows: Integers,
    scores: Floats,
) -> tuple[int, int]:
    """Test residuals for up to k extremes; returns steps tried, and those that are anomalies.

    Parameters
    ----------
    residuals, ordered : ndarray of float64, shape (n,)
        As they came, and ascending.
    critical : ndarray of float64, shape (k + 1,)
        What each deviate must exceed.
    tails, nothing, fall_back, centres, scales
        As `remove_extremes` has them.
    rows, scores : ndarray, shape (k,)
        The first ones written: rows of the anomalies in order of removal, and for each the largest
        deviate / critical value of its own and later steps.
    """
    steps = len(rows)
    deviates, sides = np.empty(steps), np.empty(steps, np.int8)
    order = np.empty(0, np.int64)
    made = remove_extremes(
        ordered, order, tails, nothing, fall_back, deviates, centres, scales, sides
    )
    if made < 0:
        order = np.argsort(residuals, kind="mergesort")
        made = remove_extremes(
            ordered, order, tails, nothing, fall_back, deviates, centres, scales, sides
        )
    accepted = 0
    for i in range(made):
        if deviates[i] > critical[i]:
            accepted = i + 1
    largest = 0.0
    for i in range(accepted - 1, -1, -1):
        largest = max(largest, deviates[i] / critical[i])
        scores[i] = largest
    _removed_rows(residuals, ordered, sides[:accepted], rows[:accepted])
    return made, accepted


@kernel("void(f8[::1], b1[::1], i8, f8, f8, i8[::1], f8[::1], i8, b1[::1], f8[::1])")
def judge(
    residuals: Floats,
    counts: Flags,
    tails: int,
    centre: float,
    reach: float,
    rows: Integers,
    scores: Floats,
    first: int,
    member: Flags,
    score: Floats,
) -> None:
    """Fill member and score of the points from `first` on, shape (n - first,).

    `rows` and `scores` are the anomalies; points that do not count are compared with `reach`, the
    distance from `centre` at which what is left would become an anomaly.
    """
    for i in range(first, len(residuals)):
        distance = residuals[i] - centre
        distance = abs(distance) if tails == 0 else max(tails * distance, 0.0)
        share = distance / reach if reach > 0.0 else 0.0
        member[i - first] = not counts[i] and share > 1.0
        score[i - first] = min(share, 1.0) if counts[i] else share
    for k in range(len(rows)):
        if rows[k] >= first:
            member[rows[k] - first] = True
            score[rows[k] - first] = scores[k]


@kernel(types.void(
    _ROWS, _ROWS, _CRITICAL, _FLOATS, types.int64, types.boolean, types.int64,
    types.boolean[:, ::1], _ROWS, _FLOATS, _FLOATS, _FLOATS,
))  # fmt: skip
def judge_rows(
    residuals: Floats,
    ordered: Floats,
    critical: Floats,
    nothing: Floats,
    tails: int,
    fall_back: bool,
    first: int,
    member: Flags,
    score: Floats,
    centres: Floats,
    halves: Floats,
    reaches: Floats,
) -> None:
    """As `find` and `judge` for s series whose points all count; arrays of shape (s, n) or (s,)."""
    n, steps = residuals.shape[1], len(critical) - 1
    medians, scales = np.empty(steps + 1), np.empty(steps + 1)
    rows, scores = np.empty(steps, np.int64), np.empty(steps)
    counts = np.ones(n, np.bool_)
    for i in range(len(residuals)):
        _, found = find(residuals[i], ordered[i], critical, tails, nothing[i], fall_back, medians,
                        scales, rows, scores)  # fmt: skip
        last = max(found - 1, 0)
        centres[i] = medians[found]
        halves[i] = critical[last] * scales[last]
        reaches[i] = critical[found] * scales[found]
        judge(residuals[i], counts, tails, centres[i], reaches[i], rows[:found], scores, first,
              member[i], score[i])  # fmt: skip
