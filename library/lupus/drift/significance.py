"""How likely two samples of one population would differ that much."""

from math import exp, lgamma, log, sqrt

import numpy as np

_TERMS = 100
_TINY = 1e-300
_PRECISION = 1e-15


def kolmogorov(distance: float, one: float, two: float) -> float:
    """P-value of a Kolmogorov-Smirnov distance of samples of these sizes.

    Asymptotic, with the correction of Stephens (1970) for small samples.
    """
    size = sqrt(one * two / (one + two))
    reach = (size + 0.12 + 0.11 / size) * distance
    if reach < 0.2:  # the series converges slowly, and its sum differs from 1 by less than 1e-12
        return 1.0
    terms = np.arange(1, _TERMS + 1)
    series = 2 * np.sum((-1.0) ** (terms - 1) * np.exp(-2 * (terms * reach) ** 2))
    return float(min(max(series, 0.0), 1.0))


def chi_squared(value: float, freedom: int) -> float:
    """P-value of a chi-squared value: the upper regularized incomplete gamma function."""
    shape, x = freedom / 2, value / 2
    if x <= 0:
        return 1.0
    scale = exp(shape * log(x) - x - lgamma(shape))
    if x < shape + 1:
        return max(1.0 - scale * _series(shape, x), 0.0)
    return scale * _fraction(shape, x)


def _series(shape: float, x: float) -> float:
    """Sum of x^n / (shape (shape + 1) ... (shape + n))."""
    term = total = 1 / shape
    at = shape
    while term > total * _PRECISION:
        at += 1
        term *= x / at
        total += term
    return total


def _fraction(shape: float, x: float) -> float:
    """Legendre's continued fraction, by Lentz's method."""
    below = x + 1 - shape
    upper = 1 / _TINY
    lower = 1 / below
    value = lower
    for step in range(1, 10_000):
        by = -step * (step - shape)
        below += 2
        lower = 1 / (by * lower + below or _TINY)
        upper = below + by / upper or _TINY
        change = upper * lower
        value *= change
        if abs(change - 1) < _PRECISION:
            break
    return value
