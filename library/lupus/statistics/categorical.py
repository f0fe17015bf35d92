"""Statistics of categories."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from lupus.errors import StatisticsError
from lupus.statistics.column import Codes, Column
from lupus.statistics.frequent import CAPACITY, Frequent
from lupus.statistics.kind import COUNTS, Context, Kind, Number, counted, top
from lupus.statistics.labels import label_value

SHARES = 10


@dataclass(frozen=True, init=False)
class Categorical(Kind):
    """Statistics of a column of categories: text, integers, booleans or dates.

    Parameters
    ----------
    *metrics : str
        Any of count, nulls, present_share, unique, entropy (bits), top<k>_share (of the k most
        frequent together, of the rows that have a value), shares (of each of the ``values``, else
        of the 10 most frequent). Without any: present_share, unique, entropy, top1_share.
    values : sequence of str, optional
        Categories whose shares are given, whether or not they are there.
    capacity : int
        Different categories that are counted exactly.
    of : mapping of str to Kind, optional
        Statistics of other columns for each category, such as ``{"price": Numeric("mean")}``.
    of_most : int
        The most categories that ``of`` is for.

    Raises
    ------
    StatisticsError
        If a metric is none of these.

    Examples
    --------
    >>> Categorical("unique", "top3_share").metrics
    ('unique', 'top3_share')
    """

    values: tuple[str, ...] = ()
    capacity: int = CAPACITY
    of: Mapping[str, Kind] = field(default_factory=dict)
    of_most: int = 100

    name = "categorical"
    form = "codes"
    types = ("text", "integer", "boolean", "date", "float")
    allowed = (*COUNTS, "unique", "entropy", "top<k>_share", "shares")
    default = ("present_share", "unique", "entropy", "top1_share")

    def __init__(
        self,
        *metrics: str,
        values: Any = (),
        capacity: int = CAPACITY,
        of: Optional[Mapping[str, Kind]] = None,
        of_most: int = 100,
    ) -> None:
        if isinstance(values, str) or not all(isinstance(value, str) for value in values):
            raise StatisticsError(f"values is a list of texts, not {values!r}")
        for name, number in (("capacity", capacity), ("of_most", of_most)):
            if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                raise StatisticsError(f"{name} is at least 1, not {number!r}")
        for name, kind in (of or {}).items():
            if not isinstance(kind, Kind) or kind.others:
                raise StatisticsError(
                    f"of: {name} needs one of Numeric, Categorical, Array, Text, Time, Present"
                )
        chosen = {
            "metrics": self._chosen(metrics),
            "values": tuple(values),
            "capacity": capacity,
            "of": dict(of or {}),
            "of_most": of_most,
        }
        for name, value in chosen.items():
            object.__setattr__(self, name, value)

    @property
    def others(self) -> Mapping[str, Kind]:
        """Other columns, and what is computed of them for each category."""
        return self.of

    def scan(self, column: Column) -> tuple[int, Frequent]:
        """Count a column's categories."""
        assert isinstance(column, Codes)
        texts, counts, nulls = column.counted()
        return nulls, Frequent.of(texts, counts, self.capacity)

    def numbers(self, state: Frequent, context: Context) -> Iterator[Number]:
        """Give the metrics of a state."""
        for name in self.metrics:
            if name in COUNTS:
                yield Number(name, counted(name, context))
            else:
                yield from frequencies(name, state, self.values)

    def read(self, document: Mapping[str, Any]) -> Frequent:
        """Read a state's ``to_dict``."""
        return Frequent.from_dict(document)

    def options(self) -> dict[str, Any]:
        """Give what was chosen besides the metrics, for JSON."""
        given: dict[str, Any] = {}
        if self.values:
            given["values"] = list(self.values)
        if self.capacity != CAPACITY:
            given["capacity"] = self.capacity
        if self.of:
            given["of"] = {name: kind.to_dict() for name, kind in self.of.items()}
            given["of_most"] = self.of_most
        return given


def frequencies(name: str, counts: Frequent, values: tuple[str, ...]) -> Iterator[Number]:
    """Give the metrics that categories and elements of arrays share."""
    if name == "shares":
        for value in values or [value for value, _ in counts.top(SHARES)]:
            yield Number("share", counts.share(value), {"value": label_value(value)})
    elif name == "unique":
        yield Number(name, counts.unique)
    elif name == "entropy":
        yield Number(name, counts.entropy())
    else:
        yield Number(name, counts.top_share(top(name) or 1))
