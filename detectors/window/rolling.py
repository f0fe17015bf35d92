"""Mean and standard deviation of windows that slide by one slot, compiled.

The slots are cut into blocks as long as the window, at fixed slot numbers. A window that ends in a
block is what is left of the block before, summed backwards from the cut, and what there is of its
own block, summed forwards from the cut: a few operations for each slot however long the window is,
and nothing is ever subtracted from a running sum. So the floats follow from the window's points
alone, not from where a request begins or ends.

Sums are about a pivot that lies in each of their windows: the first point behind the cut. One of n
points is at most sqrt(n) standard deviations from their mean, so squares about it are at most n
times those about the mean: no offset, and no outlier in another window, costs digits. Windows whose
squares are beyond the range of numbers are summed again in another unit, a power of two, which
rounds nothing.

Values that are not finite are no data.
"""

import math

import numpy as np
from numba import types

from detectors.compiled import kernel
from detectors.result import Flags
from detectors.series import Floats
from detectors.series import Millis as Counts
from detectors.window.statistics import FACTORS, FILLED, Statistics
from detectors.window.units import scale, unit_of

_FLOOR = 1e-12  # of max|baseline|: a half-width up to this is no width
# Rows of the work space: sums behind the cut and before it, and the pivots.
_POINTS, _SUM, _SQUARES = range(3)
_LEFT, _PIVOT, _ROWS_OF_WORK = 3, 6, 7
_PIECE = 128  # cells between two looks for what is out of the ordinary
_COLUMNS = 1024  # that are worked on together, so that the work space stays in the nearest cache
# Sums of squares below it are of values that are squared in another unit.
_LEAST_SQUARES = 2.0**-840

_OUT = types.float64[:, ::1]
_ROWS = types.Array(types.float64, 2, "C", readonly=True)


@kernel()
def _sum(values: Floats, pivot: float, points: Floats, total: Floats, squares: Floats) -> None:
    """Fill the sums about a pivot of the first value, the first two, and so on."""
    n = s = q = 0.0
    for t in range(len(values)):
        missing = not np.isfinite(values[t])
        deviation = 0.0 if missing else values[t] - pivot
        n += 0.0 if missing else 1.0
        s += deviation
        q += deviation * deviation
        points[t] = n
        total[t] = s
        squares[t] = q


@kernel()
def _missing(values: Floats) -> int:
    missing = 0
    for t in range(len(values)):
        missing += not np.isfinite(values[t])
    return missing


@kernel()
def _sum_whole_block(row: Floats, cut: int, length: int, work: Floats, at: int) -> None:
    """Fill the sums of the windows that end in a block, where no value is missing.

    Both sides of the cut at once, as one chain of sums waits for nothing of the other.
    """
    pivot = row[cut]
    s = q = u = v = 0.0
    last = at + length - 1
    work[_LEFT + _SUM, last] = 0.0
    work[_LEFT + _SQUARES, last] = 0.0
    for t in range(length):
        deviation = row[cut + t] - pivot
        s += deviation
        q += deviation * deviation
        work[_SUM, at + t] = s
        work[_SQUARES, at + t] = q
        work[_PIVOT, at + t] = pivot
        if t > 0:
            other = row[cut - t] - pivot
            u += other
            v += other * other
            work[_LEFT + _SUM, last - t] = u
            work[_LEFT + _SQUARES, last - t] = v


@kernel()
def _sum_block(row: Floats, cut: int, length: int, work: Floats, at: int) -> None:
    """Fill the sums of the windows that end in a block."""
    known = 0
    while known < length and not np.isfinite(row[cut + known]):
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
            other = row[t] if np.isfinite(row[t]) else other
        work[_PIVOT, at : at + known] = other
        _sum(row[cut - length + 1 : cut][::-1], other, points, total, squares)
    _sum(row[cut - length + 1 + known : cut][::-1], pivot, points, total, squares)


@kernel(types.float64(*[types.float64] * 5))
def _half(total: float, squares: float, share: float, free: float, factor: float) -> float:
    """Multiply a standard deviation; 0 of squares too small for a number, inf of too large."""
    rest = squares - total * (total * share)
    rest = 0.0 if rest < _LEAST_SQUARES else rest
    rest = np.inf if np.isnan(rest) else rest
    return float(np.sqrt(rest * free) * factor)


# What follows are loops without branches, so that they become vector instructions.


@kernel()
def _add(some: Floats, others: Floats) -> None:
    for k in range(len(some)):
        some[k] += others[k]


@kernel()
def _tell_whole(
    pivot: Floats, total: Floats, squares: Floats, left_total: Floats, left_squares: Floats,
    length: float, factor: float, mean: Floats, half: Floats,
) -> None:  # fmt: skip
    """Mean and half-width of windows in which no value is missing, from what both sides hold."""
    share, free = 1.0 / length, 1.0 / (length - 1.0)
    for k in range(len(mean)):
        whole = total[k] + left_total[k]
        mean[k] = pivot[k] + whole * share
        half[k] = _half(whole, squares[k] + left_squares[k], share, free, factor)


