"""What is counted of one group: sums that add up over parts, days and partitions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lupus.evaluation.distribution import Distribution
from lupus.evaluation.values import Floats

Counts = dict[tuple[str, ...], float]


@dataclass(frozen=True)
class Moments:
    """Number, mean and sum of squared deviations, merged without loss (Chan et al. 1979)."""

    rows: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: Floats) -> "Moments":
        """Count finite values."""
        if not len(values):
            return cls()
        mean = float(np.mean(values))
        return cls(len(values), mean, float(np.sum((values - mean) ** 2)))

    def merge(self, other: "Moments") -> "Moments":
        """Give those of both."""
        rows = self.rows + other.rows
        if not rows:
            return self
        apart = other.mean - self.mean
        return Moments(
            rows,
            self.mean + apart * other.rows / rows,
            self.squares + other.squares + apart * apart * self.rows * other.rows / rows,
        )


@dataclass(frozen=True)
class State:
    """Sums, greatest numbers, counts by name, moments and distributions of one group's rows."""

    sums: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)
    counts: dict[str, Counts] = field(default_factory=dict)
    moments: dict[str, Moments] = field(default_factory=dict)
    scores: dict[str, Distribution] = field(default_factory=dict)

    def merge(self, other: "State") -> "State":
        """Give what one pass over the rows of both would have given, but for rounding."""
        return State(
            _added(self.sums, other.sums),
            {
                name: max(self.peaks.get(name, -np.inf), other.peaks.get(name, -np.inf))
                for name in {**self.peaks, **other.peaks}
            },
            {
                name: _added(self.counts.get(name, {}), other.counts.get(name, {}))
                for name in {**self.counts, **other.counts}
            },
            _merged(self.moments, other.moments),
            _merged(self.scores, other.scores),
        )

    def to_dict(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        return {
            "sums": dict(self.sums),
            "peaks": dict(self.peaks),
            "counts": {
                name: [[*key, number] for key, number in sorted(counts.items())]
                for name, counts in self.counts.items()
            },
            "moments": {
                name: [moments.rows, moments.mean, moments.squares]
                for name, moments in self.moments.items()
            },
            "scores": {name: scores.to_dict() for name, scores in self.scores.items()},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "State":
        """Read what ``to_dict`` gave."""
        return cls(
            dict(document["sums"]),
            dict(document["peaks"]),
            {
                name: {tuple(row[:-1]): row[-1] for row in rows}
                for name, rows in document["counts"].items()
            },
            {name: Moments(*three) for name, three in document["moments"].items()},
            {name: Distribution.from_dict(one) for name, one in document["scores"].items()},
        )


def _added(one: dict[Any, float], two: dict[Any, float]) -> dict[Any, float]:
    both = dict(one)
    for name, number in two.items():
        both[name] = both.get(name, 0) + number
    return both


def _merged(one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
    both = dict(one)
    for name, part in two.items():
        both[name] = both[name].merge(part) if name in both else part
    return both
