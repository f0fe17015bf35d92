"""Points as charts keep them: one document for each series and UTC day."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from storage.batches import batches
from storage.index import Index, PointsDay
from storage.local_time import DAY_MS

DOCUMENTS_PER_LOOK = 1_000


@dataclass(frozen=True, eq=False)
class PointRows:
    """Points sorted by (number, ts), one for each; NaN is a tombstone."""

    number: npt.NDArray[np.int32]
    ts: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]

    @property
    def day(self) -> npt.NDArray[np.int64]:
        """UTC days since 1970."""
        return self.ts // DAY_MS

    def where(self, rows: "slice | npt.NDArray[np.bool_]") -> "PointRows":
        """Some of the rows."""
        return PointRows(self.number[rows], self.ts[rows], self.value[rows])


@lru_cache(maxsize=10_000)
def day_name(day: int) -> str:
    """A UTC day counted from 1970 as YYYY-MM-DD."""
    return datetime.fromtimestamp(day * DAY_MS // 1000, UTC).date().isoformat()


def day_start_ms(name: str) -> int:
    """The first millisecond of a UTC day."""
    return int(datetime.fromisoformat(name).replace(tzinfo=UTC).timestamp()) * 1000


def point_days(
    source: str,
    ids: Mapping[int, str],
    rows: PointRows,
    sequence: Callable[[str, str], int],
) -> Iterator[PointsDay]:
    """The documents of these rows; ``sequence`` gives the version of one by series and day."""
    day = rows.day
    cuts = np.flatnonzero((np.diff(rows.number) != 0) | (np.diff(day) != 0)) + 1
    bounds = [0, *cuts.tolist(), len(day)] if len(day) else []
    ts, values, known = rows.ts.tolist(), rows.value.tolist(), np.isfinite(rows.value)
    for begin, end in pairwise(bounds):
        series, name = ids[int(rows.number[begin])], day_name(int(day[begin]))
        some: list[float | None] = values[begin:end]
        if not known[begin:end].all():
            some = [v if k else None for v, k in zip(some, known[begin:end], strict=True)]
        yield PointsDay(source, series, name, ts[begin:end], some, sequence(series, name))


def merged(
    index: Index, days: Iterable[PointsDay], start_ms: int, end_ms: int
) -> Iterator[PointsDay]:
    """Documents of [start, end) with what is stored of the same days outside of the range.

    Local days end in the middle of UTC days: a run that read one part must not lose the other.
    """
    edges = {day_name(ms // DAY_MS) for ms in (start_ms, end_ms) if ms % DAY_MS}
    for some in batches(days, DOCUMENTS_PER_LOOK):
        stored = {}
        for edge in edges:
            at_edge = [day.series for day in some if day.day == edge]
            begin = day_start_ms(edge)
            for day in index.points(some[0].source, at_edge, begin, begin + DAY_MS):
                stored[day.series, day.day] = day
        for day in some:
            old = stored.get((day.series, day.day))
            yield _with_outside(day, old, start_ms, end_ms) if old else day


def _with_outside(day: PointsDay, old: PointsDay, start_ms: int, end_ms: int) -> PointsDay:
    points = dict(zip(day.ts_ms, day.values, strict=True))
    for ts_ms, value in zip(old.ts_ms, old.values, strict=True):
        if not start_ms <= ts_ms < end_ms:
            points[ts_ms] = value
    ordered = sorted(points)
    return replace(day, ts_ms=ordered, values=[points[ts_ms] for ts_ms in ordered])
