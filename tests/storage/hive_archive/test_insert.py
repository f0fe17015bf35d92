"""load=insert: the server writes its own tables from what Lupus stages."""

from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest

from storage.archive import Archive
from storage.hive.ddl import table_of
from storage.selector import Selector
from storage.source import SourceSpec
from storage.stores import open_archive
from tests.storage.hive_archive.shared import archive_settings
from tests.storage.hive_archive.warehouse import Warehouse, warehouse
from tests.storage.implementations import settings
from tests.storage.points import DAY_MS, START_MS, Row, results, rows_of, table

pytestmark = pytest.mark.real

SOURCE = SourceSpec("s")
ALL = Selector((), -(10**14), 10**14)


@pytest.fixture(scope="module", params=["hive", "spark"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warehouse]:
    with warehouse(request.param, tmp_path_factory.mktemp("warehouse")) as opened:
        yield opened


@pytest.fixture(scope="module")
def archive(house: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    folder = tmp_path_factory.mktemp("stores")
    opened = open_archive(archive_settings(house, settings(folder), load="insert"))
    yield opened
    opened.close()


def rows_of_job(sequence: int) -> list[Row]:
    labels: list[dict[str, str]] = [{}, {"l": "o'h\\\"é"}, {"l": "o'h\\\"é"}]
    return [
        ("m", labels[n], START_MS + n * DAY_MS, float(sequence * 10 + n), sequence)
        for n in range(3)
    ]


def test_jobs_are_partitions_that_overwrite_only_themselves(
    house: Warehouse, archive: Archive
) -> None:
    """A job twice is there once; another job's points stay; no staging is left."""
    for sequence in (1, 2, 2):
        archive.write_points("s", f"job-{sequence}", table(rows_of_job(sequence)))
    archive.write_results("s", "u", results([{
        "rule": "r", "series": "q", "ts": START_MS, "generation": 1, "run": "u", "severity": 2,
        "is_anomaly": True, "value": 0.5,
    }]))  # fmt: skip
    scan = archive.scan(SOURCE, ALL)
    assert sorted(scan.counts) == [2, 4]
    assert sorted(value or 0 for _, _, value in rows_of(scan)) == [20.0, 21.0, 22.0]
    assert sorted(dict(key.labels).get("l", "") for key in scan.keys) == ["", "o'h\\\"é"]
    found = archive.read_results("s", "r", START_MS, START_MS + 1).to_pylist()
    assert [(row["severity"], row["is_anomaly"], row["lower"]) for row in found] == [
        (2, True, None)
    ]
    name = table_of(house.database, "points")
    partitions = house.connection.table(f"SHOW PARTITIONS {name.quoted}").column(0).to_pylist()
    assert len(partitions) == 6
    assert {each.rpartition("/")[2] for each in partitions} == {"job=job-1", "job=job-2"}
    staged = [each["path"] for batch in obstore.list(house.store, "staging") for each in batch]
    assert [path for path in staged if path.endswith(".parquet")] == []
    tables = house.connection.table(f"SHOW TABLES IN `{house.database}`").to_pylist()
    assert not any("stage" in str(each) for each in tables)


def test_a_purged_source_is_gone(archive: Archive, tmp_path: Path) -> None:
    archive.write_points("other", "j", table(rows_of_job(1)))
    archive.purge("other")
    assert archive.scan(SourceSpec("other"), ALL).keys == ()
