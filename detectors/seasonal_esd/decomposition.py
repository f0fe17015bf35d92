"""The arithmetic of the decomposition as compiled loops over one series.

Importing this module compiles it, or loads what was compiled before. Every loop adds in a fixed
order, so a series gets the same floats alone, in a batch and on any thread. All kernels that call
each other share this file, because numba notices a change only in the file that it compiles.
"""

import numpy as np

from detectors.compiled import kernel
from detectors.seasonal_esd.smoother import Integers
from detectors.series import Floats

OUTER_ITERATIONS = 15  # R's; with 10 some answers already differ
_BLOCK = 256  # fitted points at a time: their running sums stay in the innermost cache


@kernel("void(f8[::1], i8, f8[::1])")
def _interpolate(knots: Floats, jump: int, out: Floats) -> None:
    n = len(out)
    last = (n - 1) // jump
    for j in range(jump):
        for q in range(last):
            out[q * jump + j] = knots[q] + (knots[q + 1] - knots[q]) / jump * j
    tail = last * jump
    out[tail] = knots[last]
    rest = n - 1 - tail
    if rest > 0:
        step = (knots[last + 1] - knots[last]) / rest
        for j in range(1, rest):
            out[tail + j] = knots[last] + step * j
        out[n - 1] = knots[last + 1]


@kernel("void(f8[::1], i8, f8[:, ::1])")
def _fold(values: Floats, jump: int, out: Floats) -> None:
    """Row r of `out` gets every jump-th value from the r-th on, so that windows become slices."""
    rows = len(values) // jump
    for r in range(jump):
        for q in range(rows):
            out[r, q] = values[q * jump + r]
    for i in range(rows * jump, len(values)):
        out[i - rows * jump, rows] = values[i]


@kernel("void(f8[::1], i8[::1], f8[::1], i8[::1], f8[:, ::1], f8[:, ::1], f8[::1], f8[::1])")
def _smooth_equally(
    values: Floats,
    shape: Integers,
    interior: Floats,
    edge_knots: Integers,
    edges: Floats,
    folded: Floats,
    knots: Floats,
    out: Floats,
) -> None:
    """Loess with equal robustness weights; `interior` and `edges` hold the slopes already."""
    n, width = len(values), len(interior)
    jump, reach, first, stop = shape[0], shape[1], shape[2], shape[3]
    _fold(values, jump, folded)
    for block in range(first, stop, _BLOCK):
        size = min(_BLOCK, stop - block)
        fits = knots[block : block + size]
        fits[:] = 0.0
        for j in range(width):
            start, row = block + (j - reach) // jump, (j - reach) % jump
            weight, value = interior[j], folded[row, start : start + size]
            for q in range(size):
                fits[q] += weight * value[q]
    for e in range(len(edge_knots)):
        position = min(edge_knots[e] * jump, n - 1)
        left = max(min(position - reach, n - width), 0)
        total = 0.0
        for j in range(width):
            total += edges[e, j] * values[left + j]
        knots[edge_knots[e]] = total
    _interpolate(knots, jump, out)


@kernel("f8(f8, f8, f8, f8, f8, f8)")
def _line_at_centre(m0: float, m1: float, m2: float, t0: float, t1: float, narrow: float) -> float:
    """Weighted least-squares line at offset 0 from the moments of offsets and of values.

    Without branches, so that a loop over it becomes vector instructions; NaN or inf if m0 is 0.
    """
    share = 1.0 / m0
    mean = m1 * share
    level = t0 * share
    variance = m2 * share - mean * mean
    slope = mean / variance if variance > narrow else 0.0
    return level - slope * (t1 * share - mean * level)


