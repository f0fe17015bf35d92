"""What a payload may look like, and what is said of one that may not be."""

import gzip
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.folder import FolderObjects
from storage.series_key import SeriesKey
from workflows import points_payload
from workflows.context import StepContext
from workflows.errors import IngestRejectedError
from workflows.ingest import read_points
from workflows.points_rows import ValidPoints
from workflows.request import IngestRequest, PointsFormat
from workflows.settings import WorkflowSettings

SOURCE = "job.rank"
NOON_MS = 1_794_096_000_000 + 43_200_000  # 2026-11-08T12:00:00Z

Read = Callable[..., ValidPoints]
Found = dict[tuple[SeriesKey, int], float | None]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    objects = FolderObjects(tmp_path)
    context = StepContext(objects, WorkflowSettings(), lambda: 0)

    def read_(
        data: bytes | str,
        format_: PointsFormat = "json",
        timezone: str = "UTC",
        zipped: bool = False,
    ) -> ValidPoints:
        objects.put("ingest/i/payload", data.encode() if isinstance(data, str) else data)
        request = IngestRequest(
            job="i",
            source=SOURCE,
            timezone=timezone,
            sequence=1,
            payload="ingest/i/payload",
            format=format_,
            accepted_ms=0,
            gzip=zipped,
        )
        return read_points(context, request)

    return read_


def found(points: ValidPoints) -> Found:
    rows = points.rows
    return {
        (points.keys[number], ts_ms): None if math.isnan(value) else value
        for number, ts_ms, value in zip(
            rows.number.tolist(), rows.ts.tolist(), rows.value.tolist(), strict=True
        )
    }


def point(**changes: Any) -> dict[str, Any]:
    return {
        "metric": "ndcg",
        "labels": {"region": "jp"},
        "time": "2026-11-08T12:00:00Z",
        "value": 0.5,
    } | changes


def body(*points: Any) -> str:
    return json.dumps({"points": points})


def refusal(
    read: Read, data: bytes | str, format_: str = "json", **how: Any
) -> IngestRejectedError:
    with pytest.raises(IngestRejectedError) as caught:
        read(data, format_, **how)
    return caught.value


def said(error: IngestRejectedError) -> list[tuple[int, str]]:
    return [(row.row, row.column) for row in error.rows]


