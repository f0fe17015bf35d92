"""The same table in Parquet, on Hive and on Spark gives the same points; only asked for is read."""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.archive import Archive
from storage.connections import Connection
from storage.errors import InvalidError, NotFoundError, RefusedError
from storage.hive.connection import HiveConnection
from storage.hive.external import HiveTables
from storage.selector import Selector
from storage.source import ExternalMapping, PartitionColumn, SourceSpec, TimeColumns
from storage.stores import open_archive
from tests.storage.hive_archive.warehouse import RecordingConnection, Warehouse, warehouse
from tests.storage.implementations import settings
from tests.storage.points import DAY_MS, START_MS, rows_of
from tests.storage.test_points_sql import GOLDEN

pytestmark = pytest.mark.real

ALL = Selector((), -(10**14), 10**14)
ODD = [
    "jp",
    "",
    None,
    "it's",
    'a "b"',
    "back\\slash",
    "tab\tnewline\n",
    "日本",
    "é",
    "e\u0301",
    "%_",
    "$1",
]


@pytest.fixture(scope="module", params=["hive", "spark"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warehouse]:
    with warehouse(request.param, tmp_path_factory.mktemp("warehouse")) as opened:
        yield opened


@pytest.fixture
def tables(house: Warehouse) -> HiveTables:
    house.connection.statements.clear()
    return HiveTables(house.connection)


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Archive]:
    (tmp_path / "warehouse").mkdir()
    opened = open_archive(settings(tmp_path))
    yield opened
    opened.close()


def random_rows(seed: int, rows: int = 300) -> pa.Table:
    """Every type a mapping may use, with whatever such columns hold in practice."""
    draw = random.Random(seed)

    def some(values: list[object]) -> list[object]:
        return [draw.choice(values) for _ in range(rows)]

    # Around the clock changes of Berlin and Sao Paulo.
    first = datetime(2018, 10, 27, 22)  # noqa: DTZ001
    hours = [first + timedelta(minutes=30 * n) for n in range(900)]
    times = [draw.choice(hours) for _ in range(rows)]
    infinity = float("inf")
    return pa.table({
        "stamp": pa.array(times, pa.timestamp("us")),
        "day": pa.array([each.date() for each in times], pa.date32()),
        "ms": pa.array([round(each.replace(tzinfo=UTC).timestamp() * 1000) + draw.randrange(1000)
                        for each in times], pa.int64()),
        "s": pa.array([round(each.replace(tzinfo=UTC).timestamp()) for each in times], pa.int32()),
        "written": [each.strftime("%Y-%m-%d %H:%M:%S") for each in times],
        "zoned": [f"{each:%Y%m%dT%H%M}{draw.choice(['+0900', '-0330', '+0000'])}"
                  for each in times],
        "name": some(["ndcg@10", "it's", "日本", None, "", "re.call"]),
        "v": some([None, 1.5, -2.25, float("nan"), infinity, -infinity, 1e300, 0.1]),
        "w": pa.array(some([None, 1, -7, 2**40]), pa.int64()),
        "l": some(list(ODD)),
        "n": pa.array(some([None, 1, -7, 2**31 - 1]), pa.int32()),
        "b": some([None, True, False]),
        "born": pa.array(some([None, date(2026, 1, 2), date(1969, 12, 31), date(1600, 2, 29)]),
                         pa.date32()),
        "loaded": pa.array(range(rows), pa.int64()),
    })  # fmt: skip


LONG = ExternalMapping(
    "warehouse", "random", TimeColumns(("ms",), "epoch_ms"), value_column="v",
    metric_column="name", label_columns=("l", "n", "b", "born"), ordering_column="loaded",
)  # fmt: skip
MAPPINGS = {
    "epoch ms": (LONG, "UTC"),
    "epoch s": (replace(LONG, time=TimeColumns(("s",), "epoch_s"), ordering_column=None), "UTC"),
    "timestamp": (replace(LONG, time=TimeColumns(("stamp",), "timestamp")), "America/Sao_Paulo"),
    "date": (replace(LONG, time=TimeColumns(("day",), "date")), "America/Sao_Paulo"),
    "string": (replace(LONG, time=TimeColumns(("written",), "string", "%Y-%m-%d %H:%M:%S")),
               "Europe/Berlin"),
    "string with an offset": (
        replace(LONG, time=TimeColumns(("zoned",), "string", "%Y%m%dT%H%M%z")), "Asia/Tokyo"),
    "wide": (replace(LONG, metric_column=None, value_column=None, value_columns=("v", "w"),
                     label_columns=("l",), where="l <> 'jp' AND n > 0"), "UTC"),
}  # fmt: skip


