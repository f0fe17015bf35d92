"""Somebody else's Parquet tables read as points, against plain Python."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.archive import Archive
from storage.errors import CorruptError, InvalidError, NotFoundError, StorageError
from storage.selector import Selector
from storage.series_key import SeriesKey
from storage.source import ExternalMapping, PartitionColumn, SourceSpec, TimeColumns
from storage.stores import open_archive
from tests.storage.implementations import settings
from tests.storage.points import DAY_MS, START_MS, rows_of

ALL = Selector((), -(10**14), 10**14)
AT = TimeColumns(("at",), "epoch_ms")
SIMPLE = ExternalMapping("warehouse", "t", AT, value_column="v")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    (tmp_path / "warehouse").mkdir()
    opened = open_archive(settings(tmp_path))
    yield opened
    opened.close()


def write(tmp_path: Path, name: str, columns: dict[str, Any]) -> Path:
    """One Parquet file of a table in the warehouse."""
    file = tmp_path / "warehouse" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), file)
    return file


def source(mapping: ExternalMapping, timezone: str = "UTC") -> SourceSpec:
    return SourceSpec("ext", timezone, mapping)


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def local_midnight(day: date, zone: str) -> int:
    """The first instant whose local date is ``day``."""
    tz = ZoneInfo(zone)
    instant = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    while instant.astimezone(tz).date() != day:
        instant += timedelta(minutes=15)
    return round(instant.timestamp() * 1000)


# Times

TOKYO = "2026-01-02T03:04:05+09:00"


@pytest.mark.parametrize(
    ("columns", "time", "expected"),
    [
        ({"at": [1_767_290_645]}, TimeColumns(("at",), "epoch_s"), "2026-01-01T18:04:05+00:00"),
        ({"at": pa.array([1_767_290_645], pa.int32())}, TimeColumns(("at",), "epoch_s"),
         "2026-01-01T18:04:05+00:00"),
        ({"at": [1_767_290_645.25]}, TimeColumns(("at",), "epoch_s"),
         "2026-01-01T18:04:05.250+00:00"),
        ({"at": [1_767_290_645_001]}, AT, "2026-01-01T18:04:05.001+00:00"),
        ({"at": [datetime(2026, 1, 2, 3, 4, 5)]},  # noqa: DTZ001
         TimeColumns(("at",), "timestamp"), "2026-01-02T03:04:05+00:00"),
        ({"at": [datetime.fromisoformat(TOKYO)]}, TimeColumns(("at",), "timestamp"), TOKYO),
        ({"at": pa.array([1_767_290_645_123_456_789], pa.timestamp("ns"))},
         TimeColumns(("at",), "timestamp"), "2026-01-01T18:04:05.123+00:00"),
        ({"at": [date(2026, 1, 2)]}, TimeColumns(("at",), "date"), "2026-01-02T00:00:00+09:00"),
        ({"at": ["20260102"]}, TimeColumns(("at",), "string", "%Y%m%d"),
         "2026-01-02T00:00:00+09:00"),
        ({"at": [20260102]}, TimeColumns(("at",), "string", "%Y%m%d"),
         "2026-01-02T00:00:00+09:00"),
        ({"at": ["2026-01-02"], "hour": [7]}, TimeColumns(("at", "hour"), "string", "%Y-%m-%d %H"),
         "2026-01-02T07:00:00+09:00"),
        ({"at": ["2026-01-02 03:04:05 -0500"]},
         TimeColumns(("at",), "string", "%Y-%m-%d %H:%M:%S %z"), "2026-01-02T03:04:05-05:00"),
    ],
)  # fmt: skip
def test_every_kind_of_time(
    archive: Archive, tmp_path: Path, columns: dict[str, Any], time: TimeColumns, expected: str
) -> None:
    write(tmp_path, "t/a.parquet", columns | {"v": [1.5]})
    spec = source(replace(SIMPLE, time=time), "Asia/Tokyo")
    ts = ms(expected)
    assert rows_of(archive.scan(spec, ALL)) == [("v", ts, 1.5)]
    assert rows_of(archive.scan(spec, Selector((), ts, ts + 1))) == [("v", ts, 1.5)]
    assert archive.scan(spec, Selector((), ts + 1, ts + 10**9)).keys == ()
    assert archive.scan(spec, Selector((), ts - 10**9, ts)).keys == ()


@pytest.mark.parametrize(
    ("zone", "first"),
    [("America/Sao_Paulo", date(2018, 10, 25)), ("Europe/Berlin", date(2026, 3, 25)),
     ("Africa/Cairo", date(2026, 4, 20)), ("Asia/Kathmandu", date(2026, 1, 1))],
)  # fmt: skip
def test_dates_are_local_midnights_also_where_clocks_change(
    archive: Archive, tmp_path: Path, zone: str, first: date
) -> None:
    days = [first + timedelta(days=n) for n in range(14)]
    for day in days:
        write(tmp_path, f"t/dt={day:%Y%m%d}/a", {"day": [day], "v": [float(day.day)]})
    mapping = replace(
        SIMPLE,
        time=TimeColumns(("day",), "date"),
        partitions=(PartitionColumn("dt", "%Y%m%d"),),
    )
    spec = source(mapping, zone)
    expected = [("v", local_midnight(day, zone), float(day.day)) for day in days]
    assert rows_of(archive.scan(spec, ALL)) == expected
    for n in range(13):
        start, end = expected[n][1], expected[n + 1][1]
        assert rows_of(archive.scan(spec, Selector((), start, end))) == [expected[n]]
        assert rows_of(archive.scan(spec, Selector((), start + 1, end + 1))) == [expected[n + 1]]


# Shapes


def test_a_long_table_with_every_type_of_label(archive: Archive, tmp_path: Path) -> None:
    columns = {
        "at": [1, 1, 2, 3, 4, 5],
        "name": ["a", "b", "a", None, "", "a"],
        "v": pa.array([1, 2, 3, 4, 5, 6], pa.int16()),
        "region": ["jp", None, "", "jp", "jp", "e\u0301"],
        "model": pa.array([7, None, -7, 1, 1, 1], pa.int8()),
        "test": [True, False, None, True, True, True],
        "born": [date(2026, 1, 2), None, None, None, None, date(1, 1, 1)],
    }
    write(tmp_path, "t/a.parquet", columns)
    labels = ("region", "model", "test", "born")
    spec = source(replace(SIMPLE, metric_column="name", label_columns=labels))
    assert sorted(rows_of(archive.scan(spec, ALL))) == [
        ('a{born="0001-01-01",model="1",region="é",test="true"}', 5, 6.0),
        ('a{born="2026-01-02",model="7",region="jp",test="true"}', 1, 1.0),
        ('a{model="-7"}', 2, 3.0),
        ('b{test="false"}', 1, 2.0),
    ]
    wanted = Selector(("a",), 0, 10, {"model": ("7", "-7"), "region": None})
    assert [str(key) for key in archive.series(spec, wanted)] == ['a{model="-7"}']
    nothing = Selector((), 0, 10, {"other": ("x",)})
    assert archive.scan(spec, nothing).keys == ()


def test_two_spellings_of_one_series_are_one_series(archive: Archive, tmp_path: Path) -> None:
    """NFC and NFD of a label, in two rows of one time: one point, one duplicate."""
    write(tmp_path, "t/a.parquet",
          {"at": [1, 1, 2], "v": [1.0, 2.0, 3.0], "l": ["é", "e\u0301", "e\u0301"]})  # fmt: skip
    scan = archive.scan(source(replace(SIMPLE, label_columns=("l",))), ALL)
    assert (len(scan.keys), list(scan.counts)) == (1, [3])
    assert rows_of(scan) == [('v{l="é"}', 1, 2.0), ('v{l="é"}', 2, 3.0)]
    assert scan.duplicates.rows == 1


def test_a_wide_table_has_a_metric_per_column(archive: Archive, tmp_path: Path) -> None:
    columns = {"at": [1, 2], "ndcg": [0.5, None], "recall": [1, 2], "l": ["x", "y"]}
    write(tmp_path, "t/a.parquet", columns)
    mapping = replace(
        SIMPLE, value_column=None, value_columns=("ndcg", "recall"), label_columns=("l",)
    )
    assert sorted(rows_of(archive.scan(source(mapping), ALL))) == [
        ('ndcg{l="x"}', 1, 0.5),
        ('ndcg{l="y"}', 2, None),
        ('recall{l="x"}', 1, 1.0),
        ('recall{l="y"}', 2, 2.0),
    ]
    some = Selector(("r*",), 0, 10, {"l": ("!x",)})
    assert [str(key) for key in archive.series(source(mapping), some)] == ['recall{l="y"}']
    assert archive.scan(source(mapping), Selector(("zz",), 0, 10)).keys == ()


def test_the_metric_may_be_said_by_the_mapping(archive: Archive, tmp_path: Path) -> None:
    write(tmp_path, "t/a.parquet", {"at": [1], "v": [1.0]})
    assert rows_of(archive.scan(source(replace(SIMPLE, metric="it's")), ALL)) == [("it's", 1, 1.0)]


def test_values_that_are_no_finite_numbers_are_null(archive: Archive, tmp_path: Path) -> None:
    values = [float("nan"), float("inf"), float("-inf"), None, 1.7976931348623157e308]
    write(tmp_path, "t/a.parquet", {"at": [1, 2, 3, 4, 5], "v": values})
    found = [value for _, _, value in rows_of(archive.scan(source(SIMPLE), ALL))]
    assert found == [None, None, None, None, 1.7976931348623157e308]


def test_columns_added_later_are_null_before(archive: Archive, tmp_path: Path) -> None:
    write(tmp_path, "t/dt=1/a", {"at": [1], "v": [1.0]})
    write(tmp_path, "t/dt=2/a", {"at": [2], "v": [2.0], "region": ["jp"]})
    spec = source(replace(SIMPLE, label_columns=("region",)))
    assert sorted(rows_of(archive.scan(spec, ALL))) == [("v", 1, 1.0), ('v{region="jp"}', 2, 2.0)]


# Duplicates


@pytest.mark.parametrize("ordered", [False, True])
def test_duplicates_are_resolved_and_counted(
    archive: Archive, tmp_path: Path, ordered: bool
) -> None:
    """With an ordering column its largest value wins, else the larger value; null loses."""
    draw = random.Random(3)
    rows = [
        (draw.choice("abc"), draw.randrange(40), draw.choice([None, 1.0, 2.5, -3.0]), number)
        for number in range(400)
    ]
    draw.shuffle(rows)
    names = ("l", "at", "v", "loaded")
    for part in range(3):
        columns = {n: [row[i] for row in rows[part::3]] for i, n in enumerate(names)}
        write(tmp_path, f"t/{part}.parquet", columns)
    best: dict[tuple[str, int], tuple[int, float]] = {}
    values: dict[tuple[str, int], float | None] = {}
    for label, at, value, loaded in rows:
        rank = (loaded if ordered else 0, float("-inf") if value is None else value)
        if (label, at) not in best or rank > best[label, at]:
            best[label, at], values[label, at] = rank, value
    mapping = replace(SIMPLE, label_columns=("l",), ordering_column="loaded" if ordered else None)
    scan = archive.scan(source(mapping), ALL)
    found = {(series[5:-2], ts): value for series, ts, value in rows_of(scan)}
    assert [key.id for key in scan.keys] == sorted(key.id for key in scan.keys)
    assert found == values
    assert scan.duplicates.rows == 400 - len(values)


# Partitions and conditions


def test_partitions_outside_the_range_are_never_opened(archive: Archive, tmp_path: Path) -> None:
    for day in range(1, 6):
        write(tmp_path, f"t/dt=2026-01-0{day}/000000_0",
              {"at": [START_MS + (day - 1) * DAY_MS], "v": [float(day)]})  # fmt: skip
    for day in (1, 5):
        (tmp_path / f"warehouse/t/dt=2026-01-0{day}/000000_0").write_bytes(b"no Parquet")
    spec = source(replace(SIMPLE, partitions=(PartitionColumn("dt"),)))
    selector = Selector((), START_MS + DAY_MS, START_MS + 4 * DAY_MS)
    assert [value for _, _, value in rows_of(archive.scan(spec, selector))] == [2.0, 3.0, 4.0]
    with pytest.raises(CorruptError, match=r"2026-01-0[15]"):
        archive.scan(spec, Selector((), START_MS, START_MS + 5 * DAY_MS))
    far = Selector((), START_MS + 50 * DAY_MS, START_MS + 51 * DAY_MS)
    (tmp_path / "warehouse/t/dt=2026-01-05/000000_0").unlink()
    assert archive.scan(spec, far).keys == ()


@pytest.mark.parametrize("zero", ["0", ""], ids=["month=01", "month=1"])
def test_year_month_day_partitions_prune_together(
    archive: Archive, tmp_path: Path, zero: str
) -> None:
    days = [date(2025, 12, 30) + timedelta(days=n) for n in range(40)]
    for day in days:
        month, number = f"{day.month:{zero}2}".strip(), f"{day.day:{zero}2}".strip()
        name = f"t/y={day:%Y}/m={month}/d={number}/part-0.snappy.parquet"
        write(tmp_path, name, {"day": [day], "v": [1.0]})
    mapping = replace(
        SIMPLE,
        time=TimeColumns(("day",), "date"),
        partitions=(
            PartitionColumn("y", "%Y"), PartitionColumn("m", "%m"), PartitionColumn("d", "%d"),
        ),
    )  # fmt: skip
    spec = source(mapping, "Asia/Tokyo")
    for first, last in ((0, 40), (1, 3), (2, 36), (30, 31)):
        start, end = (local_midnight(days[0] + timedelta(days=n), "Asia/Tokyo")
                      for n in (first, last))  # fmt: skip
        assert len(rows_of(archive.scan(spec, Selector((), start, end)))) == last - first


def test_a_partition_may_be_time_label_and_condition(archive: Archive, tmp_path: Path) -> None:
    for region in ("jp", "us", "0123", "__HIVE_DEFAULT_PARTITION__"):
        for day in ("20260101", "20260102"):
            write(tmp_path, f"t/dt={day}/region={region}/a", {"v": [1.0]})
    mapping = replace(
        SIMPLE,
        time=TimeColumns(("dt",), "string", "%Y%m%d"),
        label_columns=("region",),
        partitions=(PartitionColumn("dt", "%Y%m%d"),),
        where="region is null or region <> 'us'",
    )
    first = Selector((), START_MS, START_MS + DAY_MS)
    found = sorted(str(key) for key in archive.series(source(mapping), first))
    assert found == ["v", 'v{region="0123"}', 'v{region="jp"}']


def test_other_files_beside_the_data_are_ignored(archive: Archive, tmp_path: Path) -> None:
    write(tmp_path, "t/a.parquet", {"at": [1], "v": [1.0]})
    write(tmp_path, "t/_temporary/b.parquet", {"at": [2], "v": [1.0]})
    for name in ("_SUCCESS", ".a.parquet.crc", "notes.txt"):
        (tmp_path / "warehouse/t" / name).write_bytes(b"x")
    assert len(rows_of(archive.scan(source(SIMPLE), ALL))) == 1


def test_names_with_letters_of_patterns_and_quotes(archive: Archive, tmp_path: Path) -> None:
    """Each file is read once, although the name of one is a pattern that others match."""
    for number, name in enumerate(("a*'.parquet", "ab'.parquet", "a[b]'.parquet")):
        write(tmp_path, f"t/l=o'h/{name}", {"at": [number], "v": [1.0]})
    write(tmp_path, "t/l=[ab]*%3F/a.parquet", {"at": [7], "v": [1.0]})
    scan = archive.scan(source(replace(SIMPLE, label_columns=("l",))), ALL)
    assert sorted(rows_of(scan)) == [
        ('v{l="[ab]*?"}', 7, 1.0),
        *(('v{l="o\'h"}', number, 1.0) for number in range(3)),
    ]
    assert scan.duplicates.rows == 0


# Refusals


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"connection": "nobody"}, NotFoundError, "nobody.*known are: warehouse"),
        ({"table": "absent"}, NotFoundError, "absent"),
        ({"table": "../archive"}, InvalidError, "table"),
        ({"table": "escape"}, InvalidError, "leads out"),
        ({"table": "empty"}, NotFoundError, "no Parquet file"),
        ({"table": "mixed"}, InvalidError, "partitioned otherwise"),
        ({"value_column": "nothing"}, NotFoundError, "value_column.*'nothing'.*at, l, v"),
        ({"value_column": "l"}, InvalidError, "value_column.*text.*integer or number"),
        ({"label_columns": ("v",)}, InvalidError, "label_columns.*number"),
        ({"metric_column": "at"}, InvalidError, "metric_column.*integer"),
        ({"time": TimeColumns(("l",), "epoch_s")}, InvalidError, "time.columns.*text"),
        ({"time": TimeColumns(("l",), "string", "%Y")}, InvalidError, "(?i)pars"),
        ({"ordering_column": "nothing"}, NotFoundError, "ordering_column"),
        ({"partitions": (PartitionColumn("dt"),)}, NotFoundError, "partition"),
        ({"where": "nothing = 1"}, InvalidError, "where.*nothing"),
        ({"where": "v = 'a text'"}, StorageError, "a text"),
        ({"label_columns": ("v",), "where": "x"}, InvalidError, "label_columns"),
    ],
)
def test_mappings_that_do_not_fit_say_what_is_wrong(
    archive: Archive, tmp_path: Path, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    write(tmp_path, "t/a.parquet", {"at": [1], "v": [1.0], "l": ["x"]})
    write(tmp_path, "mixed/dt=1/a.parquet", {"at": [1], "v": [1.0]})
    write(tmp_path, "mixed/a.parquet", {"at": [1], "v": [1.0]})
    (tmp_path / "warehouse/empty").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "warehouse/escape").symlink_to(tmp_path / "secret")
    mapping = replace(SIMPLE, **change)
    with pytest.raises(error, match=words) as caught:
        archive.scan(source(mapping), ALL)
    assert isinstance(caught.value, StorageError)
    assert not caught.value.transient
    with pytest.raises(error):
        archive.probe(source(mapping))


def test_an_unknown_timezone_is_refused(archive: Archive, tmp_path: Path) -> None:
    write(tmp_path, "t/a.parquet", {"at": [1], "v": [1.0]})
    with pytest.raises(InvalidError, match="timezone"):
        archive.scan(source(SIMPLE, "Mars/Base"), ALL)


@pytest.mark.parametrize("data", [b"", b"hello", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_a_corrupt_file_is_named(archive: Archive, tmp_path: Path, data: bytes) -> None:
    write(tmp_path, "t/a.parquet", {"at": [1], "v": [1.0]})
    (tmp_path / "warehouse/t/bad.parquet").write_bytes(data)
    with pytest.raises(CorruptError, match=r"bad\.parquet"):
        archive.scan(source(SIMPLE), ALL)


# Probe


def test_a_probe_shows_what_a_mapping_means(archive: Archive, tmp_path: Path) -> None:
    for day in range(1, 8):
        write(tmp_path, f"t/dt=2026010{day}/a", {
            "name": ["ndcg", "ndcg", "rows"], "l": ["x", "y", "x"], "v": [float(day)] * 3,
            "at": [START_MS + (day - 1) * DAY_MS + hour for hour in (0, 0, 3_600_000)],
        })  # fmt: skip
    mapping = replace(
        SIMPLE,
        metric_column="name",
        label_columns=("l",),
        partitions=(PartitionColumn("dt", "%Y%m%d"),),
    )
    probe = archive.probe(source(mapping))
    assert probe.partitions == tuple(f"dt=2026010{day}" for day in range(1, 8))
    assert probe.series == 3
    assert probe.steps_ms == {"ndcg": DAY_MS, "rows": DAY_MS}
    assert len(probe.points) == 5
    assert probe.points[0] == (str(min((SeriesKey.of("ext", "ndcg", {"l": name})
                                        for name in "xy"), key=lambda key: key.id)),
                               START_MS + 4 * DAY_MS, 5.0)  # fmt: skip
    assert '"name"' in probe.sql
    assert "ts" in probe.sql


def test_a_table_is_never_written_to(archive: Archive, tmp_path: Path) -> None:
    file = write(tmp_path, "t/a.parquet", {"at": [1], "v": [1.0]})
    before = (file.stat().st_mtime_ns, sorted((tmp_path / "warehouse").rglob("*")))
    archive.probe(source(SIMPLE))
    rows_of(archive.scan(source(SIMPLE), ALL))
    archive.compact("ext")
    archive.purge("ext")
    assert (file.stat().st_mtime_ns, sorted((tmp_path / "warehouse").rglob("*"))) == before
