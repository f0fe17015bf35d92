"""Loess over flat points: the fits of a smoother's plan, as compiled loops.

Numbers lie flat: the points of `side` series of one length, 1 or WIDTH of them, point after point.
A vector then holds neighbouring points of one series, or one point of all. Each fit is added up in
the order of its points, so a series gets the same floats alone, among others and on any thread.
Arrays have room for a vector behind their end; what is computed there is not used.
"""

import numpy as np
from numba import types

from detectors.compiled import kernel
from detectors.seasonal_esd.lanes import WIDTH, everywhere, fused, lanes_at, put, where_above
from detectors.seasonal_esd.smoother import Integers, Smoother
from detectors.series import Floats

_F, _I = types.float64, types.int64
_FLAT, _ROWS, _INTS = _F[::1], _F[:, ::1], _I[::1]
SMOOTHER = types.NamedTuple((_INTS, _FLAT, _INTS, _ROWS), Smoother)  # type: ignore[no-untyped-call]


@kernel(types.void(_FLAT, _I, _I, _I, _FLAT))
def _interpolate(knots: Floats, n: int, side: int, jump: int, out: Floats) -> None:
    """Connect the fits at every jump-th point and at the last one."""
    last = (n - 1) // jump
    share = 1.0 / jump
    if side == WIDTH:
        for q in range(last):
            here = lanes_at(knots, q * WIDTH)
            step = (lanes_at(knots, (q + 1) * WIDTH) - here) * share
            for j in range(jump):
                put(out, (q * jump + j) * WIDTH, here + step * float(j))
    else:
        for j in range(jump):
            for q in range(last):
                out[q * jump + j] = knots[q] + (knots[q + 1] - knots[q]) * share * j
    tail = last * jump
    rest = n - 1 - tail
    for lane in range(side):
        final = knots[last * side + lane]
        out[tail * side + lane] = final
        if rest > 0:
            line = (knots[(last + 1) * side + lane] - final) / rest
            for j in range(1, rest):
                out[(tail + j) * side + lane] = final + line * j
            out[(n - 1) * side + lane] = knots[(last + 1) * side + lane]


