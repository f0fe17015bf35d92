"""What a run could not judge, read from its commits while they are kept."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from service.report.facts import Lack, Lacking, LackingSeries
from storage.errors import StorageError
from storage.objects import Objects
from workflows.chunk import Plan, read_chunk, read_plan
from workflows.commits import Commit
from workflows.errors import WorkflowError
from workflows.published import PlannedKeys

MOST_NAMED = 20
_COLUMNS = ("number", "points", "no_data", "insufficient_history", "ready_at", "error")
_GONE = "Which series these are was kept for a week and is gone."


def read_lacking(objects: Objects, run: str) -> Lacking:
    """Series without verdicts by why; only the run's own numbers are left after a week."""
    try:
        planned = read_plan(objects, run)
        if planned is None:
            return Lacking(unread=_GONE)
        return _lacking(objects, run, *planned)
    except (StorageError, WorkflowError) as error:
        return Lacking(unread=f"Which series these are cannot be read now: {error}")


def _lacking(objects: Objects, run: str, plan: Plan, commit: Commit) -> Lacking:
    tables = list(_tables(objects, run, plan))
    if not tables:
        return Lacking(unread=_GONE)
    rows = pa.concat_tables(tables)
    failed = pc.is_valid(rows["error"])
    absent = pc.and_(pc.invert(failed), pc.equal(rows["points"], 0))
    short = pc.and_(pc.invert(failed), pc.is_valid(rows["ready_at"]))
    gaps = pc.and_(pc.greater(rows["points"], 0), pc.greater(rows["no_data"], 0))
    keys = PlannedKeys(objects, plan, commit)
    return Lacking(
        short=_lack(keys, rows.filter(short), ("ready_at", "descending")),
        absent=_lack(keys, rows.filter(absent), ("number", "ascending")),
        gaps=_lack(keys, rows.filter(gaps), ("no_data", "descending")),
        failed=_lack(keys, rows.filter(failed), ("number", "ascending")),
    )


def _lack(keys: PlannedKeys, rows: pa.Table, order: tuple[str, str]) -> Lack:
    first = rows.sort_by([order, ("number", "ascending")]).slice(0, MOST_NAMED)
    return Lack(len(rows), tuple(_named(keys, first.to_pylist())))


def _tables(objects: Objects, run: str, plan: Plan) -> Iterator[pa.Table]:
    for chunk in plan.chunks:
        found = read_chunk(objects, run, chunk.number)
        if found is not None:
            record, commit = found
            path = commit.path(objects, record.series)
            yield pq.read_table(path, columns=list(_COLUMNS))


def _named(keys: PlannedKeys, rows: Sequence[dict[str, Any]]) -> Iterator[LackingSeries]:
    series = keys.series([row["number"] for row in rows])
    for row, one in zip(rows, series, strict=True):
        yield LackingSeries(
            name=one.name,
            points=row["points"],
            missing=row["no_data"],
            too_early=row["insufficient_history"],
            ready_at_ms=row["ready_at"],
            error=row["error"],
        )


def count_labels(objects: Objects, run: str) -> tuple[int, Counter[tuple[str, str]]]:
    """How many series a run looked at, and how many have each value of a label; none after a
    week."""
    try:
        planned = read_plan(objects, run)
        if planned is None or planned[0].keys is None:
            return 0, Counter()
        plan, commit = planned
        keys = pq.read_table(commit.path(objects, planned[0].keys), columns=["labels"])
    except (StorageError, WorkflowError):
        return 0, Counter()
    labels = keys.column("labels").combine_chunks()
    pairs = pa.table({"label": labels.keys, "value": labels.items})
    counted = pairs.group_by(["label", "value"]).aggregate([([], "count_all")]).to_pylist()
    return plan.series, Counter({(row["label"], row["value"]): row["count_all"] for row in counted})