@kernel(
    "void(f8[::1], f8[::1], i8[::1], f8[::1], i8[::1], f8[:, ::1],"
    " f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[::1], f8[::1])"
)
def _smooth_weighted(
    values: Floats,
    robustness: Floats,
    shape: Integers,
    interior: Floats,
    edge_knots: Integers,
    edges: Floats,
    folded: Floats,
    folded_weights: Floats,
    sums: Floats,
    knots: Floats,
    out: Floats,
) -> None:
    """Loess in which each point counts by its robustness weight."""
    n, width = len(values), len(interior)
    jump, reach, first, stop = shape[0], shape[1], shape[2], shape[3]
    narrow = (0.001 * (n - 1)) ** 2  # too narrow beside the series for a slope to be trusted
    _fold(robustness, jump, folded_weights)
    for i in range(n):
        out[i] = robustness[i] * values[i]
    _fold(out, jump, folded)
    m0, m1, m2, t0, t1 = sums[0], sums[1], sums[2], sums[3], sums[4]
    for block in range(first, stop, _BLOCK):
        size = min(_BLOCK, stop - block)
        sums[:] = 0.0
        for j in range(width):
            offset = j - reach
            start, row = block + offset // jump, offset % jump
            w0 = interior[j]
            w1 = w0 * offset
            w2 = w1 * offset
            weight, value = (
                folded_weights[row, start : start + size],
                folded[row, start : start + size],
            )
            for q in range(size):
                m0[q] += w0 * weight[q]
                m1[q] += w1 * weight[q]
                m2[q] += w2 * weight[q]
                t0[q] += w0 * value[q]
                t1[q] += w1 * value[q]
        fits = knots[block : block + size]
        for q in range(size):
            fits[q] = _line_at_centre(m0[q], m1[q], m2[q], t0[q], t1[q], narrow)
        for q in range(size):
            if not m0[q] > 0.0:
                fits[q] = values[(block + q) * jump]
    for e in range(len(edge_knots)):
        position = min(edge_knots[e] * jump, n - 1)
        left = max(min(position - reach, n - width), 0)
        a0, a1, a2, b0, b1 = 0.0, 0.0, 0.0, 0.0, 0.0
        for j in range(width):
            offset = left + j - position
            weight_here = edges[e, j] * robustness[left + j]
            value_here = edges[e, j] * out[left + j]
            a0 += weight_here
            a1 += weight_here * offset
            a2 += weight_here * offset * offset
            b0 += value_here
            b1 += value_here * offset
        fit = _line_at_centre(a0, a1, a2, b0, b1, narrow)
        knots[edge_knots[e]] = fit if a0 > 0.0 else values[position]
    _interpolate(knots, jump, out)


