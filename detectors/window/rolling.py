"""Mean and standard deviation of windows that slide by one slot, compiled.

The slots are cut into blocks as long as the window, at fixed slot numbers. A window that ends in a
block is what is left of the block before, summed backwards from the cut, and what there is of its
own block, summed forwards from the cut: a few operations for each slot however long the window is,
and nothing is ever subtracted from a running sum. So the floats follow from the window's points
alone, not from where a request begins or ends.

Sums are about a pivot that lies in each of their windows: the first point behind the cut. One of n
points is at most sqrt(n) standard deviations from their mean, so squares about it are at most n
times those about the mean: no offset, and no outlier in another window, costs digits.
"""

import numpy as np
from numba import types

from detectors.compiled import kernel
from detectors.result import Flags
from detectors.series import Floats
from detectors.window.statistics import FACTORS, FILLED, Statistics

_FLOOR = 1e-12  # of max|baseline|: a half-width up to this is no width
# Rows of the work space: sums behind the cut and before it, then what the windows' weights are.
_POINTS, _SUM, _SQUARES = range(3)
_LEFT = 3
_PIVOT, _SHARE, _FREE, _FACTOR = range(6, 10)
_MEAN, _SPREAD, _COUNT = range(3)  # rows of what is found
_PIECE = 128  # cells between two looks for what is out of the ordinary
_COLUMNS = 1024  # that are worked on together, so that the work space stays in the nearest cache
_OUT = types.float64[:, ::1]
_ROWS = types.Array(types.float64, 2, "C", readonly=True)
_FLAGS = types.boolean[:, ::1]


@kernel()
def _sum(values: Floats, pivot: float, points: Floats, total: Floats, squares: Floats) -> None:
    """Fill the sums about a pivot of the first value, the first two, and so on."""
    n = s = q = 0.0
    for t in range(len(values)):
        missing = np.isnan(values[t])
        deviation = 0.0 if missing else values[t] - pivot
        n += 0.0 if missing else 1.0
        s += deviation
        q += deviation * deviation
        points[t] = n
        total[t] = s
        squares[t] = q


@kernel()
def _sum_known(values: Floats, pivot: float, total: Floats, squares: Floats) -> None:
    """As `_sum`, where no value is missing."""
    s = q = 0.0
    for t in range(len(values)):
        deviation = values[t] - pivot
        s += deviation
        q += deviation * deviation
        total[t] = s
        squares[t] = q


# What follows are loops over few arrays each, so that they become vector instructions.


@kernel()
def _add(some: Floats, others: Floats) -> None:
    for k in range(len(some)):
        some[k] += others[k]


@kernel()
def _weigh(points: Floats, factors: Floats, share: Floats, free: Floats, factor: Floats) -> None:
    for k in range(len(points)):
        share[k] = 1.0 / points[k]
        free[k] = 1.0 / (points[k] - 1.0)
        factor[k] = factors[int(points[k])]


@kernel()
def _average(total: Floats, share: Floats, pivot: Floats, out: Floats) -> None:
    for k in range(len(out)):
        out[k] = pivot[k] + total[k] * share[k]


@kernel()
def _deviate(
    squares: Floats, total: Floats, share: Floats, free: Floats, factor: Floats, out: Floats
) -> None:
    for k in range(len(out)):
        rest = squares[k] - total[k] * (total[k] * share[k])
        rest = 0.0 if rest < 0.0 else rest
        rest = np.inf if np.isnan(rest) else rest  # squares too large for a number
        out[k] = np.sqrt(rest * free[k]) * factor[k]


@kernel()
def _missing(values: Floats) -> int:
    missing = 0
    for t in range(len(values)):
        missing += np.isnan(values[t])
    return missing


@kernel()
def _copy(values: Floats, out: Floats) -> None:
    for k in range(len(out)):
        out[k] = values[k]


