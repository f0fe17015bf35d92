"""Exact sums and high-precision quantiles, to bound what floating point adds to them."""

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np

from detectors.series import Floats

EPSILON = 2.0**-52


def exact_mean(values: Floats) -> Fraction:
    return sum(map(Fraction, values.tolist()), Fraction()) / len(values)


def exact_squares(values: Floats) -> Fraction:
    """Sum of squared distances from the mean."""
    mean = exact_mean(values)
    return sum(((Fraction(x) - mean) ** 2 for x in values.tolist()), Fraction())


def decimal_of(number: Fraction) -> Decimal:
    return Decimal(number.numerator) / Decimal(number.denominator)


def student_tail(t: Decimal, freedom: int) -> Decimal:
    """P(T > t) for an even number of degrees of freedom, where it is a finite sum."""
    assert freedom % 2 == 0
    shrink = 1 / (1 + t * t / freedom)
    term = total = Decimal(1)
    for k in range(1, freedom // 2):
        term *= shrink * (2 * k - 1) / (2 * k)
        total += term
    return (1 - t / (freedom + t * t).sqrt() * total) / 2


def student_error(quantile: float, freedom: int, tail: float, digits: int = 60) -> float:
    """Relative error of an upper quantile of Student's distribution, by one step of Newton."""
    with localcontext() as context:
        context.prec = digits + 2 * max(0, -Decimal(tail).adjusted())
        t = Decimal(quantile)
        here = student_tail(t, freedom)
        step = t * Decimal(10) ** -(digits // 3)
        slope = (student_tail(t + step, freedom) - here) / step
        return float(abs((here - Decimal(tail)) / slope / t))


def ulps(found: float, exact: Fraction | Decimal, size: float) -> float:
    """Distance from the exact value in units of the last place of numbers of a size."""
    difference = Fraction(found) - Fraction(exact)
    return float(abs(difference) / Fraction(np.spacing(abs(size))))
