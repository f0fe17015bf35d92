"""Statistics of texts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lupus.statistics.column import Column, Numbers
from lupus.statistics.kind import COUNTS, Context, Kind, Number, counted
from lupus.statistics.lengths import LENGTH, Lengths
from lupus.statistics.numeric import NumericState


@dataclass(frozen=True, init=False)
class Text(Kind):
    """Statistics of a column of free text; its lengths are in characters.

    Parameters
    ----------
    *metrics : str
        Any of count, nulls, present_share, empty (texts without a character), length.<any metric of
        Numeric>. Without any: present_share, empty, length.mean, length.max.

    Raises
    ------
    StatisticsError
        If a metric is none of these.

    Examples
    --------
    >>> Text("length.p95").metrics
    ('length.p95',)
    """

    name = "text"
    form = "characters"
    types = ("text",)
    allowed = (*COUNTS, "empty", LENGTH)
    default = ("present_share", "empty", "length.mean", "length.max")

    def __init__(self, *metrics: str) -> None:
        super().__init__(*metrics)
        Lengths(self.metrics)  # refuses what lengths do not have

    def scan(self, column: Column) -> tuple[int, NumericState]:
        """Count a column's texts."""
        assert isinstance(column, Numbers)
        return Lengths(self.metrics).scan(column)

    def numbers(self, state: NumericState, context: Context) -> Iterator[Number]:
        """Give the metrics of a state."""
        lengths = Lengths(self.metrics)
        for name in self.metrics:
            if name in lengths:
                yield from lengths.numbers(name, state)
            else:
                yield Number(name, counted(name, context))

    def read(self, document: Mapping[str, Any]) -> NumericState:
        """Read a state's ``to_dict``."""
        return NumericState.from_dict(document)
