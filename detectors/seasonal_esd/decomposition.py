"""The arithmetic of the decomposition as compiled loops over one series, or several side by side.

Importing this module compiles it, or loads what was compiled before. Numbers lie flat as in
loess.py. numba notices a change only in the file that it compiles: after one in another file of
kernels, this one must be touched.
"""

import math

import numpy as np
from numba import types

from detectors.compiled import kernel
from detectors.seasonal_esd.lanes import WIDTH, everywhere, fused, lanes_at, put, where_above
from detectors.seasonal_esd.loess import SMOOTHER, smooth_equally, smooth_weighted, window_places
from detectors.seasonal_esd.robustness import weigh
from detectors.seasonal_esd.smoother import Plan
from detectors.series import Floats

OUTER_ITERATIONS = 15  # R's; with 10 some answers already differ

_F, _I = types.float64, types.int64
_FLAT, _ROWS, _PHASES = _F[::1], _F[:, ::1], _F[:, :, ::1]
_GIVEN = types.Array(_F, 2, "C", readonly=True)
_PLAN = types.NamedTuple((_PHASES, SMOOTHER, SMOOTHER), Plan)  # type: ignore[no-untyped-call]


@kernel(types.void(_FLAT, _FLAT, _FLAT, _I, _I, _I, _PHASES, _ROWS, _FLAT))
def _smooth_phases(
    values: Floats,
    trend: Floats,
    robustness: Floats,
    n: int,
    side: int,
    period: int,
    phase_weights: Floats,
    fits: Floats,
    out: Floats,
) -> None:
    """Each phase's smooth course, and one period before and after; n + 2 * period points."""
    cycles = (n - 1) // period + 1
    full = (n - (cycles - 1) * period) * side
    row = period * side
    before, first, last, after = fits[0], fits[1], fits[2], fits[3]
    for part in range(2):
        weights, points = phase_weights[part], cycles - part
        for at in range(part * full, row if part else full, WIDTH):
            n1, n2, d1, d2 = everywhere(0.0), everywhere(0.0), everywhere(0.0), everywhere(0.0)
            n0, n3, d0, d3 = everywhere(0.0), everywhere(0.0), everywhere(0.0), everywhere(0.0)
            for c in range(points):
                weight = lanes_at(robustness, c * row + at)
                value = weight * (lanes_at(values, c * row + at) - lanes_at(trend, c * row + at))
                n1 = fused(weights[1, c], value, n1)
                n2 = fused(weights[2, c], value, n2)
                d1 = fused(weights[1, c], weight, d1)
                d2 = fused(weights[2, c], weight, d2)
            for c in range(points):
                weight = lanes_at(robustness, c * row + at)
                value = weight * (lanes_at(values, c * row + at) - lanes_at(trend, c * row + at))
                n0 = fused(weights[0, c], value, n0)
                n3 = fused(weights[3, c], value, n3)
                d0 = fused(weights[0, c], weight, d0)
                d3 = fused(weights[3, c], weight, d3)
            final = (points - 1) * row + at
            begin = where_above(d1, 0.0, n1 / d1, lanes_at(values, at) - lanes_at(trend, at))
            end = where_above(d2, 0.0, n2 / d2, lanes_at(values, final) - lanes_at(trend, final))
            put(before, at, where_above(d0, 0.0, n0 / d0, begin))
            put(first, at, begin)
            put(last, at, (end - begin) / float(points - 1))
            put(after, at, where_above(d3, 0.0, n3 / d3, end))
    step = last
    for x in range(row):
        out[x] = before[x]
    for c in range(cycles):
        for x in range(row if c < cycles - 1 else full):
            out[(c + 1) * row + x] = first[x] + step[x] * c
    for x in range(row):
        out[(cycles + (x < full)) * row + x] = after[x]


@kernel(types.void(_FLAT, _I, _I, _FLAT, _FLAT))
def _average_one(course: Floats, n: int, period: int, sums: Floats, out: Floats) -> None:
    """As `_average` for one series."""
    share = 1.0 / (3.0 * period * period)
    once, twice, before, last = 0.0, 0.0, 0.0, 0.0
    for i in range(period - 1):
        once += course[i]
    for k in range(n + period + 1):
        once += course[k + period - 1]
        sums[k] = once
        twice += once
        if k > period:
            out[k - period - 1] = (before + last + twice) * share
        if k >= period - 1:
            before, last = last, twice
            twice -= sums[k - period + 1]
        once -= course[k]