@kernel(_FLAT(_FLAT, _I, _I))
def _folded(values: Floats, n: int, jump: int) -> Floats:
    """Every jump-th point from each of the first ones on, in a row each: windows become slices."""
    length = n // jump + 1
    out = np.zeros(jump * length + WIDTH)
    for r in range(jump):
        for q in range((n - r - 1) // jump + 1):
            out[r * length + q] = values[q * jump + r]
    return out


@kernel(_INTS(SMOOTHER, _I, _I))
def window_places(smoother: Smoother, n: int, side: int) -> Integers:
    """Where the points of a window lie, seen from its fitted point."""
    jump, reach = smoother.shape[0], smoother.shape[1]
    places: Integers = np.arange(len(smoother.interior)) - reach
    if side == WIDTH:
        places *= side
    else:
        places = places % jump * (n // jump + 1) + places // jump
    return places


@kernel(_ROWS(SMOOTHER))
def _moments(smoother: Smoother) -> Floats:
    """Weights of an interior window times powers 0, 1 and 2 of the offsets."""
    width = len(smoother.interior)
    offsets = np.arange(width) - float(smoother.shape[1])
    moments = np.empty((3, width))
    moments[0] = smoother.interior
    moments[1] = moments[0] * offsets
    moments[2] = moments[1] * offsets
    return moments


@kernel(types.void(_FLAT, _I, _I, SMOOTHER, _INTS, _FLAT))
def smooth_equally(
    values: Floats, n: int, side: int, smoother: Smoother, places: Integers, out: Floats
) -> None:
    """Smooth with equal robustness weights; the smoother's weights hold the slopes already."""
    interior, width = smoother.interior, len(smoother.interior)
    jump, reach, first, stop = smoother.shape
    points, stride = values, jump
    if side < WIDTH and jump > 1:
        points, stride = _folded(values, n, jump), 1
    fitted = out if jump == 1 else np.zeros((n // jump + 2) * side + WIDTH)
    for at in range(first * side, stop * side, WIDTH):
        fits = everywhere(0.0)
        for j in range(1, width - 1):  # the weights of both ends are 0
            fits = fused(interior[j], lanes_at(points, places[j] + at * stride), fits)
        put(fitted, at, fits)
    for e in range(len(smoother.edge_knots)):
        knot = smoother.edge_knots[e]
        left = max(min(min(knot * jump, n - 1) - reach, n - width), 0)
        for lane in range(side):
            total = 0.0
            for j in range(width):
                total += smoother.edges[e, j] * values[(left + j) * side + lane]
            fitted[knot * side + lane] = total
    if jump > 1:
        _interpolate(fitted, n, side, jump, out)


@kernel("f8(f8, f8, f8, f8, f8, f8)")
def _line_at_centre(m0: float, m1: float, m2: float, t0: float, t1: float, narrow: float) -> float:
    """Weighted least-squares line at offset 0 from the moments of offsets and of values."""
    spread = m0 * m2 - m1 * m1
    if spread > narrow * m0 * m0:
        return (m2 * t0 - m1 * t1) / spread
    return t0 / m0


@kernel(types.void(_FLAT, _FLAT, _I, _I, _I, _I, _FLAT))
def _keep_alone(
    values: Floats, masses: Floats, first: int, stop: int, side: int, jump: int, knots: Floats
) -> None:
    """Fit a point by its own value where no point around it counts."""
    for knot in range(first, stop):
        for lane in range(side):
            if not masses[knot * side + lane] > 0.0:
                knots[knot * side + lane] = values[knot * jump * side + lane]


@kernel(types.void(_FLAT, _FLAT, _I, _I, SMOOTHER, _INTS, _FLAT))
def smooth_weighted(
    values: Floats,
    robustness: Floats,
    n: int,
    side: int,
    smoother: Smoother,
    places: Integers,
    out: Floats,
) -> None:
    """Smooth so that each point counts by its robustness weight."""
    width, terms = len(smoother.interior), _moments(smoother)
    jump, reach, first, stop = smoother.shape
    narrow = (0.001 * (n - 1)) ** 2  # too narrow beside the series for a slope to be trusted
    for x in range(n * side):
        out[x] = robustness[x] * values[x]
    points, weights, stride = out, robustness, jump
    if side < WIDTH and jump > 1:
        points, weights, stride = _folded(out, n, jump), _folded(robustness, n, jump), 1
    knots = np.zeros((n // jump + 2) * side + WIDTH)
    masses = np.zeros(len(knots) + WIDTH)
    lowest = everywhere(1.0)
    for at in range(first * side, stop * side, WIDTH):
        m0, m1, m2 = everywhere(0.0), everywhere(0.0), everywhere(0.0)
        t0, t1 = everywhere(0.0), everywhere(0.0)
        for j in range(1, width - 1):  # the weights of both ends are 0
            x = places[j] + at * stride
            weight, value = lanes_at(weights, x), lanes_at(points, x)
            m0 = fused(terms[0, j], weight, m0)
            m1 = fused(terms[1, j], weight, m1)
            m2 = fused(terms[2, j], weight, m2)
            t0 = fused(terms[0, j], value, t0)
            t1 = fused(terms[1, j], value, t1)
        # The same as _line_at_centre.
        spread, least = m0 * m2 - m1 * m1, narrow * m0 * m0
        above = where_above(spread, least, m2 * t0 - m1 * t1, t0)
        put(knots, at, above / where_above(spread, least, spread, m0))
        put(masses, at, m0)
        lowest = where_above(lowest, m0, m0, lowest)
    put(masses, len(masses) - WIDTH, lowest)
    if not masses[-WIDTH:].min() > 0.0:
        _keep_alone(values, masses, first, stop, side, jump, knots)
    for e in range(len(smoother.edge_knots)):
        knot = smoother.edge_knots[e]
        position = min(knot * jump, n - 1)
        left = max(min(position - reach, n - width), 0)
        for lane in range(side):
            a0, a1, a2, b0, b1 = 0.0, 0.0, 0.0, 0.0, 0.0
            for j in range(width):
                offset = float(left + j - position)
                x = (left + j) * side + lane
                weight_here = smoother.edges[e, j] * robustness[x]
                value_here = smoother.edges[e, j] * out[x]
                a0 += weight_here
                a1 += weight_here * offset
                a2 += weight_here * offset * offset
                b0 += value_here
                b1 += value_here * offset
            fit = _line_at_centre(a0, a1, a2, b0, b1, narrow)
            knots[knot * side + lane] = fit if a0 > 0.0 else values[position * side + lane]
    _interpolate(knots, n, side, jump, out)