@kernel()
def _sum_whole_block(row: Floats, cut: int, length: int, work: Floats, at: int) -> None:
    """Fill the sums of the windows that end in a block, where no value is missing."""
    behind, before = slice(at, at + length), slice(at, at + length - 1)
    work[_PIVOT, behind] = row[cut]
    _sum_known(row[cut : cut + length], row[cut], work[_SUM, behind], work[_SQUARES, behind])
    work[_LEFT + _SUM, at + length - 1] = 0.0
    work[_LEFT + _SQUARES, at + length - 1] = 0.0
    _sum_known(
        row[cut - length + 1 : cut][::-1],
        row[cut],
        work[_LEFT + _SUM, before][::-1],
        work[_LEFT + _SQUARES, before][::-1],
    )


@kernel()
def _sum_block(row: Floats, cut: int, length: int, work: Floats, at: int) -> None:
    """Fill the sums of the windows that end in a block."""
    known = 0
    while known < length and np.isnan(row[cut + known]):
        known += 1
    pivot = row[cut + known] if known < length else 0.0
    behind, before = slice(at, at + length), slice(at, at + length - 1)
    work[_PIVOT, behind] = pivot
    _sum(
        row[cut : cut + length],
        pivot,
        work[_POINTS, behind],
        work[_SUM, behind],
        work[_SQUARES, behind],
    )
    work[_LEFT : 2 * _LEFT, at + length - 1] = 0.0
    points, total, squares = (
        work[_LEFT + _POINTS, before][::-1],
        work[_LEFT + _SUM, before][::-1],
        work[_LEFT + _SQUARES, before][::-1],
    )
    if known > 0:  # windows without a point behind the cut have their pivot before it
        other = 0.0
        for t in range(cut - length, cut):
            other = other if np.isnan(row[t]) else row[t]
        work[_PIVOT, at : at + known] = other
        _sum(row[cut - length + 1 : cut][::-1], other, points, total, squares)
    _sum(row[cut - length + 1 + known : cut][::-1], pivot, points, total, squares)


@kernel()
def _describe(
    values: Floats,
    phase: int,
    stop: int,
    factors: Floats,
    row: Floats,
    work: Floats,
    whole: Floats,
    out: Floats,
) -> None:
    """Fill mean, spread and points of the windows that end before `stop`, `stop` + 1 and so on.

    Spreads are multiplied by factors[points]. `phase` is a column at which a block begins.
    """
    length, width = len(factors) - 1, work.shape[1]
    cut = stop - 1 - (stop - 1 - phase) % length
    done = cut + 1 - stop  # columns of `out` that are filled; less than none where a block began
    while done < out.shape[1]:
        before = min(max(length - cut, 0), len(row))  # slots before the first one there is
        there = min(len(row) - before, len(values) - (cut - length + before))
        row[:before] = np.nan
        _copy(values[cut - length + before :], row[before : before + there])
        row[before + there :] = 0.0  # what no window needs
        # A block that reaches back before the row is worked on alone.
        limit = length if before else width
        gaps = _missing(row[: length + limit])
        used = 0
        while used < limit and done + used < out.shape[1]:
            if gaps:
                _sum_block(row, length + used, length, work, used)
            else:
                _sum_whole_block(row, length + used, length, work, used)
            used += length
        some = slice(max(-done, 0), min(used, out.shape[1] - done))
        found = slice(max(done, 0), min(done + used, out.shape[1]))
        total, squares = work[_SUM, some], work[_SQUARES, some]
        _add(total, work[_LEFT + _SUM, some])
        _add(squares, work[_LEFT + _SQUARES, some])
        points, weights = whole[_POINTS, some], whole
        if gaps:
            points, weights = work[_POINTS, some], work
            _add(points, work[_LEFT + _POINTS, some])
            _weigh(points, factors, work[_SHARE, some], work[_FREE, some], work[_FACTOR, some])
        share = weights[_SHARE, some]
        _average(total, share, work[_PIVOT, some], out[_MEAN, found])
        _deviate(
            squares, total, share, weights[_FREE, some], weights[_FACTOR, some], out[_SPREAD, found]
        )
        _copy(points, out[_COUNT, found])
        done += used
        cut += used