@kernel()
def _tell(
    pivot: Floats, total: Floats, squares: Floats, points: Floats, factors: Floats,
    mean: Floats, half: Floats,
) -> None:  # fmt: skip
    """As `_tell_whole` of any windows, from their sums."""
    for k in range(len(mean)):
        share, free = 1.0 / points[k], 1.0 / (points[k] - 1.0)
        mean[k] = pivot[k] + total[k] * share
        half[k] = _half(total[k], squares[k], share, free, factors[int(points[k])])


@kernel()
def _share_of_mean(factor: float, mean: Floats, half: Floats) -> None:
    for k in range(len(mean)):
        half[k] = factor * abs(mean[k])


@kernel()
def _shares_of_means(factors: Floats, points: Floats, mean: Floats, half: Floats) -> None:
    for k in range(len(mean)):
        half[k] = factors[int(points[k])] * abs(mean[k])


@kernel()
def _stand_out(mean: Floats, half: Floats, odd: Counts) -> None:
    """Count by piece the half-widths that may be below their floor, or are none, or endless."""
    for p in range(len(odd)):
        count = 0
        for k in range(p * _PIECE, min((p + 1) * _PIECE, len(mean))):
            count += not ((half[k] > 2.0 * _FLOOR * abs(mean[k])) & (half[k] < np.inf))
        odd[p] = count


@kernel()
def _copied(values: Floats, begin: int, row: Floats) -> None:
    """Copy as many slots as `row` holds, from one on that may lie before the first."""
    before = min(max(-begin, 0), len(row))
    there = max(0, min(len(row) - before, len(values) - (begin + before)))
    row[:before] = np.nan
    for k in range(there):
        row[before + k] = values[begin + before + k]
    row[before + there :] = 0.0  # what no window needs