JP = SeriesKey.of(SOURCE, "ndcg", {"region": "jp"})


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def arrow_file(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def arrow_stream(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return sink.getvalue()


MOMENT = datetime(2026, 11, 8, 12, tzinfo=UTC)
TABLE = pa.table(
    {
        "metric": pa.array(["ndcg", "ndcg", "rows"]).dictionary_encode(),
        "time": pa.array([MOMENT, MOMENT, MOMENT], pa.timestamp("us", "Asia/Tokyo")),
        "value": pa.array([0.5, None, 7.0]),
        "region": pa.array(["jp", None, ""]),
        "shard": pa.array([1, 2, None], pa.int16()),
    }
)
IN_TABLE: Found = {
    (SeriesKey.of(SOURCE, "ndcg", {"region": "jp", "shard": "1"}), NOON_MS): 0.5,
    (SeriesKey.of(SOURCE, "ndcg", {"shard": "2"}), NOON_MS): None,
    (SeriesKey.of(SOURCE, "rows"), NOON_MS): 7.0,
}
CSV = "metric,time,value,region,shard\nndcg,2026-11-08T12:00:00Z,0.5,jp,1\n" + (
    "ndcg,2026-11-08T21:00:00+09:00,null,,2\n\nrows,2026-11-08T12:00:00.000Z,7,,\n"
)
NDJSON = "\n".join(
    json.dumps(p)
    for p in [
        point(labels={"region": "jp", "shard": "1"}),
        point(labels={"shard": "2"}, value=None),
        {"metric": "rows", "time": "2026-11-08T21:00:00+09:00", "value": 7},
    ]
)


@pytest.mark.parametrize(
    ("format_", "data"),
    [
        ("json", body(*(json.loads(line) for line in NDJSON.splitlines()))),
        ("ndjson", NDJSON),
        ("ndjson", f"\n{NDJSON}\n\n".replace("\n", "\r\n")),
        ("csv", CSV),
        ("csv", "\ufeff" + CSV.replace("\n", "\r\n")),
        ("parquet", parquet(TABLE)),
        ("arrow", arrow_file(TABLE)),
        ("arrow", arrow_stream(TABLE)),
    ],
)
def test_every_format_says_the_same_points(read: Read, format_: str, data: bytes | str) -> None:
    assert found(read(data, format_)) == IN_TABLE
    packed = gzip.compress(data.encode() if isinstance(data, str) else data)
    assert found(read(packed, format_, zipped=True)) == IN_TABLE


def test_points_come_sorted_by_series_and_time(read: Read) -> None:
    points = read(
        body(
            point(time="2026-11-09T00:00:00Z"),
            point(metric="a", time="2026-11-10T00:00:00Z"),
            point(time="2026-11-08T00:00:00Z"),
        )
    )
    rows = points.rows
    order = list(zip(rows.number.tolist(), rows.ts.tolist(), strict=True))
    assert order == sorted(order)
    assert [key.metric for key in points.keys] == ["a", "ndcg"]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-08T12:00:00Z", "2026-11-08T12:00:00"),
        ("2026-11-08t12:00:00z", "2026-11-08T12:00:00"),
        ("2026-11-08 12:00:00+00:00", "2026-11-08T12:00:00"),
        ("2026-11-08T12:00:00.123456789-03:30", "2026-11-08T15:30:00.123"),
        ("2026-11-08T12:00:00.9Z", "2026-11-08T12:00:00.9"),
    ],
)
def test_instants_keep_milliseconds(read: Read, text: str, utc: str) -> None:
    expected = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    ((_, ts_ms),) = found(read(body(point(time=text))))
    assert ts_ms == round(expected.timestamp() * 1000)


@pytest.mark.parametrize(
    ("zone", "day", "utc"),
    [
        ("UTC", "2026-11-08", "2026-11-08T00:00:00"),
        ("Asia/Tokyo", "2026-11-08", "2026-11-07T15:00:00"),
        ("Europe/Berlin", "2026-07-01", "2026-06-30T22:00:00"),
        # The clock went from 24:00 to 01:00: the day began at one.
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00"),
        # Midnight came twice: the first one counts.
        ("America/Havana", "2026-11-01", "2026-11-01T04:00:00"),
    ],
)
def test_a_local_date_is_the_first_instant_of_that_day(
    read: Read, zone: str, day: str, utc: str
) -> None:
    expected = int(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp() * 1000)
    assert {ts for _, ts in found(read(body(point(time=day)), timezone=zone))} == {expected}
    table = pa.table({"time": pa.array([date.fromisoformat(day)]), "value": [1.0]})
    assert {ts for _, ts in found(read(parquet(table), "parquet", zone))} == {expected}


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-08T12:00:00",  # no offset
        "2026-11-08 12:00",
        "2026-11-08T12:00Z",  # RFC 3339 wants seconds
        "2026-02-30",
        "2026-02-30T12:00:00Z",
        "2026-11-08T24:00:00Z",
        "2026-11-08T12:00:60Z",
        "2026-11-08T12:00:00+25:00",
        "08.11.2026",
        "1794096000",
        "",
        " 2026-11-08",
        "2026-11-08\n",
        "1026-11-08",
        "2226-11-08T00:00:00Z",
        "2026-11-08T12:00:00Z\ud800",
        "２０２６-11-08",
        1794096000,
        None,
        True,
        ["2026-11-08"],
    ],
)
def test_other_times_are_refused_with_their_row(read: Read, text: Any) -> None:
    error = refusal(read, body(point(), point(time=text, labels={})))
    assert said(error) == [(2, "time")]
    assert error.total == 1


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e999", '"1"', "true", "[]", "9" * 400]
)
def test_a_value_is_a_finite_number_or_null(read: Read, value: str) -> None:
    error = refusal(read, body(point(), point(value=0.125)).replace("0.125", value))
    assert said(error) == [(2, "value")]


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        ({"metric": ""}, "metric"),
        ({"metric": "x" * 201}, "metric"),
        ({"metric": "a\tb"}, "metric"),
        ({"metric": 1}, "metric"),
        ({"labels": None}, "labels"),
        ({"labels": {"region": 1}}, "labels"),
        ({"labels": {"1region": "jp"}}, "labels"),
        ({"labels": {"region": "a\0b"}}, "labels"),
        ({"labels": {"region": "\ud800"}}, "labels"),
        ({"unknown": 1}, "point"),
    ],
)
def test_metric_and_labels_follow_the_rules_of_series(
    read: Read, bad: dict[str, Any], column: str
) -> None:
    error = refusal(read, body(point(), point(**bad)))
    assert said(error) == [(2, column)]
    line = refusal(read, f"{json.dumps(point())}\n{json.dumps(point(**bad))}", "ndjson")
    assert said(line) == [(2, column)]


