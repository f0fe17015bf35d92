"""Robustness weights from the distances of points to their fit, as compiled loops."""

import numpy as np
from numba import types

from detectors.compiled import kernel
from detectors.seasonal_esd.lanes import WIDTH, lanes_at, put, where_above, where_at_most
from detectors.series import Floats

_NO_LIMIT = 1e-300  # of the largest value; smaller ones have no reciprocal

_F, _I = types.float64, types.int64
_FLAT, _ROWS = _F[::1], _F[:, ::1]


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


@kernel(_F(_FLAT, _FLAT, _F))
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


@kernel(types.void(_FLAT, _FLAT, _I, _I, _FLAT, _FLAT))
def weigh(rest: Floats, trend: Floats, n: int, side: int, middles: Floats, out: Floats) -> None:
    """Weights of flat points: 1 near the trend, falling to 0 at six median distances.

    `middles`, shape (WIDTH,), holds the median distance of each series from one round to the next.
    """
    distances, scratch = np.empty((side, n)), np.empty(n + 1)
    for i in range(n):
        for lane in range(side):
            distances[lane, i] = abs(rest[i * side + lane] - trend[i * side + lane])
    for lane in range(side):
        middles[lane] = _median(distances[lane], scratch, middles[lane])
    for lane in range(side, WIDTH):
        middles[lane] = middles[0]
    limit = 6.0 * lanes_at(middles, 0)
    limit = where_above(limit, _NO_LIMIT, limit, 0.0)
    share = 1.0 / limit
    whole, none = 0.001 * limit, 0.999 * limit
    for at in range(0, n * side, WIDTH):
        signed = lanes_at(rest, at) - lanes_at(trend, at)
        distance = where_above(0.0 * signed, signed, -1.0 * signed, signed)
        inside = distance * share
        inside = 1.0 - inside * inside
        inside = where_at_most(distance, none, inside * inside, 0.0)
        put(out, at, where_at_most(distance, whole, 1.0, inside))
