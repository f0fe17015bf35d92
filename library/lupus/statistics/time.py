"""Statistics of times."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from lupus.statistics.column import Column, Times
from lupus.statistics.kind import COUNTS, Context, Kind, Number, counted

_SECOND = 1_000_000


@dataclass(frozen=True)
class TimeState:
    """Oldest and newest time, in microseconds since 1970 UTC."""

    oldest: Optional[int]
    newest: Optional[int]

    def merge(self, other: "TimeState") -> "TimeState":
        """Oldest and newest of both."""
        if self.oldest is None or self.newest is None:
            return other
        if other.oldest is None or other.newest is None:
            return self
        return TimeState(min(self.oldest, other.oldest), max(self.newest, other.newest))

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        return {"oldest": self.oldest, "newest": self.newest}


@dataclass(frozen=True, init=False)
class Time(Kind):
    """Statistics of a column of timestamps or dates; one without a time zone is in UTC.

    Parameters
    ----------
    *metrics : str
        Any of count, nulls, present_share, freshness (seconds from the newest to the time that is
        given, ``at``), oldest (seconds from the oldest to it), span (seconds from the oldest to the
        newest). Without any: present_share, freshness.

    Raises
    ------
    StatisticsError
        If a metric is none of these.

    Examples
    --------
    >>> Time().metrics
    ('present_share', 'freshness')
    """

    name = "time"
    form = "times"
    types = ("timestamp", "date")
    allowed = (*COUNTS, "freshness", "oldest", "span")
    default = ("present_share", "freshness")

    @property
    def relative(self) -> bool:
        """Whether a metric needs the time that it is relative to."""
        return bool({"freshness", "oldest"} & set(self.metrics))

    def scan(self, column: Column) -> tuple[int, TimeState]:
        """Find a column's oldest and newest time."""
        assert isinstance(column, Times)
        present = column.present()
        if not len(present):
            return len(column), TimeState(None, None)
        return len(column) - len(present), TimeState(int(present.min()), int(present.max()))

    def numbers(self, state: TimeState, context: Context) -> Iterator[Number]:
        """Give the metrics of a state."""
        for name in self.metrics:
            value = counted(name, context) if name in COUNTS else _seconds(name, state, context.at)
            yield Number(name, value)

    def read(self, document: Mapping[str, Any]) -> TimeState:
        """Read a state's ``to_dict``."""
        return TimeState(document["oldest"], document["newest"])


def _seconds(name: str, state: TimeState, at: Optional[float]) -> Optional[float]:
    if state.oldest is None or state.newest is None:
        return None
    if name == "span":
        return (state.newest - state.oldest) / _SECOND
    if at is None:
        return None
    return at - (state.newest if name == "freshness" else state.oldest) / _SECOND