@kernel()
def _spaces(factors: Floats) -> tuple[Floats, Floats, Floats]:
    """Space for a part of a row, work space, and the weights of windows without a gap."""
    length = len(factors) - 1
    width = length * max(1, _COLUMNS // length)
    whole = np.full((10, width), float(length))
    _weigh(whole[_POINTS], factors, whole[_SHARE], whole[_FREE], whole[_FACTOR])
    return np.empty(length + width), np.empty((10, width)), whole


@kernel()
def _largest(values: Floats, length: int, stop: int, out: Floats) -> None:
    """Fill max|value| of the windows of `length` slots that end before `stop`, `stop` + 1..."""
    at, size = -1, 0.0  # the last slot that holds the largest, and what it holds
    for j in range(len(out)):
        first, end = max(stop + j - length, 0), stop + j
        begin = end - 1
        if j == 0 or at < first:
            begin, at, size = first, -1, 0.0
        for t in range(begin, end):
            if 0 <= t < len(values) and abs(values[t]) >= size:
                at, size = t, abs(values[t])
        out[j] = size


@kernel(types.void(_ROWS, types.int64, types.int64, types.int64, FILLED))
def rolling_statistics(values: Floats, phase: int, length: int, stop: int, out: Statistics) -> None:
    """Fill the statistics of the windows of `length` slots that end before `stop`, `stop` + 1..."""
    factors = np.ones(length + 1)
    row, work, whole = _spaces(factors)
    found = np.empty((3, out.centre.shape[1]))
    for i in range(len(values)):
        _describe(values[i], phase, stop, factors, row, work, whole, found)
        out.centre[i] = found[_MEAN]
        out.below[i] = found[_SPREAD]
        out.above[i] = found[_SPREAD]
        out.points[i] = found[_COUNT]
        out.freedom[i] = np.maximum(found[_COUNT] - 1.0, 0.0)
        _largest(values[i], length, stop, out.size[i])


@kernel()
def _spread_out(mean: Floats, half: Floats, lower: Floats, upper: Floats) -> int:
    """Fill the bounds; count the half-widths that may be below their floor, or are none."""
    odd = 0
    for k in range(len(mean)):
        lower[k] = mean[k] - half[k]
        upper[k] = mean[k] + half[k]
        odd += not half[k] > 2.0 * _FLOOR * abs(mean[k])
    return odd


_BANDS = types.int64(
    _ROWS, types.int64, types.int64, FACTORS, types.boolean, _OUT, _OUT, _OUT, _FLAGS, _FLAGS
)


@kernel(_BANDS)
def rolling_bands(
    values: Floats,
    phase: int,
    stop: int,
    factors: Floats,
    by_spread: bool,
    expected: Floats,
    lower: Floats,
    upper: Floats,
    insufficient: Flags,
    spreadless: Flags,
) -> int:
    """Fill the bands of windows of `len(factors) - 1` slots; the flags are False beforehand.

    Half-widths are factors[points] times the spread, or times |mean|; NaN is too few points.
    Returns how many flags there are.
    """
    length = len(factors) - 1
    row, work, whole = _spaces(factors)
    n = expected.shape[1]
    found, size = np.empty((3, n)), np.empty(_PIECE)
    # max|value| is at most |mean| and sqrt(n) spreads: a factor that is not tiny outweighs these.
    tells_floor = by_spread and factors[length] > 1e-6
    flagged = 0
    for i in range(len(values)):
        _describe(values[i], phase, stop, factors, row, work, whole, found)
        mean, half = found[_MEAN], found[_SPREAD]
        if not by_spread:
            for j in range(n):
                half[j] = factors[int(found[_COUNT, j])] * abs(mean[j])
        _copy(mean, expected[i])
        for begin in range(0, n, _PIECE):
            piece = slice(begin, min(begin + _PIECE, n))
            odd = _spread_out(mean[piece], half[piece], lower[i, piece], upper[i, piece])
            if odd == 0 and tells_floor:
                continue
            _largest(values[i], length, stop + begin, size)
            for j in range(begin, min(begin + _PIECE, n)):
                floor = _FLOOR * size[j - begin]
                lacking = np.isnan(half[j]) or np.isinf(mean[j])  # or beyond the largest number
                insufficient[i, j] = lacking
                spreadless[i, j] = half[j] <= floor
                flagged += insufficient[i, j] or spreadless[i, j]
                if lacking:
                    expected[i, j] = lower[i, j] = upper[i, j] = np.nan
                elif half[j] <= floor:
                    lower[i, j], upper[i, j] = mean[j] - floor, mean[j] + floor
    return flagged