@pytest.fixture(scope="module")
def random_table(house: Warehouse) -> pa.Table:
    rows = random_rows(7)
    house.put("random/a.parquet", rows.slice(0, 150))
    house.put("random/b.parquet", rows.slice(150))
    house.create("random", rows)
    return rows


@pytest.mark.parametrize("kind", MAPPINGS)
def test_a_random_table_gives_the_same_points_as_embedded(
    tables: HiveTables, embedded: Archive, random_table: pa.Table, tmp_path: Path, kind: str
) -> None:
    """Clock changes, odd text, quotes, nulls, NaN, infinity and duplicates included."""
    folder = tmp_path / "warehouse" / "random"
    folder.mkdir()
    pq.write_table(random_table, folder / "a.parquet")
    mapping, zone = MAPPINGS[kind]
    source = SourceSpec("ext", zone, mapping)
    part = Selector((), 1_540_700_000_000, 1_541_300_000_000, {"l": ("!jp",)})
    for selector in (ALL, part):
        ours, theirs = tables.scan(source, selector), embedded.scan(source, selector)
        expected = sorted(rows_of(theirs), key=str)
        assert sorted(rows_of(ours), key=str) == expected
        assert expected
        assert ours.duplicates == theirs.duplicates
        assert dict(zip(ours.keys, ours.counts, strict=True)) == dict(
            zip(theirs.keys, theirs.counts, strict=True)
        )


@pytest.fixture(scope="module")
def partitioned(house: Warehouse) -> None:
    days = [date(2025, 12, 28) + timedelta(days=n) for n in range(8)]
    for day in days:
        at = (day - date(1970, 1, 1)).days * DAY_MS
        rows = pa.table({"at": [at], "v": [float(day.day)]})
        house.put(f"days/dt={day:%Y%m%d}/a.parquet", rows)
        house.put(f"parts/y={day:%Y}/m={day.month}/d={day:%d}/a.parquet", rows)
    house.create("days", rows, ["dt string"])
    house.create("parts", rows, ["y string", "m int", "d string"])
    house.partition("days", *({"dt": f"{day:%Y%m%d}"} for day in days))
    house.partition(
        "parts", *({"y": f"{day:%Y}", "m": day.month, "d": f"{day:%d}"} for day in days)
    )


DAYS = ExternalMapping("warehouse", "days", TimeColumns(("at",), "epoch_ms"), value_column="v",
                       partitions=(PartitionColumn("dt", "%Y%m%d"),))  # fmt: skip
PARTS = replace(DAYS, table="parts", partitions=(
    PartitionColumn("y", "%Y"), PartitionColumn("m", "%m"), PartitionColumn("d", "%d"),
))  # fmt: skip


@pytest.mark.parametrize("mapping", [DAYS, PARTS], ids=["one column", "three columns"])
def test_the_plan_reads_only_the_wanted_partitions(
    house: Warehouse, tables: HiveTables, partitioned: None, mapping: ExternalMapping
) -> None:
    source = SourceSpec("ext", "UTC", mapping)
    selector = Selector((), START_MS - 2 * DAY_MS, START_MS + DAY_MS)
    assert [value for _, _, value in rows_of(tables.scan(source, selector))] == [30.0, 31.0, 1.0]
    sql = tables.scan_sql(source, selector)
    assert read_partitions(house, sql) == 3


def read_partitions(house: Warehouse, sql: str) -> int:
    """How many partitions the server's own plan reads."""
    if house.engine == "hive":
        plan = house.connection.table(f"EXPLAIN DEPENDENCY {sql}").column(0)[0].as_py()
        return len(json.loads(plan)["input_partitions"])
    plan = "\n".join(house.connection.table(f"EXPLAIN {sql}").column(0).to_pylist())
    found = re.search(r"InMemoryFileIndex\((\d+) paths\)", plan)
    assert found is not None, plan
    return int(found[1])


