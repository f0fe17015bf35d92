"""Mean, variance, skewness and kurtosis of numbers that come in parts.

The sums of powers of differences from the mean are kept and merged with the formulas of Chan, Golub
and LeVeque (1979) and Pébay (2008); sum and mean are kept in two float64 each, so that errors do
not grow with the number of parts, and numbers far from 0 that lie close together keep their
variance.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, Optional

import numpy as np

Array = Any  # numpy.ndarray: its type arguments differ between the versions of NumPy

# Two buffers of this many float64 stay in a core's own cache.
BLOCK = 1 << 15


@dataclass(frozen=True)
class Moments:
    """Moments of finite numbers.

    Parameters
    ----------
    count : int
    total, rest : float
        Their sum is ``total + rest``; ``rest`` is what float64 could not hold of it.
    centre, centre_rest : float
        Their mean, likewise.
    m2, m3, m4 : float
        Sums of the 2nd, 3rd and 4th power of the differences from the mean.
    """

    count: int = 0
    total: float = 0.0
    rest: float = 0.0
    centre: float = 0.0
    centre_rest: float = 0.0
    m2: float = 0.0
    m3: float = 0.0
    m4: float = 0.0

    @classmethod
    def of(cls, values: Array) -> "Moments":
        """Moments of finite numbers, shape (n,), of any numeric type."""
        if not len(values):
            return cls()
        with np.errstate(over="ignore", invalid="ignore"):
            parts = np.array(
                [
                    _block(values[start : start + BLOCK].astype(np.float64, copy=False))
                    for start in range(0, len(values), BLOCK)
                ]
            ).T
            while parts.shape[1] > 1:
                even = parts.shape[1] & ~1
                merged = _merged(parts[:, 0:even:2], parts[:, 1:even:2])
                parts = np.concatenate([merged, parts[:, even:]], axis=1)
        count, *sums = parts[:, 0].tolist()
        return cls(int(count), *sums)

    def merge(self, other: "Moments") -> "Moments":
        """Moments of both."""
        if not self.count or not other.count:
            return self if self.count else other
        with np.errstate(over="ignore", invalid="ignore"):
            merged = _merged(np.array(astuple(self)), np.array(astuple(other)))
        return Moments(self.count + other.count, *merged[1:].tolist())

    @property
    def sum(self) -> float:
        """Sum of the numbers."""
        return self.total + self.rest

    @property
    def mean(self) -> Optional[float]:
        """Arithmetic mean; None of no numbers."""
        return self.sum / self.count if self.count else None

    @property
    def variance(self) -> Optional[float]:
        """Variance with n - 1 below the line; None of fewer than two numbers."""
        return self.m2 / (self.count - 1) if self.count > 1 else None

    @property
    def std(self) -> Optional[float]:
        """Square root of the variance; None of fewer than two numbers."""
        return None if self.variance is None else float(np.sqrt(self.variance))

    @property
    def skewness(self) -> Optional[float]:
        """Skewness g1, as scipy.stats.skew gives it; None where all numbers are the same."""
        if not self.m2 > 0:
            return None
        return float(np.sqrt(self.count) * self.m3 / self.m2**1.5)

    @property
    def kurtosis(self) -> Optional[float]:
        """Excess kurtosis g2, 0 of a normal distribution; None where all numbers are the same."""
        if not self.m2 > 0:
            return None
        return float(self.count * self.m4 / (self.m2 * self.m2) - 3.0)

    def to_list(self) -> list[float]:
        """Give the eight numbers, for JSON."""
        return list(astuple(self))

    @classmethod
    def from_list(cls, numbers: Sequence[float]) -> "Moments":
        """Read what ``to_list`` gave."""
        return cls(int(numbers[0]), *(float(number) for number in numbers[1:]))


def _block(values: Array) -> tuple[float, ...]:
    count = len(values)
    total = float(values.sum())
    mean = total / count
    difference = values - mean
    # What rounding of the mean left: differences from the true mean have no sum.
    left = float(difference.sum())
    power = difference * difference
    m2 = float(power.sum()) - left * left / count
    np.multiply(difference, power, out=difference)
    m3 = float(difference.sum())
    np.multiply(power, power, out=power)
    return count, total, 0.0, mean, left / count, max(m2, 0.0), m3, float(power.sum())


def _merged(a: Array, b: Array) -> Array:
    """Merge moments, shape (8,) or (8, n)."""
    n_a, total_a, rest_a, mean_a, mean_rest_a, a2, a3, a4 = a
    n_b, total_b, rest_b, mean_b, mean_rest_b, b2, b3, b4 = b
    n = n_a + n_b
    total, lost = _sum(total_a, total_b)
    delta = (mean_b - mean_a) + (mean_rest_b - mean_rest_a)
    mean, mean_rest = _sum(mean_a, mean_rest_a + delta * (n_b / n))
    step = delta / n
    squared = delta * step * n_a * n_b
    m2 = a2 + b2 + squared
    m3 = a3 + b3 + squared * step * (n_a - n_b) + 3.0 * step * (n_a * b2 - n_b * a2)
    m4 = (
        a4
        + b4
        + squared * step * step * (n_a * n_a - n_a * n_b + n_b * n_b)
        + 6.0 * step * step * (n_a * n_a * b2 + n_b * n_b * a2)
        + 4.0 * step * (n_a * b3 - n_b * a3)
    )
    return np.stack([n, total, rest_a + rest_b + lost, mean, mean_rest, m2, m3, m4])


def _sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Sum, and the exact error of its rounding: Knuth's TwoSum."""
    total = a + b
    seen = total - a
    return total, (a - (total - seen)) + (b - seen)
