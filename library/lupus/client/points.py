"""What is sent, as points that the service takes: everything is checked before anything is sent."""

import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Optional

from lupus.client.instant import instant
from lupus.errors import SHOWN, MetricsError
from lupus.metric import Metric
from lupus.metrics import Metrics

OnNan = Literal["error", "skip", "remove"]
_ON_NAN = ("error", "skip", "remove")
_TABLES = ("pandas", "polars")


Key = tuple[str, tuple[tuple[str, str], ...]]  # name and sorted labels of a series


@dataclass
class Points:
    """Points by series and time, so that the same content is the same body.

    ``None`` as a value removes the point that is there. ``skipped`` names what had no value and
    was left out.
    """

    series: Sequence[Key] = ()
    code: Sequence[int] = ()  # place of each point's series
    times: Sequence[str] = ()
    values: Sequence[Optional[float]] = ()
    skipped: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.code)

    def name(self, row: int) -> str:
        """Give the point of a row as people write it."""
        return f"{_written(self.series[self.code[row]])} at {self.times[row]}"

    def parts(self, most: int) -> Iterator["Points"]:
        """Cut into pieces of at most so many points, in order."""
        for first in range(0, len(self), most):
            rows = slice(first, first + most)
            yield Points(self.series, self.code[rows], self.times[rows], self.values[rows])


class Collector:
    """Collects the points of one source, each series and time at most once."""

    def __init__(self, nan: OnNan = "error") -> None:
        if nan not in _ON_NAN:
            raise MetricsError(f"nan={nan!r}: allowed are {', '.join(map(repr, _ON_NAN))}")
        self._nan = nan
        self._points: list[tuple[Key, str, Optional[float]]] = []
        self._seen: set[tuple[Key, str]] = set()
        self._skipped: list[str] = []

    def __len__(self) -> int:
        return len(self._points)

    def add(self, what: Any, at: Any, labels: Optional[Mapping[str, str]] = None) -> None:
        """Check and keep all of it, or raise and keep nothing."""
        fresh, empty = self._checked(_rows(what, at, labels or {}))
        seen: set[tuple[Key, str]] = set()
        for key, time, _ in fresh:
            if (key, time) in seen or (key, time) in self._seen:
                raise MetricsError(f"{_written(key)} at {time} is there twice")
            seen.add((key, time))
        if empty and self._nan == "error":
            raise MetricsError(_nothing(empty))
        self._seen |= seen
        self._points += fresh
        self._skipped += empty

    def finish(self) -> Points:
        """Give all points."""
        points = sorted(self._points, key=lambda point: point[:2])
        series = sorted({key for key, _, _ in points})
        place = {key: number for number, key in enumerate(series)}
        return Points(
            series,
            [place[key] for key, _, _ in points],
            [time for _, time, _ in points],
            [value for _, _, value in points],
            self._skipped,
        )

    def _checked(
        self, rows: Iterable[tuple[Metric, str, Optional[float]]]
    ) -> tuple[list[tuple[Key, str, Optional[float]]], list[str]]:
        found: list[tuple[Key, str, Optional[float]]] = []
        empty: list[str] = []
        spelled: dict[int, tuple[Metric, Key]] = {}  # tables give one object for many rows
        for metric, time, value in rows:
            if id(metric) not in spelled:
                spelled[id(metric)] = metric, _key(metric)
            key = spelled[id(metric)][1]
            if value is not None and math.isinf(value):
                raise MetricsError(f"{_written(key)} is {value}: allowed are finite numbers")
            if value is None or value != value:
                if self._nan != "remove":
                    empty.append(_written(key))
                    continue
                value = None
            found.append((key, time, value))
        return found, empty


def _key(metric: Metric) -> Key:
    labels = {
        label: unicodedata.normalize("NFC", value)
        for label, value in metric.labels.items()
        if value
    }
    return unicodedata.normalize("NFC", metric.name), tuple(sorted(labels.items()))


def _written(key: Key) -> str:
    return str(Metric(key[0], None, dict(key[1]))).rsplit(" ", 1)[0]


def _nothing(empty: Sequence[str]) -> str:
    more = f" and {len(empty) - SHOWN} more" if len(empty) > SHOWN else ""
    return (
        f"no value: {', '.join(empty[:SHOWN])}{more}. nan='skip' leaves such metrics out, "
        "nan='remove' removes their points of this time"
    )


def _rows(
    what: Any, at: Any, labels: Mapping[str, str]
) -> Iterator[tuple[Metric, str, Optional[float]]]:
    if type(what).__module__.partition(".")[0] in _TABLES and hasattr(what, "columns"):
        # Only who sends a table pays for the reader of tables.
        from lupus.client.table import table_rows  # noqa: PLC0415

        return table_rows(what, at, labels)
    if at is None:
        raise MetricsError("at is missing: the start of the interval that the metrics describe")
    time = instant(at)
    return (
        (_labelled(metric, labels), time, number(metric.name, metric.value))
        for metric in metrics_of(what)
    )


def metrics_of(what: Any) -> Metrics:
    """Give the metrics of whatever has some: a mapping of names to numbers is enough."""
    if isinstance(what, Mapping):
        return Metrics([Metric(name, number(name, value)) for name, value in what.items()])
    if isinstance(what, Metric):
        what = [what]
    elif callable(given := getattr(what, "metrics", None)):
        what = given()
    if isinstance(what, Iterable) and not isinstance(what, (str, bytes)):
        found = list(what)
        if all(isinstance(one, Metric) for one in found):
            return Metrics(
                [Metric(one.name, number(one.name, one.value), one.labels) for one in found]
            )
    raise MetricsError(
        f"{type(what).__module__}.{type(what).__qualname__} cannot be sent: allowed are a mapping "
        "of names to numbers, metrics, what has a method metrics(), and a pandas or Polars table "
        "with the columns metric, value and labels"
    )


def number(name: Any, value: Any) -> Optional[float]:
    """Give a value as a float; MetricsError where it is no number."""
    if not isinstance(name, str):
        raise MetricsError(f"a metric's name is text, not {name!r}")
    if value is None or type(value).__name__ == "NAType":
        return None
    if isinstance(value, (str, bytes)) or not hasattr(type(value), "__float__"):
        raise MetricsError(f"{name} is {value!r}: allowed are numbers")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise MetricsError(f"{name} is {value!r}: allowed are numbers") from None


def _labelled(metric: Metric, labels: Mapping[str, str]) -> Metric:
    if not labels:
        return metric
    return Metric(metric.name, metric.value, {**metric.labels, **labels})
