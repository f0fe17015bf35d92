"""Two samples in the same bins, and how far they are apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from lupus.drift.significance import chi_squared
from lupus.statistics.frequent import Frequent
from lupus.statistics.quantiles import Quantiles

Floats = NDArray[np.float64]
OTHERS = "(others)"
NEW = "(new)"


@dataclass(frozen=True)
class Samples:
    """Counts of a reference and of a sample in the same bins.

    Parameters
    ----------
    names : list of str
        Of the bins.
    reference, sample : ndarray, shape (n,)
        Rows in each bin.
    """

    names: list[str]
    reference: Floats
    sample: Floats

    def smoothed(self) -> tuple[Floats, Floats]:
        """Give shares with half a row added to each bin of both."""
        one, two = self.reference + 0.5, self.sample + 0.5
        return one / one.sum(), two / two.sum()

    @property
    def there(self) -> bool:
        """Whether both have rows."""
        return bool(self.reference.sum() and self.sample.sum())

    def psi(self) -> Optional[float]:
        """Give the population stability index of smoothed shares; None unless both have rows."""
        if not self.there:
            return None
        one, two = self.smoothed()
        return float(np.sum((two - one) * np.log(two / one)))

    def js(self) -> Optional[float]:
        """Give the Jensen-Shannon divergence in bits, from 0 to 1; None unless both have rows."""
        if not self.there:
            return None
        one, two = self.reference / self.reference.sum(), self.sample / self.sample.sum()
        middle = (one + two) / 2
        return max((_relative(one, middle) + _relative(two, middle)) / 2, 0.0)

    def chi2(self) -> tuple[Optional[float], Optional[float]]:
        """Give Pearson's chi-squared of homogeneity and its p-value; None unless both have rows."""
        if not self.there:
            return None, None
        rows = np.stack([self.reference, self.sample])
        rows = rows[:, rows.sum(axis=0) > 0]
        expected = np.outer(rows.sum(axis=1), rows.sum(axis=0)) / rows.sum()
        value = float(np.sum((rows - expected) ** 2 / expected))
        freedom = rows.shape[1] - 1
        return value, chi_squared(value, freedom) if freedom else 1.0

    def probability(self) -> Optional[float]:
        """Mean over the sample of ln of the smoothed reference's share of a row's bin."""
        if not self.there:
            return None
        return float(np.dot(self.sample, np.log(self.smoothed()[0])) / self.sample.sum())


def of_numbers(reference: Quantiles, sample: Quantiles, bins: int) -> Samples:
    """Count numbers in bins of equally many reference rows, and below and above all of them."""
    if not reference.count:
        return Samples([], np.zeros(0), np.zeros(0))
    edges = edges_of(reference, bins)
    names, before = number_counts(edges, reference)
    return Samples(names, before, number_counts(edges, sample)[1])


def edges_of(reference: Quantiles, bins: int) -> list[float]:
    """Edges of bins with equally many rows; each of few different numbers is one."""
    if reference.exact and reference.unique <= bins:
        return [float(edge) for edge in reference.edges()[0]]
    found = reference.quantiles([place / bins for place in range(bins + 1)])
    return sorted({edge for edge in found if edge is not None})


def number_counts(edges: list[float], numbers: Quantiles) -> tuple[list[str], Floats]:
    """Names of bins and how many numbers are in each: below, [a, b], (b, c], ..., above."""
    names = [f"{edges[0]:g}"] if len(edges) == 1 else [f"[{edges[0]:g}, {edges[1]:g}]"]
    names += [f"({low:g}, {high:g}]" for low, high in zip(edges[1:], edges[2:])]
    ends = [float(np.nextafter(edges[0], -np.inf)), *(edges[1:] or edges)]
    shares = [numbers.rank(end) or 0.0 for end in ends]
    counts: Floats = np.diff([0.0, *shares, 1.0]) * numbers.count
    return [f"< {edges[0]:g}", *names, f"> {edges[-1]:g}"], counts


def category_counts(before: Mapping[str, float], sample: Frequent) -> Samples:
    """Count categories beside a reference's rows of each; what it does not have is new."""
    now = sample.counts()
    new = sum(rows for name, rows in now.items() if name not in before)
    counts = [float(now.get(name, 0)) for name in before]
    return Samples(
        [*before, NEW], np.array([*before.values(), 0.0]), np.array([*counts, float(new)])
    )


def of_categories(reference: Frequent, sample: Frequent, most: int) -> Samples:
    """Count the reference's most frequent categories, all its others, and new ones."""
    before, now = reference.counts(), sample.counts()
    names = [name for name, _ in reference.top(most)]
    known = set(names)
    rest = [name for name in before if name not in known]
    new = [name for name in now if name not in before]
    rows = [
        [float(counts.get(name, 0)) for name in names]
        + [float(sum(counts.get(name, 0) for name in others)) for others in (rest, new)]
        for counts in (before, now)
    ]
    return Samples([*names, OTHERS, NEW], np.array(rows[0]), np.array(rows[1]))


def ks(reference: Quantiles, sample: Quantiles) -> tuple[Optional[float], float]:
    """Kolmogorov-Smirnov distance, and what it may be too low by where numbers are in buckets."""
    if not (reference.count and sample.count):
        return None, 0.0
    shift = max(reference.shift, sample.shift)
    keys = [one.keys >> np.int64(shift - one.shift) for one in (reference, sample)]
    union, codes = np.unique(np.concatenate(keys), return_inverse=True)
    codes = codes.reshape(-1)
    parts = codes[: len(keys[0])], codes[len(keys[0]) :]
    before, now = (
        np.cumsum(np.bincount(part, weights=one.counts, minlength=len(union))) / one.count
        for part, one in zip(parts, (reference, sample))
    )
    apart = before - now
    distance = float(np.abs(apart).max())
    if not shift:
        return distance, 0.0
    # within a bucket one side may be counted whole while the other has not begun
    most = float(
        max((before[1:] - now[:-1]).max(), (now[1:] - before[:-1]).max(), before[0], now[0])
    )
    return distance, max(most - distance, 0.0)


def _relative(one: Floats, two: Floats) -> float:
    there = one > 0
    return float(np.sum(one[there] * np.log2(one[there] / two[there])))
