"""Statistics of arrays."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from lupus.errors import StatisticsError
from lupus.statistics.categorical import frequencies
from lupus.statistics.column import Column, Lists
from lupus.statistics.frequent import CAPACITY, Frequent
from lupus.statistics.kind import COUNTS, Context, Kind, Number, counted
from lupus.statistics.lengths import LENGTH, Lengths
from lupus.statistics.numeric import NumericState


@dataclass(frozen=True, eq=False)
class ArrayState:
    """What was counted of arrays: their lengths, their elements, elements that are null."""

    lengths: NumericState
    elements: Frequent
    nulls: int

    def merge(self, other: "ArrayState") -> "ArrayState":
        """Count both."""
        return ArrayState(
            self.lengths.merge(other.lengths),
            self.elements.merge(other.elements),
            self.nulls + other.nulls,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        return {
            "lengths": self.lengths.to_dict(),
            "elements": self.elements.to_dict(),
            "nulls": self.nulls,
        }


@dataclass(frozen=True, init=False)
class Array(Kind):
    """Statistics of a column of arrays of texts, integers, booleans or dates.

    Parameters
    ----------
    *metrics : str
        Any of count, nulls, present_share, empty (arrays without an element), element_nulls,
        length.<any metric of Numeric>, and of the elements unique, entropy, top<k>_share, shares,
        coverage (different elements / ``catalogue``). Without any: present_share, length.mean,
        unique, top1_share.
    catalogue : int, optional
        How many different elements there could be.
    values : sequence of str, optional
        Elements whose shares are given, whether or not they are there.
    capacity : int
        Different elements that are counted exactly.

    Raises
    ------
    StatisticsError
        If a metric is none of these, or coverage has no catalogue.

    Examples
    --------
    >>> Array("length.p95", "coverage", catalogue=5000).metrics
    ('length.p95', 'coverage')
    """

    catalogue: Optional[int] = None
    values: tuple[str, ...] = ()
    capacity: int = CAPACITY

    name = "array"
    form = "lists"
    types = ("array",)
    allowed = (
        *COUNTS,
        *("empty", "element_nulls", LENGTH, "unique", "entropy", "top<k>_share", "shares"),
        "coverage",
    )
    default = ("present_share", "length.mean", "unique", "top1_share")

    def __init__(
        self,
        *metrics: str,
        catalogue: Optional[int] = None,
        values: Any = (),
        capacity: int = CAPACITY,
    ) -> None:
        chosen = self._chosen(metrics)
        Lengths(chosen)  # refuses what lengths do not have
        if ("coverage" in chosen) != (catalogue is not None):
            raise StatisticsError(
                'coverage needs how many elements there could be: Array("coverage", catalogue=5000)'
            )
        if isinstance(values, str) or not all(isinstance(value, str) for value in values):
            raise StatisticsError(f"values is a list of texts, not {values!r}")
        for name, number in (("catalogue", catalogue), ("capacity", capacity)):
            if number is not None and (not isinstance(number, int) or number < 1):
                raise StatisticsError(f"{name} is at least 1, not {number!r}")
        given = {"metrics": chosen, "catalogue": catalogue, "values": tuple(values)}
        for name, value in {**given, "capacity": capacity}.items():
            object.__setattr__(self, name, value)

    def scan(self, column: Column) -> tuple[int, ArrayState]:
        """Count a column's arrays."""
        assert isinstance(column, Lists)
        nulls, lengths = Lengths(self.metrics).scan(column.lengths)
        texts, counts, without = column.within().counted()
        return nulls, ArrayState(lengths, Frequent.of(texts, counts, self.capacity), without)

    def numbers(self, state: ArrayState, context: Context) -> Iterator[Number]:
        """Give the metrics of a state."""
        lengths = Lengths(self.metrics)
        for name in self.metrics:
            if name in COUNTS:
                yield Number(name, counted(name, context))
            elif name == "element_nulls":
                yield Number(name, state.nulls)
            elif name == "coverage":
                yield Number(name, state.elements.unique / (self.catalogue or 1))
            elif name in lengths:
                yield from lengths.numbers(name, state.lengths)
            else:
                yield from frequencies(name, state.elements, self.values)

    def read(self, document: Mapping[str, Any]) -> ArrayState:
        """Read a state's ``to_dict``."""
        return ArrayState(
            NumericState.from_dict(document["lengths"]),
            Frequent.from_dict(document["elements"]),
            int(document["nulls"]),
        )

    def options(self) -> dict[str, Any]:
        """Give what was chosen besides the metrics, for JSON."""
        given: dict[str, Any] = {}
        if self.catalogue is not None:
            given["catalogue"] = self.catalogue
        if self.values:
            given["values"] = list(self.values)
        return given if self.capacity == CAPACITY else {**given, "capacity": self.capacity}