def test_nothing_but_questions_reaches_a_users_table(
    house: Warehouse, tables: HiveTables, partitioned: None
) -> None:
    source = SourceSpec("ext", "UTC", DAYS)
    probe = tables.probe(source)
    assert probe.partitions[0] == "dt=20251228"
    assert (len(probe.partitions), probe.series, len(probe.points)) == (8, 1, 3)
    rows_of(tables.scan(source, ALL))
    tables.series(source, ALL)
    assert isinstance(house.connection, RecordingConnection)
    verbs = {statement.split()[0] for statement in house.connection.statements}
    assert verbs == {"DESCRIBE", "SHOW", "SELECT"}


def test_what_a_connection_may_not_read_is_refused_before_it_is_asked(house: Warehouse) -> None:
    connection = RecordingConnection("warehouse", house.options(tables=["other.*"]))
    with pytest.raises(RefusedError, match="not in the list"):
        HiveTables(connection).scan(SourceSpec("ext", "UTC", DAYS), ALL)
    assert connection.statements == []
    connection.close()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"table": "no_such"}, NotFoundError, "no_such"),
        ({"table": "days; DROP TABLE days"}, InvalidError, "table"),
        ({"value_column": "nothing"}, NotFoundError, "nothing"),
        ({"partitions": (PartitionColumn("v"),)}, NotFoundError, "not partitioned by 'v'"),
        ({"time": TimeColumns(("dt",), "string", "%Y-%m-%d"), "partitions": ()}, InvalidError,
         "cannot be parsed.*2025|2025.*cannot be parsed"),
        ({"where": "reflect('java.lang.System', 'exit', 1) = 1"}, InvalidError, "where"),
    ],
)  # fmt: skip
def test_mappings_that_do_not_fit_say_what_is_wrong(
    tables: HiveTables,
    partitioned: None,
    change: dict[str, object],
    error: type[Exception],
    words: str,
) -> None:
    mapping = replace(DAYS, **change)  # type: ignore[arg-type]
    with pytest.raises(error, match=words):
        tables.scan(SourceSpec("ext", "UTC", mapping), ALL)


def test_an_archive_of_parquet_reads_a_hive_connection(
    house: Warehouse, partitioned: None, tmp_path: Path
) -> None:
    """Whatever the archive is; and the connection's statements never make a table there."""
    words = {"tables": [f"{house.database}.*"], "dialect": house.engine}
    connections = (Connection("warehouse", house.url, words),)
    archive = open_archive(replace(settings(tmp_path), connections=connections))
    source = SourceSpec("ext", "UTC", DAYS)
    assert len(rows_of(archive.scan(source, ALL))) == 8
    archive.close()


def test_a_corrupt_file_is_no_reason_to_try_again(house: Warehouse, tables: HiveTables) -> None:
    rows = pa.table({"at": [1], "v": [1.0]})
    house.put("broken/a.parquet", b"PAR1" + b"\0" * 100 + b"nope")
    house.create("broken", rows)
    mapping = replace(DAYS, table="broken", partitions=())
    with pytest.raises(Exception, match=r"(?i)parquet") as caught:
        tables.scan(SourceSpec("ext", "UTC", mapping), ALL)
    assert type(caught.value).__name__ == "CorruptError"


def test_the_golden_text_runs(house: Warehouse, tables: HiveTables) -> None:
    """The SQL that test_points_sql.py compares is what the engine compiles."""
    connection: HiveConnection = house.connection
    names = ["dt", "name", "value", "region", "model", "is_test", "born", "loaded_at"]
    kinds = ["string", "string", "double", "string", "int", "boolean", "date", "bigint"]
    types = dict(zip(names, kinds, strict=True))
    listed = ", ".join(f"CAST(NULL AS {kind}) AS `{column}`" for column, kind in types.items())
    golden = GOLDEN[house.engine]
    assert "ml_metrics.daily_eval" in golden
    connection.table(golden.replace("ml_metrics.daily_eval", f"(SELECT {listed}) t"))
