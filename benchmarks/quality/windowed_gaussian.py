"""NAB's plain detector: how far a value is in the tail of a normal law of the values before it."""

import numpy as np
from scipy.special import ndtr

from detectors.series import Floats

WINDOW = 6400
"""Values that mean and deviation are taken of."""
STRIDE = 100
"""A full window moves on by so many values at a time."""
_NARROWEST = 1e-6  # in place of a deviation of 0
# The published scores were written to files so exactly; without it the ties at 1 fall apart.
_DIGITS = 12


def windowed_gaussian(values: Floats) -> Floats:
    """Score each value by one minus the tail beyond it; the first has no score."""
    scores = np.zeros(len(values))
    for row in range(1, len(values)):
        before = values[_window(row)]
        if row <= WINDOW or (row - WINDOW) % STRIDE == 0:
            centre, spread = before.mean(), before.std() or _NARROWEST
        scores[row] = ndtr(abs(values[row] - centre) / spread)
    return np.round(scores, _DIGITS)


def _window(row: int) -> slice:
    if row <= WINDOW:
        return slice(0, row)
    moved = (row - WINDOW) // STRIDE * STRIDE
    return slice(moved, moved + WINDOW)
