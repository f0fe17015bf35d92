"""Quantiles of numbers that come in parts, each with an interval that holds the true one.

A number's *key* is its float64 read as an integer, such that keys have the order of the numbers.
Numbers are counted by key, and while there are more than ``buckets`` different keys, the lowest bit
of all keys is dropped. So few different numbers are kept exactly, many by buckets whose width is a
fixed share of the number (2 ** -bits). The result depends only on which numbers were counted: not
on their order, not on how they were cut into parts, not on the engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from lupus.statistics.packing import pack, unpack

Array = Any

BUCKETS = 2048
# Below this many numbers a thread is not worth its start, above it a block leaves the cache.
_BLOCK = 1 << 16
_LOW = np.int64(0x7FFF_FFFF_FFFF_FFFF)


@dataclass(frozen=True, eq=False)
class Quantiles:
    """Counts of finite numbers by ordered buckets.

    Parameters
    ----------
    keys, counts : ndarray of int64, shape (m,)
        Ascending keys without their ``shift`` lowest bits, and how many numbers each has.
    shift : int
        Dropped bits; 0 means that every number is kept as it is.
    low, high : float
        Smallest and largest number; NaN of none.
    buckets : int
        The largest m.

    Examples
    --------
    >>> ages = Quantiles.of(np.array([31.0, 45.0, 28.0])).merge(Quantiles.of(np.array([60.0])))
    >>> ages.quantile(0.5)
    38.0
    >>> ages.bounds(0.5)
    (38.0, 38.0)
    """

    keys: Array
    counts: Array
    shift: int
    low: float
    high: float
    buckets: int = BUCKETS

    @classmethod
    def of(cls, values: Array, buckets: int = BUCKETS) -> "Quantiles":
        """Count finite numbers in any order."""
        return cls.of_sorted(np.sort(np.asarray(values, dtype=np.float64)), buckets)

    @classmethod
    def of_sorted(cls, values: Array, buckets: int = BUCKETS) -> "Quantiles":
        """Count finite numbers, float64, ascending."""
        if not len(values):
            none = np.empty(0, np.int64)
            return cls(none, none, 0, float("nan"), float("nan"), buckets)
        # So few numbers have no more keys than that.
        shift = 0 if len(values) <= buckets else _shift(_levels(values), buckets)
        ends = np.append(_ends(values, shift), len(values) - 1)
        return cls(
            _keys(values[ends]) >> np.int64(shift),
            np.diff(ends, prepend=-1),
            shift,
            float(values[0]) + 0.0,
            float(values[-1]) + 0.0,
            buckets,
        )

    def merge(self, other: "Quantiles") -> "Quantiles":
        """Count both."""
        buckets = min(self.buckets, other.buckets)
        parts = [part for part in (self, other) if len(part.keys)]
        if not parts:
            return self if self.buckets == buckets else other
        shift = max(part.shift for part in parts)
        keys = np.concatenate([part.keys >> np.int64(shift - part.shift) for part in parts])
        counts = np.concatenate([part.counts for part in parts])
        order = np.argsort(keys, kind="stable")
        keys, counts = keys[order], counts[order]
        more = _shift(np.bincount(_bit_length(keys[1:] ^ keys[:-1]), minlength=65), buckets)
        keys = keys >> np.int64(more)
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        return Quantiles(
            keys[starts],
            np.add.reduceat(counts, starts),
            shift + more,
            min(part.low for part in parts),
            max(part.high for part in parts),
            buckets,
        )

    @property
    def count(self) -> int:
        """How many numbers were counted."""
        return int(self.counts.sum())

    @property
    def exact(self) -> bool:
        """Whether every number is kept as it is."""
        return self.shift == 0

    @property
    def relative_error(self) -> float:
        """Width of a bucket as a share of the numbers in it, at most; 0 where exact."""
        return 0.0 if self.exact else 2.0 ** (self.shift - 52)

    @property
    def unique(self) -> int:
        """How many different numbers there are; where not ``exact``, how many buckets."""
        return len(self.keys)

    def quantile(self, q: float) -> Optional[float]:
        """Quantile with linear interpolation between neighbours, as numpy.quantile; None of none.

        Within a bucket, its numbers are taken to be spread evenly.
        """
        return self.quantiles([q])[0]

    def quantiles(self, shares: Sequence[float]) -> list[Optional[float]]:
        """Several quantiles at once."""
        if not len(self.keys):
            return [None] * len(shares)
        at = np.asarray(shares, dtype=np.float64) * (self.count - 1)
        places = np.floor(at).astype(np.int64)
        low, high = (self._placed(np.minimum(places + one, self.count - 1)) for one in (0, 1))
        result: list[Optional[float]] = (low + (high - low) * (at - places)).tolist()
        return result

    def bounds(self, q: float) -> Optional[tuple[float, float]]:
        """Interval that holds numpy.quantile of the numbers for certain; None of none."""
        if not len(self.keys):
            return None
        place, share = divmod(q * (self.count - 1), 1.0)
        places = np.minimum(np.array([place, place + 1.0]), self.count - 1)
        bucket = np.searchsorted(np.cumsum(self.counts), places, side="right")
        low, high = (
            side[bucket[0]] * (1 - share) + side[bucket[1]] * share for side in self.edges()
        )
        return float(low), float(high)

    def rank(self, value: float) -> Optional[float]:
        """Share of the numbers that are at most this value; None of none.

        Wrong by at most the share of the bucket that the value lies in.
        """
        return float(self._below(np.array([value]))[0]) / self.count if len(self.keys) else None

    def histogram(self, edges: Sequence[float]) -> Array:
        """Count the numbers between ascending edges, [a, b) and the last [a, b], shape (n - 1,).

        A bucket that an edge cuts is shared out evenly; what lies outside is not counted.
        """
        at = np.asarray(edges, dtype=np.float64)
        if not len(self.keys):
            return np.zeros(len(at) - 1)
        below = self._below(np.append(np.nextafter(at[:-1], -np.inf), at[-1]))
        return np.diff(below)

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        return {
            "buckets": self.buckets,
            "shift": self.shift,
            "low": self.low if len(self.keys) else None,
            "high": self.high if len(self.keys) else None,
            "keys": pack(np.diff(self.keys, prepend=0)),
            "counts": pack(self.counts),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Quantiles":
        """Read what ``to_dict`` gave."""
        nothing = document["low"] is None
        return cls(
            np.cumsum(unpack(document["keys"], "<i8")),
            unpack(document["counts"], "<i8"),
            int(document["shift"]),
            float("nan") if nothing else float(document["low"]),
            float("nan") if nothing else float(document["high"]),
            int(document["buckets"]),
        )

    def numbers(self) -> Array:
        """Give the different numbers, ascending; where not ``exact``, each bucket's smallest."""
        return _numbers(self.keys << np.int64(self.shift))

    def edges(self) -> tuple[Array, Array]:
        """Smallest and largest number that each bucket can hold, shape (m,)."""
        if self.exact:
            numbers = self.numbers()
            return numbers, numbers
        first = self.keys << np.int64(self.shift)
        last = first | np.int64((1 << self.shift) - 1)
        lows, highs = _numbers(first), _numbers(last)
        return np.clip(lows, self.low, self.high), np.clip(highs, self.low, self.high)

    def _placed(self, places: Array) -> Array:
        """Numbers at places of the sorted numbers."""
        ends = np.cumsum(self.counts)
        bucket = np.searchsorted(ends, places, side="right")
        many = self.counts[bucket]
        lows, highs = (side[bucket] for side in self.edges())
        return lows + (highs - lows) * ((places - (ends[bucket] - many) + 0.5) / many)

    def _below(self, values: Array) -> Array:
        """How many numbers are at most each value."""
        lows, highs = self.edges()
        before = np.concatenate([[0], np.cumsum(self.counts)])
        bucket = np.searchsorted(lows, values, side="right") - 1
        inside = np.maximum(bucket, 0)
        width = highs[inside] - lows[inside]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(width > 0, (values - lows[inside]) / width, 1.0)
        part = np.clip(share, 0.0, 1.0) * self.counts[inside]
        return np.where(bucket < 0, 0.0, before[inside] + part)