@pytest.mark.parametrize("shape", [1, None, [], "x", {"metric": "a", "value": 1}])
def test_a_point_of_another_shape_is_refused(read: Read, shape: Any) -> None:
    assert said(refusal(read, body(point(), shape))) == [(2, "point")]


@pytest.mark.parametrize(
    "data",
    ["", "{", "[]", "{}", '{"points": {}}', '{"points": [], "x": 1}', "[" * 100_000, b"\xff{}"],
)
def test_another_body_is_refused_as_a_whole(read: Read, data: str | bytes) -> None:
    assert said(refusal(read, data))[0][0] == 0


def test_spellings_of_one_series_are_one_series(read: Read) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    points = read(
        body(
            point(labels={"place": composed, "x": ""}),
            point(labels={"place": decomposed}, time="2026-11-09T00:00:00Z"),
        )
    )
    assert [key.labels for key in points.keys] == [(("place", composed),)]


def test_two_points_of_one_series_and_time_are_refused(read: Read) -> None:
    twin = point(labels={"region": "jp", "x": ""}, time="2026-11-08T21:00:00+09:00", value=1)
    error = refusal(read, body(point(), point(metric="other"), twin))
    assert said(error) == [(3, "time")]
    assert "row 1" in error.rows[0].message


def test_the_first_hundred_errors_are_listed_in_order_and_all_are_counted(read: Read) -> None:
    points = [point(value="x", time=f"2026-01-01T{n // 60:02}:{n % 60:02}:00Z") for n in range(150)]
    points[3]["time"] = "never"
    error = refusal(read, body(*points))
    assert error.total == 151
    assert len(error.rows) == 100
    assert said(error)[:6] == [
        (1, "value"), (2, "value"), (3, "value"), (4, "time"), (4, "value"), (5, "value"),
    ]  # fmt: skip
    assert said(error)[-1] == (99, "value")


def test_an_unreadable_line_costs_only_its_own_message(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.points_json.LINES_PER_BATCH", 2)
    lines = [json.dumps(point(time=f"2026-11-0{n}T00:00:00Z")) for n in range(1, 8)]
    lines[2], lines[5] = "{oops", json.dumps(point(value="x"))
    assert said(refusal(read, "\n".join(lines), "ndjson")) == [(3, "line"), (6, "value")]
    lines[2] = lines[5] = lines[6].replace("07T", "01T")
    error = refusal(read, "\n".join(lines), "ndjson")
    assert said(error) == [(3, "time"), (6, "time")]  # counted over the batches


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        ("time,value\n2026-11-08,\n", [(1, "value")]),
        ("time,value\n2026-11-08,1\n2026-11-09,nan\n", [(2, "value")]),
        ("time,value\n2026-11-08,1,5\n2026-11-09,2\n", [(1, "row")]),
        ("time,value,region\n2026-11-08,1,jp\n2026-11-09,2\n", [(2, "row")]),
        ("time,value\n2026-11-08T00:00:00,1\n", [(1, "time")]),
        ("time,value,metric\n2026-11-08,1,\n", [(1, "metric")]),
        ("time,value,a b\n2026-11-08,1,x\n", [(0, "a b")]),
        ("time,value,a,a\n2026-11-08,1,x,y\n", [(0, "a")]),
        ("time,metric\n2026-11-08,1\n", [(0, "value")]),
        ("when,value\n2026-11-08,1\n", [(0, "time")]),
        ("", [(0, "time")]),
        (b"time,value\xff\n", [(0, "value\ufffd")]),
        (b"time,value,x\n2026-11-08,1,\xff\n", [(0, "")]),
    ],
)
def test_a_csv_that_is_not_allowed_names_row_and_column(
    read: Read, data: str | bytes, wrong: list[tuple[int, str]]
) -> None:
    assert said(refusal(read, data, "csv")) == wrong


