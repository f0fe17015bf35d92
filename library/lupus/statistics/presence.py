"""Statistics that a column of any type has."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lupus.statistics.column import Column, Presence
from lupus.statistics.kind import COUNTS, Context, Kind, Number, counted


@dataclass(frozen=True)
class NoState:
    """Nothing but which rows have a value."""

    def merge(self, other: Any) -> Any:
        """Nothing besides the other."""
        return other

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        return {}


@dataclass(frozen=True, init=False)
class Present(Kind):
    """Whether a column of any type has values.

    Parameters
    ----------
    *metrics : str
        Any of count, nulls, present_share. Without any: present_share.

    Raises
    ------
    StatisticsError
        If a metric is none of these.

    Examples
    --------
    >>> Present().metrics
    ('present_share',)
    """

    name = "present"
    form = "presence"
    types = ()
    allowed = COUNTS
    default = ("present_share",)

    @classmethod
    def fits(cls, type_name: str) -> bool:
        """Whether it is for columns of a type."""
        return True

    def scan(self, column: Column) -> tuple[int, NoState]:
        """Count the rows without a value."""
        assert isinstance(column, Presence)
        return int(np.count_nonzero(column.missing)), NoState()

    def numbers(self, state: NoState, context: Context) -> Iterator[Number]:
        """Give the metrics of a state."""
        for name in self.metrics:
            yield Number(name, counted(name, context))

    def read(self, document: Mapping[str, Any]) -> NoState:
        """Read a state's ``to_dict``."""
        return NoState()