def _keys(values: Array) -> Array:
    """Integers in the order of the numbers; -0.0 is 0.0."""
    bits = (values + 0.0).view(np.int64)
    return bits ^ ((bits >> np.int64(63)) & _LOW)


def _numbers(keys: Array) -> Array:
    numbers = (keys ^ ((keys >> np.int64(63)) & _LOW)).view(np.float64)
    # Keys beyond infinity's are no numbers: an edge of the outermost buckets.
    return np.where(np.isnan(numbers), np.where(keys < 0, -np.inf, np.inf), numbers)


def _bit_length(differences: Array) -> Array:
    """Bits up to the highest one, 0 to 64."""
    unsigned = differences.view(np.uint64)
    # Without the second highest bit no rounding to float64 can reach the next power of two.
    cleared = unsigned & ~(unsigned >> np.uint64(1))
    exponents = cleared.astype(np.float64).view(np.int64) >> np.int64(52)
    return np.maximum(exponents - 1022, 0)


def _levels(values: Array) -> Array:
    """How many neighbours differ first in each bit, shape (65,)."""
    levels = np.zeros(65, np.int64)
    for start in range(0, len(values) - 1, _BLOCK):
        keys = _keys(values[start : start + _BLOCK + 1])
        levels += np.bincount(_bit_length(keys[1:] ^ keys[:-1]), minlength=65)
    return levels


def _shift(levels: Array, buckets: int) -> int:
    """Fewest dropped bits that leave at most so many different keys."""
    # Neighbours are one bucket when all bits in which they differ are dropped.
    different = 1 + np.cumsum(levels[:0:-1])[::-1]
    fits = np.flatnonzero(different <= buckets)
    return int(fits[0]) if len(fits) else 63


def _ends(values: Array, shift: int) -> Array:
    """Places of the last number of each bucket but the last."""
    found = []
    for start in range(0, len(values) - 1, _BLOCK):
        keys = _keys(values[start : start + _BLOCK + 1]) >> np.int64(shift)
        found.append(np.flatnonzero(keys[1:] != keys[:-1]) + start)
    return np.concatenate(found) if found else np.empty(0, np.int64)