def test_a_csv_without_metric_is_one_metric_called_value(read: Read) -> None:
    points = read('value,time,note\n1,2026-11-08,"a ""b"",\nc"\n', "csv")
    assert found(points) == {
        (SeriesKey.of(SOURCE, "value", {"note": 'a "b",\nc'}), 1_794_096_000_000): 1.0
    }


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("time", pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("ms"))),
        ("time", pa.array([1_794_096_000])),
        ("value", pa.array(["1,5"])),
        ("value", pa.array([True])),
        ("value", pa.array([math.inf])),
        ("metric", pa.array([1])),
        ("region", pa.array([0.1])),
        ("region", pa.array([["a"]])),
        ("labels", pa.array([{"x": 1.5}])),
        ("labels", pa.array([[("x", "1"), ("x", "2")]], pa.map_(pa.string(), pa.string()))),
        ("labels", pa.array([[("x", 1)]], pa.map_(pa.string(), pa.int32()))),
    ],
)
def test_a_column_of_another_type_is_refused(read: Read, column: str, cells: pa.Array) -> None:
    columns = {"time": pa.array([MOMENT]), "value": pa.array([1.0])} | {column: cells}
    error = refusal(read, parquet(pa.table(columns)), "parquet")
    assert error.rows[0].column in (column, "x")


@pytest.mark.parametrize(
    "labels",
    [
        pa.array([[("a", "1"), ("b", "x")], [("b", "x"), ("a", "1")], None, [("a", None)]],
                 pa.map_(pa.string(), pa.string())),
        pa.array([{"a": 1, "b": "x"}, {"a": 1, "b": "x"}, None, {"a": None, "b": ""}]),
    ],
)  # fmt: skip
def test_labels_may_be_a_map_or_a_structure(read: Read, labels: pa.Array) -> None:
    times = pa.array([f"2026-11-0{n}" for n in range(1, 5)])
    table = pa.table({"time": times, "value": [1, 2, 3, 4], "labels": labels})
    series = {1: "a,b", 2: "a,b", 3: "", 4: ""}
    for data in (table, table.slice(1), pa.concat_tables([table[:1], table[1:]])):
        points = found(read(arrow_file(data), "arrow"))
        names = {
            int(value or 0): ",".join(n for n, _ in key.labels)
            for (key, _), value in points.items()
        }
        assert names == {n: series[n] for n in names}
        assert len(names) == len(data)


