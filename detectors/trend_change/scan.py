"""What a level or a slope change at each point of a series would explain, in one pass.

Inner products with a step or a ramp are sums from the end of the series on, so each point costs the
same however long the series and its season are.
"""

import numpy as np
from numba import types

from detectors.compiled import kernel
from detectors.result import Flags
from detectors.series import Floats

# Of the squared length before anything is taken off, for each point; ten times what was measured
# at a million points. A ramp's grows with the cube of the points, what is left near the ends not.
_ROUNDING = 1e-17

_FLOATS = types.float64[::1]
_ROWS = types.float64[:, ::1]
_FLAGS = types.boolean[::1]


@kernel(types.void(_FLOATS, _FLAGS, types.int64, types.float64, _ROWS, types.int64, _ROWS, _ROWS))
def scan(
    left: Floats,
    rows: Flags,
    period: int,
    phi: float,
    columns: Floats,
    count: int,
    along: Floats,
    weight: Floats,
) -> None:
    """Fill `along` and `weight`, shape (2, n), for level and slope changes at each point.

    A change of size 1 that begins at point t, prewhitened and without what seasons and the first
    `count` of the orthonormal `columns` explain of it, has the squared length weight[kind, t] and
    the product along[kind, t] with the residuals `left`. So the best size of the change is
    along / weight, and it explains along**2 / weight of the sum of squares. A weight of which
    rounding may be a tenth is 0, as that of a kink in the first 200 of a million points.
    """
    n = len(left)
    damped, nothing = 1.0 - phi, _ROUNDING * n
    share = np.zeros(period)  # 1 / rows of each phase
    for t in range(n):
        if rows[t]:
            share[t % period] += 1.0
    for p in range(period):
        share[p] = 1.0 / share[p] if share[p] > 0.0 else 0.0
    # Sums over the rows from a point on: of a step and of a ramp that is 1 at that point.
    steps, ramps = np.zeros(period), np.zeros(period)  # by phase; ramps as of `since`
    since = np.full(period, n)
    rows_on, ramp_on, square_on = 0.0, 0.0, 0.0
    step_step, step_ramp, ramp_ramp = 0.0, 0.0, 0.0  # sums over phases of products, by rows
    left_step, left_ramp = 0.0, 0.0
    base_step, base_ramp = np.zeros(count), np.zeros(count)
    for t in range(n - 1, -1, -1):
        p, here = t % period, 1.0 if rows[t] else 0.0
        along[0, t] = here * left[t] + damped * left_step
        length = here + damped * damped * rows_on
        least = nothing * length
        length -= damped * damped * step_step + here * (2.0 * damped * steps[p] + 1.0) * share[p]
        for j in range(count):
            length -= (here * columns[j, t] + damped * base_step[j]) ** 2
        weight[0, t] = length if length > least else 0.0

        left_step += left[t]
        left_ramp += left_step
        square_on += 2.0 * ramp_on + rows_on + here
        ramp_on += rows_on + here
        rows_on += here
        ramp_ramp += 2.0 * step_ramp + step_step
        step_ramp += step_step
        if here:
            ramp = ramps[p] + steps[p] * (since[p] - t)
            ramp_ramp += (2.0 * ramp + 1.0) * share[p]
            step_ramp += (ramp + steps[p] + 1.0) * share[p]
            step_step += (2.0 * steps[p] + 1.0) * share[p]
            steps[p] += 1.0
            ramps[p] = ramp + 1.0
            since[p] = t
        along[1, t] = damped * left_ramp + phi * left_step
        least = nothing * damped * damped * square_on
        length = damped * damped * (square_on - ramp_ramp)
        length += 2.0 * damped * phi * (ramp_on - step_ramp) + phi * phi * (rows_on - step_step)
        for j in range(count):
            base_step[j] += columns[j, t]
            base_ramp[j] += base_step[j]
            length -= (damped * base_ramp[j] + phi * base_step[j]) ** 2
        weight[1, t] = length if length > least else 0.0
