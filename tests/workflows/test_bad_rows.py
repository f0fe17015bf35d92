"""Rows at fault in every format: the first hundred by row and column, all of them counted."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.workflows.world import World
from workflows.errors import IngestRejectedError
from workflows.ingest import ingest
from workflows.request import IngestRequest, PointsFormat

ROWS, BAD = 1_000, 250
FIRST = datetime(2026, 1, 1, tzinfo=UTC)

Row = dict[str, Any]


def rows(odd: object) -> list[Row]:
    """Every fourth value is at fault, and one time."""
    made = [
        {"metric": "m", "region": "jp", "time": FIRST + timedelta(minutes=n), "value": float(n)}
        for n in range(ROWS)
    ]
    for number in range(3, ROWS, 4):
        made[number]["value"] = odd
    return made


def as_points(odd: object, late: str = "soon") -> list[Row]:
    made = [
        {**row, "time": row["time"].isoformat(), "labels": {"region": row.pop("region")}}
        for row in rows(odd)
    ]
    for row in made:
        row.pop("region", None)
    made[4]["time"] = late
    return made


def json_() -> bytes:
    return json.dumps({"points": as_points("high")}).encode()


def ndjson() -> bytes:
    return "\n".join(json.dumps(row) for row in as_points("high")).encode()


def csv_() -> bytes:
    made = io.StringIO()
    writer = csv.DictWriter(made, ["metric", "region", "time", "value"])
    writer.writeheader()
    for number, row in enumerate(rows("high")):
        writer.writerow({**row, "time": "soon" if number == 4 else row["time"].isoformat()})
    return made.getvalue().encode()


def parquet() -> bytes:
    made = rows(float("inf"))
    table = pa.Table.from_pylist(made)
    times = [None if number == 4 else row["time"] for number, row in enumerate(made)]
    table = table.set_column(
        table.column_names.index("time"), "time", pa.array(times, pa.timestamp("ms", "UTC"))
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=100)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("format_", "make", "found"),
    [
        ("json", json_, 'is "high"'),
        ("ndjson", ndjson, 'is "high"'),
        ("csv", csv_, "'high'"),
        ("parquet", parquet, "is inf"),
    ],
)
def test_the_first_hundred_are_named_and_all_are_counted(
    world: World, format_: PointsFormat, make: Callable[[], bytes], found: str
) -> None:
    world.stores.objects.put("ingest/bad/payload", make())
    request = IngestRequest("bad", "s", "UTC", 1, "ingest/bad/payload", format_, 0)
    with pytest.raises(IngestRejectedError) as refused:
        ingest(world.context(), request)
    told = refused.value.rows
    assert refused.value.total == BAD + 1
    assert f"and {BAD:,} more" in str(refused.value)
    assert [(one.row, one.column) for one in told[:3]] == [(4, "value"), (5, "time"), (8, "value")]
    assert len(told) == 100
    assert (told[99].row, told[99].column) == (99 * 4, "value")
    assert told[0].message.startswith(found)
    for one in told:
        assert "allowed" in one.message, one
    assert list(world.stores.index.series("s").items) == []