def test_files_that_are_none_are_refused(read: Read) -> None:
    for format_ in ("parquet", "arrow"):
        assert said(refusal(read, b"PAR1 not really", format_))[0][0] == 0
        assert said(refusal(read, b"", format_))[0][0] == 0
    whole = parquet(TABLE)
    assert said(refusal(read, whole[: len(whole) // 2], "parquet"))[0][0] == 0
    stream = arrow_stream(TABLE)
    assert said(refusal(read, stream[: len(stream) // 2], "arrow"))[0][0] == 0


def test_a_bomb_is_refused_before_it_fills_the_disk(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(points_payload, "FREE_BYTES", 1 << 20)
    bomb = gzip.compress(b" " * (20 << 20))
    assert "MiB" in str(refusal(read, bomb, "csv", zipped=True))
    assert "gzip" in str(refusal(read, body(point()), zipped=True))
    assert "gzip" in str(refusal(read, gzip.compress(body(point()).encode())[:-9], zipped=True))
    monkeypatch.setattr(points_payload, "MAX_POINTS", 2)
    assert "points" in str(refusal(read, parquet(TABLE), "parquet"))
    assert "points" in str(refusal(read, NDJSON, "ndjson"))


@pytest.mark.parametrize(
    ("format_", "data"),
    [
        ("json", body()),
        ("ndjson", ""),
        ("csv", "time,value\n"),
        ("csv", "time,value"),
        ("parquet", parquet(TABLE[:0])),
        ("arrow", arrow_stream(TABLE[:0])),
    ],
)
def test_nothing_is_a_payload_too(read: Read, format_: str, data: bytes | str) -> None:
    assert len(read(data, format_)) == 0


metrics = st.text(min_size=1, max_size=8).filter(str.isprintable)
names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,5}", fullmatch=True)
# A reader of CSV takes a lone carriage return in a cell as it is, and writers differ.
values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=6)
keys = st.builds(
    lambda metric, labels: SeriesKey.of(SOURCE, metric, labels),
    metrics,
    st.dictionaries(
        names.filter(lambda n: n not in ("metric", "time", "value", "labels")), values, max_size=3
    ),
)
points_strategy = st.dictionaries(
    st.tuples(keys, st.integers(0, 4_000_000_000_000)),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    max_size=12,
)


def rows_of(points: Found) -> list[dict[str, Any]]:
    return [
        {
            "metric": key.metric,
            "labels": dict(key.labels),
            "time": datetime.fromtimestamp(ts / 1000, UTC).isoformat(timespec="milliseconds"),
            "value": value,
        }
        for (key, ts), value in points.items()
    ]


def csv_of(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Written by another writer than the one that reads."""
    import csv

    label_names = sorted({name for row in rows for name in row["labels"]})
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["metric", "time", "value", *label_names])
    for row in rows:
        value = "null" if row["value"] is None else repr(row["value"])
        cells = [row["labels"].get(name, "") for name in label_names]
        writer.writerow([row["metric"], row["time"], value, *cells])
    return sink.getvalue().encode()


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    times = [datetime.fromisoformat(row["time"]) for row in rows]
    return pa.table(
        {
            "metric": pa.array([row["metric"] for row in rows], pa.string()),
            "labels": pa.array(
                [list(row["labels"].items()) for row in rows], pa.map_(pa.string(), pa.string())
            ),
            "time": pa.array(times, pa.timestamp("ns", "UTC")),
            "value": pa.array([row["value"] for row in rows], pa.float64()),
        }
    )


@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(points=points_strategy)
def test_what_is_written_is_read_whatever_the_format(read: Read, points: Found) -> None:
    rows = rows_of(points)
    assert found(read(body(*rows))) == points
    assert found(read("\n".join(json.dumps(row) for row in rows), "ndjson")) == points
    assert found(read(csv_of(rows), "csv")) == points
    assert found(read(parquet(table_of(rows)), "parquet")) == points
    assert found(read(arrow_stream(table_of(rows)), "arrow")) == points


def test_a_million_rows_of_columns_are_read(read: Read) -> None:
    n = 1_000_000
    series, step = np.arange(n) % 1000, np.arange(n) // 1000
    table = pa.table(
        {
            "time": pa.array(step * 60_000, pa.timestamp("ms", "UTC")),
            "value": pa.array(np.random.default_rng(1).normal(size=n)),
            "shard": pa.array(series),
        }
    )
    sink = io.BytesIO()
    texts = table.set_column(0, "time", table["time"].cast(pa.string()))
    pacsv.write_csv(texts.slice(0, 200_000), sink)
    assert len(read(parquet(table), "parquet")) == n
    assert len(read(sink.getvalue(), "csv").keys) == 1000


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_csv_with_another_separator_is_told_so(read: Read, separator: str) -> None:
    error = refusal(read, f"time{separator}value\n2026-11-08{separator}1\n", "csv")
    assert "columns end with commas" in str(error)