@kernel(types.void(_FLAT, _I, _I, _I, _FLAT, _FLAT))
def _average(course: Floats, n: int, side: int, period: int, sums: Floats, out: Floats) -> None:
    """Averages over a period, of averages over a period, of three neighbours; n of them."""
    if side < WIDTH:
        _average_one(course, n, period, sums, out)
        return
    share = 1.0 / (3.0 * period * period)
    once, twice, before, last = everywhere(0.0), everywhere(0.0), everywhere(0.0), everywhere(0.0)
    for i in range(period - 1):
        once += lanes_at(course, i * WIDTH)
    for k in range(n + period + 1):
        once += lanes_at(course, (k + period - 1) * WIDTH)
        put(sums, k * WIDTH, once)
        twice += once
        if k > period:
            put(out, (k - period - 1) * WIDTH, (before + last + twice) * share)
        if k >= period - 1:
            before, last = last, twice
            twice -= lanes_at(sums, (k - period + 1) * WIDTH)
        once -= lanes_at(course, k * WIDTH)


@kernel(types.void(_FLAT, _I, _I, _I, _FLAT))
def _average_phases(seasonal: Floats, n: int, side: int, period: int, means: Floats) -> None:
    cycles, row = (n - 1) // period + 1, period * side
    full = (n - (cycles - 1) * period) * side
    for part in range(2):
        for at in range(part * full, row if part else full, WIDTH):
            totals = everywhere(0.0)
            for c in range(cycles - part):
                totals += lanes_at(seasonal, c * row + at)
            put(means, at, totals / float(cycles - part))
    for c in range(cycles):
        for x in range(row if c < cycles - 1 else full):
            seasonal[c * row + x] = means[x]


@kernel(types.void(_FLAT, _I, _I, _I, _PLAN, _FLAT, _FLAT))
def _decompose(
    values: Floats, n: int, side: int, period: int, plan: Plan, seasonal: Floats, trend: Floats
) -> None:
    """Robust periodic STL of flat values; fills `seasonal` and `trend`, keeps O(n) in memory."""
    size, row = n * side, period * side
    room = size + WIDTH
    robustness, rest, averages, low = np.ones(room), np.zeros(room), np.zeros(room), np.zeros(room)
    course, sums, fits = np.empty(room + 2 * row), np.empty(room + row), np.empty((4, row + WIDTH))
    places = window_places(plan.trend, n, side)
    low_places = window_places(plan.low_pass, n, side)
    middles = np.zeros(WIDTH)
    trend[:] = 0.0
    for iteration in range(OUTER_ITERATIONS + 1):
        _smooth_phases(values, trend, robustness, n, side, period, plan.phase_weights, fits, course)
        _average(course, n, side, period, sums, averages)
        smooth_equally(averages, n, side, plan.low_pass, low_places, low)
        for x in range(size):
            rest[x] = values[x] - (course[row + x] - low[x])
        smooth_weighted(rest, robustness, n, side, plan.trend, places, trend)
        if iteration < OUTER_ITERATIONS:
            weigh(rest, trend, n, side, middles, robustness)
    for x in range(size):
        seasonal[x] = course[row + x] - low[x]
    _average_phases(seasonal, n, side, period, fits[0])


@kernel(_F(types.Array(_F, 1, "C", readonly=True)))
def _unit(values: Floats) -> float:
    """Power of two near the largest value, so that no sum overflows; it rounds nothing."""
    largest = 0.0
    for i in range(len(values)):
        largest = max(largest, abs(values[i]))
    _, exponent = math.frexp(largest)
    return math.ldexp(1.0, min(max(exponent, -1000), 1000))


@kernel(types.void(_GIVEN, _I, _PLAN, _I, _ROWS, _ROWS))
def decompose(
    values: Floats, period: int, plan: Plan, side: int, seasonal: Floats, trend: Floats
) -> None:
    """Fill `seasonal` and `trend` of series that are rows, shape (s, n), so many side by side."""
    series, n = values.shape
    flat, flat_seasonal, flat_trend = (
        np.zeros(n * side + WIDTH),
        np.zeros(n * side + WIDTH),
        np.zeros(n * side + WIDTH),
    )
    units = np.ones(side)
    for first in range(0, series, side):
        for lane in range(side):
            row = min(first + lane, series - 1)
            units[lane] = _unit(values[row])
            for i in range(n):
                flat[i * side + lane] = values[row, i] / units[lane]
        _decompose(flat, n, side, period, plan, flat_seasonal, flat_trend)
        for lane in range(min(side, series - first)):
            for i in range(n):
                seasonal[first + lane, i] = flat_seasonal[i * side + lane] * units[lane]
                trend[first + lane, i] = flat_trend[i * side + lane] * units[lane]
