"""Units of powers of two, in which values have squares and differences that are numbers.

A change to such a unit and back rounds nothing, so it changes no digit of an answer.
"""

import math

from detectors.compiled import kernel
from detectors.series import Floats

SMALL, LARGE = 2.0**-360, 2.0**480
"""Between them values need no other unit: no difference's square vanishes, no sum overflows."""

_STEP, _MOST = 128, 896  # few different units, and none that is no number itself


@kernel()
def unit_of(size: float) -> int:
    """Power of two to measure values of up to a size in; 0 where they need no other unit."""
    if not 0.0 < size < SMALL and not size > LARGE:
        return 0
    power = _STEP * int(math.frexp(size)[1] / _STEP)
    return max(-_MOST, min(power, _MOST))


@kernel()
def scale(values: Floats, unit: int) -> None:
    """Measure values in a unit, in place."""
    if unit == 0:
        return
    factor = math.ldexp(1.0, -unit)
    for k in range(len(values)):
        values[k] *= factor
