"""What all kinds of statistics of a column share."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Optional, Protocol

from lupus.errors import StatisticsError
from lupus.statistics.column import Column, nothing

COUNTS = ("count", "nulls", "present_share")


class Number(NamedTuple):
    """One number of a column: what follows its name, labels, value."""

    name: str
    value: Optional[float]
    labels: Mapping[str, str] = {}


class State(Protocol):
    """What was counted of a column; merging and JSON are its own."""

    def merge(self, other: Any) -> Any:
        """Count both."""

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""


class Context(NamedTuple):
    """What a kind knows besides its state: rows of the column, those without a value, the time."""

    rows: int
    nulls: int
    at: Optional[float]  # seconds since 1970 UTC


@dataclass(frozen=True, init=False)
class Kind:
    """What to compute of a column: one of the kinds of statistics."""

    metrics: tuple[str, ...]

    name: ClassVar[str]
    form: ClassVar[str]  # how a column is read for it
    types: ClassVar[tuple[str, ...]]  # of columns it is for
    allowed: ClassVar[tuple[str, ...]]  # names, and patterns such as p<0-100>
    default: ClassVar[tuple[str, ...]]

    def __init__(self, *metrics: str) -> None:
        object.__setattr__(self, "metrics", self._chosen(metrics))

    def scan(self, column: Column) -> tuple[int, Any]:
        """Give how many rows have no value, and what was counted of the others."""
        raise NotImplementedError

    def numbers(self, state: Any, context: Context) -> Iterator[Number]:
        """Give the metrics of a state."""
        raise NotImplementedError

    def read(self, document: Mapping[str, Any]) -> Any:
        """Read a state's ``to_dict``."""
        raise NotImplementedError

    def nothing(self) -> Any:
        """Give the state of no rows."""
        return self.scan(nothing(self.form))[1]

    def options(self) -> dict[str, Any]:
        """Give what was chosen besides the metrics, for JSON."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        return {"kind": self.name, "metrics": list(self.metrics), **self.options()}

    @property
    def others(self) -> Mapping[str, "Kind"]:
        """Other columns, and what is computed of them for each category."""
        return {}

    @classmethod
    def fits(cls, type_name: str) -> bool:
        """Whether it is for columns of a type."""
        return type_name == "null" or type_name.split(" of ")[0] in cls.types

    def _chosen(self, metrics: Sequence[str]) -> tuple[str, ...]:
        """Names as given, or the default ones; StatisticsError for one that is none of it."""
        chosen = tuple(dict.fromkeys(metrics or self.default))
        for name in chosen:
            if not isinstance(name, str) or not any(_fits(name, one) for one in self.allowed):
                raise StatisticsError(
                    f"{type(self).__name__} gives {', '.join(self.allowed)}; not {name!r}"
                )
        return chosen


def counted(name: str, context: Context) -> Optional[float]:
    """Give a metric that every kind has."""
    present = context.rows - context.nulls
    if name == "present_share":
        return present / context.rows if context.rows else None
    return {"count": present, "nulls": context.nulls}[name]


@lru_cache(maxsize=1000)
def percent(name: str) -> Optional[float]:
    """Give the share that p95 or p99.9 names; None of another name."""
    found = re.fullmatch(r"p(\d{1,3}(?:\.\d+)?)", name)
    return float(found[1]) / 100 if found and float(found[1]) <= 100 else None


@lru_cache(maxsize=1000)
def top(name: str) -> Optional[int]:
    """Give the k that top3_share names; None of another name."""
    found = re.fullmatch(r"top([1-9]\d{0,5})_share", name)
    return int(found[1]) if found else None


def _fits(name: str, allowed: str) -> bool:
    if allowed == "p<0-100>":
        return percent(name) is not None
    if allowed == "top<k>_share":
        return top(name) is not None
    if allowed == "length.<numeric>":
        return name.startswith("length.")
    return name == allowed