@kernel()
def _describe(
    values: Floats,
    phase: int,
    stop: int,
    factors: Floats,
    by_spread: bool,
    row: Floats,
    work: Floats,
    mean: Floats,
    half: Floats,
    points: Floats,
) -> None:
    """Fill mean and half-width of the windows that end before `stop`, `stop` + 1 and so on.

    Half-widths are factors[points] times the spread or |mean|. `points` may have no room. `phase`
    is a column at which a block begins.
    """
    length, width, n = len(factors) - 1, work.shape[1], len(mean)
    cut = stop - 1 - (stop - 1 - phase) % length
    done = cut + 1 - stop  # columns that are filled; less than none where a block began
    while done < n:
        # A block that reaches back before the row is worked on alone.
        limit = length if cut < length else width
        limit = min(limit, (n - done + length - 1) // length * length)
        part = row[: length + limit]
        if cut < length or cut + limit > len(values):
            _copied(values, cut - length, part)
        else:
            part = values[cut - length : cut + limit]
        gaps = _missing(part)
        for used in range(0, limit, length):
            if gaps:
                _sum_block(part, length + used, length, work, used)
            else:
                _sum_whole_block(part, length + used, length, work, used)
        some = slice(max(-done, 0), min(limit, n - done))
        found = slice(max(done, 0), min(done + limit, n))
        pivot, total, squares = work[_PIVOT, some], work[_SUM, some], work[_SQUARES, some]
        left_total, left_squares = work[_LEFT + _SUM, some], work[_LEFT + _SQUARES, some]
        if gaps:
            known = work[_POINTS, some]
            _add(known, work[_LEFT + _POINTS, some])
            _add(total, left_total)
            _add(squares, left_squares)
            _tell(pivot, total, squares, known, factors, mean[found], half[found])
            if not by_spread:
                _shares_of_means(factors, known, mean[found], half[found])
            if len(points):
                points[found] = known
        else:
            factor = factors[length]
            _tell_whole(
                pivot, total, squares, left_total, left_squares, float(length), factor,
                mean[found], half[found],
            )  # fmt: skip
            if not by_spread:
                _share_of_mean(factor, mean[found], half[found])
            if len(points):
                points[found] = float(length)
        done += limit
        cut += limit


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
            if 0 <= t < len(values) and size <= abs(values[t]) < np.inf:
                at, size = t, abs(values[t])
        out[j] = size


@kernel()
def _sum_in_unit(
    values: Floats, cut: int, length: int, unit: int, row: Floats, work: Floats
) -> None:
    """Fill the sums of a block of which squares are no numbers, in units of a power of two."""
    part = row[: 2 * length]
    _copied(values, cut - length, part)
    scale(part, unit)
    _sum_block(part, length, length, work, 0)
    for r in range(_LEFT):
        _add(work[r, :length], work[_LEFT + r, :length])


@kernel()
def _mend(
    values: Floats, phase: int, stop: int, factors: Floats, by_spread: bool,
    row: Floats, work: Floats, size: Floats, mean: Floats, half: Floats,
) -> None:  # fmt: skip
    """Tell the windows again whose squares are beyond the range of numbers; `size` is max|value|.

    Their sums are the same ones in another unit, so that the unit of the values changes no digit.
    """
    length, known_cut, known_unit = len(factors) - 1, -1, 0
    one_mean, one_half = np.empty(1), np.empty(1)
    for j in range(len(mean)):
        is_number = np.isfinite(mean[j]) and half[j] < np.inf
        end, unit = stop + j, unit_of(size[j])
        if unit == 0 or (is_number and unit > 0):
            continue
        cut = end - 1 - (end - 1 - phase) % length
        if cut != known_cut or unit != known_unit:
            _sum_in_unit(values, cut, length, unit, row, work)
            known_cut, known_unit = cut, unit
        at = slice(end - 1 - cut, end - cut)
        _tell(
            work[_PIVOT, at], work[_SUM, at], work[_SQUARES, at], work[_POINTS, at], factors,
            one_mean, one_half,
        )  # fmt: skip
        if not by_spread:
            _shares_of_means(factors, work[_POINTS, at], one_mean, one_half)
        mean[j] = math.ldexp(one_mean[0], unit)
        half[j] = math.ldexp(one_half[0], unit)


@kernel()
def _spaces(length: int) -> tuple[Floats, Floats]:
    """Space for a part of a row, and work space."""
    width = length * max(1, _COLUMNS // length)
    return np.empty(length + width), np.empty((_ROWS_OF_WORK, width))


@kernel(types.void(_ROWS, types.int64, types.int64, types.int64, FILLED))
def rolling_statistics(values: Floats, phase: int, length: int, stop: int, out: Statistics) -> None:
    """Fill the statistics of the windows of `length` slots that end before `stop`, `stop` + 1..."""
    factors = np.ones(length + 1)
    row, work = _spaces(length)
    for i in range(len(values)):
        mean, spread = out.centre[i], out.below[i]
        _describe(values[i], phase, stop, factors, True, row, work, mean, spread, out.points[i])
        _largest(values[i], length, stop, out.size[i])
        _mend(values[i], phase, stop, factors, True, row, work, out.size[i], mean, spread)
        out.above[i] = spread
        out.freedom[i] = np.maximum(out.points[i] - 1.0, 0.0)


@kernel(types.int64(_ROWS, types.int64, types.int64, FACTORS, types.boolean, _OUT, _OUT))
def rolling_bands(
    values: Floats,
    phase: int,
    stop: int,
    factors: Floats,
    by_spread: bool,
    expected: Floats,
    half: Floats,
) -> int:
    """Fill the bands of windows of `len(factors) - 1` slots.

    Half-widths are factors[points] times the spread, or times |mean|, and no less than the floor;
    NaN is too few points. Returns how many are only the floor.
    """
    length, n = len(factors) - 1, expected.shape[1]
    row, work = _spaces(length)
    size, no_points = np.empty(_PIECE), np.empty(0)
    # max|value| is at most |mean| and sqrt(n) spreads: a factor that is not tiny outweighs these.
    tells_floor = by_spread and factors[length] > 1e-6
    odd = np.ones((n + _PIECE - 1) // _PIECE, np.int64)
    spreadless = 0
    for i in range(len(values)):
        mean, width = expected[i], half[i]
        _describe(values[i], phase, stop, factors, by_spread, row, work, mean, width, no_points)
        if tells_floor:
            _stand_out(mean, width, odd)
        for p in range(len(odd)):
            if odd[p] == 0:
                continue
            begin = p * _PIECE
            m, h = mean[begin : begin + _PIECE], width[begin : begin + _PIECE]
            largest = size[: len(m)]
            _largest(values[i], length, stop + begin, largest)
            _mend(values[i], phase, stop + begin, factors, by_spread, row, work, largest, m, h)
            for k in range(len(m)):
                if np.isnan(h[k]) or not np.isfinite(m[k]):  # or beyond the largest number
                    m[k] = h[k] = np.nan
                if h[k] <= _FLOOR * largest[k]:
                    h[k] = _FLOOR * largest[k]
                    spreadless += 1
    return spreadless


@kernel(types.void(_ROWS, types.int64, types.int64, _ROWS, types.boolean[:, ::1]))
def mark_spreadless(
    values: Floats, length: int, stop: int, half: Floats, spreadless: Flags
) -> None:
    """Mark the half-widths of `rolling_bands` that are only the floor."""
    size = np.empty(half.shape[1])
    for i in range(len(values)):
        _largest(values[i], length, stop, size)
        for k in range(len(size)):
            spreadless[i, k] = half[i, k] <= _FLOOR * size[k]
