"""The most frequent of values that come in parts.

All values are counted while there are at most ``capacity`` different ones. Beyond that the rarest
are dropped in the way of Misra and Gries (1982), which merges (Agarwal and others, 2013): a count
is at most ``error`` too high, a dropped value had at most ``error``, and ``error`` is at most the
number of rows / (capacity + 1).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np

from lupus.statistics.distinct import Distinct
from lupus.statistics.hashing import hashes

Array = Any

CAPACITY = 10_000


@dataclass(frozen=True)
class Frequent:
    """Counts of texts.

    Parameters
    ----------
    total : int
        How many were counted, dropped ones too.
    kept : mapping of str to int
        Counts less ``error``.
    error : int
        What every count may be too high by; 0 means that all counts are exact and none is missing.
    distinct : Distinct or None
        All different values, where some were dropped.
    capacity : int
        The most that are kept.

    Examples
    --------
    >>> countries = Frequent.of(["jp", "us", "kr"], [70, 20, 10])
    >>> countries.merge(countries).top(2)
    [('jp', 140), ('us', 40)]
    """

    total: int = 0
    kept: Mapping[str, int] = field(default_factory=dict)
    error: int = 0
    distinct: Optional[Distinct] = None
    capacity: int = CAPACITY

    @classmethod
    def of(
        cls, values: Iterable[str], counts: Iterable[int], capacity: int = CAPACITY
    ) -> "Frequent":
        """Count different values, each as many times as it is there (1 or more)."""
        texts = values if isinstance(values, np.ndarray) else np.array(list(values), dtype=object)
        many = np.asarray(counts if isinstance(counts, np.ndarray) else list(counts), np.int64)
        if len(texts) <= capacity:
            return cls(int(many.sum()), dict(zip(texts.tolist(), many.tolist())), 0, None, capacity)
        cut = int(np.partition(many, len(many) - capacity - 1)[len(many) - capacity - 1])
        left = many > cut
        kept = dict(zip(texts[left].tolist(), (many[left] - cut).tolist()))
        return cls(int(many.sum()), kept, cut, Distinct.of(hashes(texts)), capacity)

    def merge(self, other: "Frequent") -> "Frequent":
        """Count both."""
        capacity = min(self.capacity, other.capacity)
        few, many = sorted((self, other), key=lambda one: len(one.kept))
        kept = dict(many.kept)
        for value, count in few.kept.items():
            kept[value] = kept.get(value, 0) + count
        distinct = None
        if self.distinct is not None or other.distinct is not None or len(kept) > capacity:
            distinct = self._all().merge(other._all())  # noqa: SLF001  the same class
        error = self.error + other.error
        if len(kept) > capacity:
            cut = int(
                np.partition(np.fromiter(kept.values(), np.int64), -capacity - 1)[-capacity - 1]
            )
            kept = {value: count - cut for value, count in kept.items() if count > cut}
            error += cut
        return Frequent(self.total + other.total, kept, error, distinct, capacity)

    @property
    def exact(self) -> bool:
        """Whether every value is there with its own count."""
        return self.distinct is None

    @property
    def unique(self) -> int:
        """How many different values there are; where not ``exact``, with Distinct's error."""
        if self.distinct is None:
            return len(self.kept)
        return max(round(self.distinct.estimate), len(self.kept))

    def counts(self) -> dict[str, int]:
        """Give the kept values and their counts, at most ``error`` too high, highest first."""
        return dict(self.top(len(self.kept)))

    def top(self, k: int) -> list[tuple[str, int]]:
        """Give the most frequent values and their counts; equal ones in their texts' order."""
        ordered = sorted(self.kept.items(), key=lambda pair: (-pair[1], pair[0]))
        return [(value, count + self.error) for value, count in ordered[:k]]

    def share(self, value: str) -> Optional[float]:
        """Share of a value, at most ``error`` / ``total`` too high; None of none."""
        if not self.total:
            return None
        return (self.kept[value] + self.error) / self.total if value in self.kept else 0.0

    def top_share(self, k: int) -> Optional[float]:
        """Share of the k most frequent values together; None of none."""
        counted = sum(count for _, count in self.top(k))
        return min(counted / self.total, 1.0) if self.total else None

    def entropy(self) -> Optional[float]:
        """Entropy of the shares in bits; None of none.

        Where values were dropped, their rows are taken to be spread evenly over them: the entropy
        is at most this.
        """
        if not self.total:
            return None
        shares = np.fromiter(self.kept.values(), np.float64, len(self.kept))
        shares = (shares + self.error) / self.total
        bits = -float((shares * np.log2(shares)).sum())
        left = 1.0 - float(shares.sum())
        dropped = self.unique - len(self.kept)
        if not self.exact and left > 0 and dropped > 0:
            bits -= left * float(np.log2(left / dropped))
        return bits + 0.0

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        return {
            "capacity": self.capacity,
            "total": self.total,
            "kept": dict(self.kept),
            "error": self.error,
            "distinct": None if self.distinct is None else self.distinct.to_text(),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Frequent":
        """Read what ``to_dict`` gave."""
        distinct = document["distinct"]
        return cls(
            int(document["total"]),
            {str(value): int(count) for value, count in document["kept"].items()},
            int(document["error"]),
            None if distinct is None else Distinct.from_text(distinct),
            int(document["capacity"]),
        )

    def _all(self) -> Distinct:
        if self.distinct is not None:
            return self.distinct
        return Distinct.of(hashes(list(self.kept)))