@kernel("f8(f8[::1], i8, i8, i8)")
def _select(values: Floats, low: int, high: int, rank: int) -> float:
    """Find the value of a rank among values[low..high]; smaller ones move before it."""
    while low < high:
        pivot = values[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    found: float = values[rank]
    return found


@kernel("f8(f8[::1], f8[::1], f8)")
def _median(values: Floats, scratch: Floats, guess: float) -> float:
    """Exact median; fast when it lies within a tenth of the guess, as from one round to the next.

    All values must be at least 0.
    """
    n = len(values)
    lower, upper = (n - 1) // 2, n // 2
    below, near = 0, 0
    least, most = 0.9 * guess, 1.1 * guess
    for i in range(n):
        value = values[i]
        scratch[near] = value
        below += value < least
        near += (value >= least) & (value <= most)
    if below > lower or upper >= below + near:
        scratch[:n] = values
        below, near = 0, n
    high: float = _select(scratch, 0, near - 1, upper - below)
    if lower == upper:
        return high
    low: float = scratch[0]
    for i in range(upper - below):
        low = max(low, scratch[i])
    return (low + high) / 2.0


@kernel("void(f8[::1], f8[::1], i8, f8[:, :, ::1], f8[::1])")
def _smooth_phases(
    values: Floats, robustness: Floats, period: int, phase_weights: Floats, out: Floats
) -> None:
    """Each phase's smooth course, and one period before and after; shape (n + 2 * period,)."""
    n = len(values)
    cycles = (n - 1) // period + 1
    for phase in range(period):
        points = (n - phase - 1) // period + 1
        weights = phase_weights[cycles - points]
        n0, n1, n2, n3 = 0.0, 0.0, 0.0, 0.0
        d0, d1, d2, d3 = 0.0, 0.0, 0.0, 0.0
        for c in range(points):
            weight = robustness[phase + c * period]
            value = weight * values[phase + c * period]
            n0 += weights[0, c] * value
            n1 += weights[1, c] * value
            n2 += weights[2, c] * value
            n3 += weights[3, c] * value
            d0 += weights[0, c] * weight
            d1 += weights[1, c] * weight
            d2 += weights[2, c] * weight
            d3 += weights[3, c] * weight
        final = phase + (points - 1) * period
        first = n1 / d1 if d1 > 0.0 else values[phase]
        last = n2 / d2 if d2 > 0.0 else values[final]
        step = (last - first) / (points - 1)
        out[phase] = n0 / d0 if d0 > 0.0 else first
        for c in range(points):
            out[phase + (c + 1) * period] = first + step * c
        out[final + 2 * period] = n3 / d3 if d3 > 0.0 else last


@kernel("void(f8[::1], i8, f8[::1])")
def _moving_average(values: Floats, width: int, out: Floats) -> None:
    total = 0.0
    for i in range(width):
        total += values[i]
    out[0] = total / width
    for i in range(1, len(values) - width + 1):
        total += values[i + width - 1] - values[i - 1]
        out[i] = total / width


@kernel("void(f8[::1], f8, f8[::1])")
def _bisquare(distances: Floats, limit: float, out: Floats) -> None:
    """Robustness weights: 1 near 0, falling to 0 at the limit."""
    whole, none = 0.001 * limit, 0.999 * limit
    for i in range(len(distances)):
        distance = distances[i]
        share = distance / limit
        rest = 1.0 - share * share
        inside = rest * rest if distance <= none else 0.0
        out[i] = 1.0 if distance <= whole else inside


@kernel("void(f8[::1], i8)")
def _average_phases(seasonal: Floats, period: int) -> None:
    n = len(seasonal)
    for phase in range(period):
        total, points = 0.0, 0
        for i in range(phase, n, period):
            total += seasonal[i]
            points += 1
        for i in range(phase, n, period):
            seasonal[i] = total / points


@kernel(
    "void(f8[::1], i8, f8[:, :, ::1],"
    " i8[::1], f8[::1], i8[::1], f8[:, ::1], i8[::1], f8[::1], i8[::1], f8[:, ::1],"
    " f8[::1], f8[::1])"
)
def decompose(
    values: Floats,
    period: int,
    phase_weights: Floats,
    trend_shape: Integers,
    trend_interior: Floats,
    trend_edge_knots: Integers,
    trend_edges: Floats,
    low_shape: Integers,
    low_interior: Floats,
    low_edge_knots: Integers,
    low_edges: Floats,
    seasonal: Floats,
    trend: Floats,
) -> None:
    """Robust periodic STL; writes `seasonal` and `trend`, shape (n,), and keeps O(n) in memory."""
    n = len(values)
    robustness = np.ones(n)
    rest, distance, scratch = np.empty(n), np.empty(n), np.empty(n + 1)
    course, once, twice = np.empty(n + 2 * period), np.empty(n + period + 1), np.empty(n + 2)
    thrice, low = np.empty(n), np.empty(n)
    jump, low_jump = trend_shape[0], low_shape[0]
    folded = np.empty((jump, n // jump + 1))
    folded_weights = np.empty((jump, n // jump + 1))
    low_folded = np.empty((low_jump, n // low_jump + 1))
    knots, low_knots = np.empty(n // jump + 2), np.empty(n // low_jump + 2)
    sums = np.empty((5, _BLOCK))
    middle = 0.0
    trend[:] = 0.0
    for iteration in range(OUTER_ITERATIONS + 1):
        for i in range(n):
            rest[i] = values[i] - trend[i]
        _smooth_phases(rest, robustness, period, phase_weights, course)
        _moving_average(course, period, once)
        _moving_average(once, period, twice)
        for i in range(n):
            thrice[i] = (twice[i] + twice[i + 1] + twice[i + 2]) / 3.0
        _smooth_equally(
            thrice, low_shape, low_interior, low_edge_knots, low_edges, low_folded, low_knots, low
        )
        for i in range(n):
            seasonal[i] = course[period + i] - low[i]
            rest[i] = values[i] - seasonal[i]
        _smooth_weighted(
            rest, robustness, trend_shape, trend_interior, trend_edge_knots, trend_edges,
            folded, folded_weights, sums, knots, trend,
        )  # fmt: skip
        if iteration < OUTER_ITERATIONS:
            for i in range(n):
                distance[i] = abs(values[i] - seasonal[i] - trend[i])
            middle = _median(distance, scratch, middle)
            _bisquare(distance, 6.0 * middle, robustness)
    _average_phases(seasonal, period)
