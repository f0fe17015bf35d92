"""What became of each series of a run, by page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.objects import Objects
from workflows.chunk import read_chunk, read_plan
from workflows.commits import PUBLISH, is_cancelled, read_commit, run_root
from workflows.published import PlannedKeys, PlannedSeries, Published


@dataclass(frozen=True)
class SeriesOutcome:
    """One series: rows of its results by what they say, or why it failed."""

    series: str  # id
    name: str  # as written: metric{labels}
    metric: str
    labels: Mapping[str, str]
    points: int  # in the range, without tombstones
    judged: int
    anomalous: int
    no_data: int
    insufficient_history: int
    ready_at_ms: int | None  # when its newest slot can be judged, if it could not
    error: str | None
    done: bool  # whether its chunk has a result (that the run used, once it is published)


@dataclass(frozen=True)
class SeriesOutcomes:
    """One page, in the order of metric and series; ``next`` is the offset of the next one."""

    items: Sequence[SeriesOutcome]
    next: int | None


def read_series_outcomes(
    objects: Objects, run: str, offset: int = 0, limit: int = 1000
) -> SeriesOutcomes:
    """Outcomes of a run's series from ``offset`` on; empty before there is a plan."""
    found = read_plan(objects, run)
    if found is None:
        return SeriesOutcomes((), None)
    keys = PlannedKeys(objects, *found)
    end = min(offset + limit, len(keys))
    used = used_chunks(objects, run)
    series = keys.series(range(offset, end))
    rows: dict[int, dict[str, Any]] = {}
    for chunk in sorted({item.chunk for item in series}):
        if used is None or chunk in used:
            rows.update(_rows(objects, run, chunk, offset, end))
    items = tuple(_outcome(item, rows.get(item.number)) for item in series)
    return SeriesOutcomes(items, end if end < len(keys) else None)


def used_chunks(objects: Objects, run: str) -> frozenset[int] | None:
    """What publish used; None while it has not committed."""
    commit = read_commit(objects, f"{run_root(run)}/{PUBLISH}")
    if commit is None or is_cancelled(commit):
        return None
    return frozenset(used.chunk for used in commit.read(Published).chunks)


def _rows(
    objects: Objects, run: str, chunk: int, first: int, end: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    found = read_chunk(objects, run, chunk)
    if found is None:
        return
    record, commit = found
    table = pq.read_table(commit.path(objects, record.series))
    numbers = table.column("number")
    wanted = pc.and_(pc.greater_equal(numbers, first), pc.less(numbers, end))
    for row in table.filter(wanted).to_pylist():
        yield row["number"], row


def _outcome(series: PlannedSeries, row: dict[str, Any] | None) -> SeriesOutcome:
    row = row or {}
    return SeriesOutcome(
        series=series.id,
        name=series.name,
        metric=series.metric,
        labels=series.labels,
        points=row.get("points", 0),
        judged=row.get("judged", 0),
        anomalous=row.get("anomalous", 0),
        no_data=row.get("no_data", 0),
        insufficient_history=row.get("insufficient_history", 0),
        ready_at_ms=row.get("ready_at"),
        error=row.get("error"),
        done=bool(row),
    )
