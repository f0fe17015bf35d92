"""Somebody's Parquet tables in a bucket answer as they do in a folder."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.errors import InvalidError, NotFoundError
from storage.external import ExternalTables
from storage.parquet.connection import ParquetTables
from storage.parquet.engine import Engine
from storage.s3.files import BucketFiles
from storage.s3.tables import S3Tables
from storage.selector import Selector
from storage.source import ExternalMapping, PartitionColumn, SourceSpec, TimeColumns
from tests.storage.points import rows_of
from tests.storage.s3.bucket import Bucket
from tests.storage.s3.proxy import Answer, Call, Forward, proxy

pytestmark = pytest.mark.real
DAYS = ("20260601", "20260602", "20260603", "20260604", "20260605")
FIRST_MS, DAY_MS = 1_780_272_000_000, 86_400_000


def source(table: str = "ml.daily/eval") -> SourceSpec:
    mapping = ExternalMapping(
        connection="warehouse",
        table=table,
        time=TimeColumns(("dt",), "string", "%Y%m%d"),
        value_column="value",
        metric_column="name",
        label_columns=("region",),
        partitions=(PartitionColumn("dt", "%Y%m%d"),),
    )
    return SourceSpec("s", mapping=mapping)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The table in a folder: five days, two regions, files that are no data."""
    table = tmp_path / "warehouse" / "ml.daily" / "eval"
    for number, day in enumerate(DAYS):
        place = table / f"dt={day}"
        place.mkdir(parents=True)
        rows = {"name": ["m", "m"], "region": ["jp", "tw %3A"], "value": [number + 0.5, None]}
        pq.write_table(pa.table(rows), place / "000000_0")
        (place / "_SUCCESS").touch()
        (place / ".half").write_bytes(b"half a file")
    return tmp_path / "warehouse"


@pytest.fixture
def both(
    folder: Path, bucket: Bucket, tmp_path: Path
) -> Iterator[tuple[ExternalTables, ExternalTables]]:
    engine = Engine(512, 2, tmp_path / "scratch")
    files = BucketFiles(bucket.url, bucket.s3, tmp_path / "scratch")
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            files.put_file(str(path.relative_to(folder)), path)
    yield ParquetTables(folder, engine), S3Tables(files, engine)
    files.close()
    engine.close()


@pytest.mark.parametrize("days", [(0, 5), (1, 3), (4, 40), (40, 50)])
def test_a_range_is_read_as_from_a_folder(
    both: tuple[ExternalTables, ExternalTables], days: tuple[int, int]
) -> None:
    selector = Selector(("*",), FIRST_MS + days[0] * DAY_MS, FIRST_MS + days[1] * DAY_MS)
    local, remote = both
    rows = rows_of(local.scan(source(), selector))
    assert rows_of(remote.scan(source(), selector)) == rows
    assert list(remote.series(source(), selector)) == list(local.series(source(), selector))
    assert bool(rows) == (days[0] < 5)


def test_a_probe_says_the_same(both: tuple[ExternalTables, ExternalTables]) -> None:
    local, remote = both
    found = remote.probe(source())
    assert found == local.probe(source())
    assert len(found.partitions) == len(DAYS)


def test_only_the_partitions_of_the_range_are_fetched(
    both: tuple[ExternalTables, ExternalTables], bucket: Bucket, tmp_path: Path
) -> None:
    fetched = []

    def count(call: Call, forward: Forward) -> Answer | None:
        if call.method == "GET" and "000000_0" in call.path:
            fetched.append(call.path)
        return forward(call)

    engine = Engine(512, 1, tmp_path / "other")
    with proxy(bucket.s3.endpoint, count) as endpoint:
        files = BucketFiles(bucket.url, bucket.through(endpoint), tmp_path / "other")
        tables = S3Tables(files, engine)
        rows_of(tables.scan(source(), Selector(("*",), FIRST_MS, FIRST_MS + 2 * DAY_MS)))
        files.close()
    engine.close()
    assert len(fetched) == 2


@pytest.mark.parametrize("table", ["../other", "a/../../b", "/etc"])
def test_a_table_outside_of_the_connection_is_refused(
    both: tuple[ExternalTables, ExternalTables], table: str
) -> None:
    for tables in both:
        with pytest.raises((InvalidError, NotFoundError)):
            tables.probe(source(table))


def test_a_table_that_is_not_there_is_named(both: tuple[ExternalTables, ExternalTables]) -> None:
    for tables in both:
        with pytest.raises(NotFoundError, match="no/such"):
            tables.probe(source("no/such"))
