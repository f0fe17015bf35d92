"""A scan that the server stages in three chunks is the scan that it streams."""

import random
from pathlib import Path

import obstore
import pytest

from storage.selector import Selector
from storage.source import SourceSpec
from storage.stores import open_archive
from tests.storage.hive_archive.shared import archive_settings
from tests.storage.hive_archive.warehouse import warehouse
from tests.storage.implementations import settings
from tests.storage.points import START_MS, Row, rows_of, table

pytestmark = pytest.mark.real


@pytest.mark.parametrize("engine", ["hive", "spark"])
def test_three_chunks_are_the_scan_of_one_stream(engine: str, tmp_path: Path) -> None:
    """Several metrics, versions and tombstones; afterwards no table and no file is left."""
    draw = random.Random(4)
    rows: list[list[Row]] = [
        [
            (metric, {"n": str(n)} if n else {}, START_MS + ts * 7_200_000,
             draw.choice([None, draw.random()]), sequence)
            for metric in ("b", "a", "é")
            for n in range(7)
            for ts in draw.sample(range(6), 3)
        ]
        for sequence in (1, 2)
    ]  # fmt: skip
    with warehouse(engine, tmp_path) as house:
        ordinary = archive_settings(house, settings(tmp_path))
        staged = archive_settings(house, settings(tmp_path), load="external&stage_rows=45")
        archive, staging = open_archive(ordinary), open_archive(staged)
        for job, some in enumerate(rows):
            archive.write_points("s", f"job-{job}", table(some))
        source, selector = SourceSpec("s"), Selector((), START_MS, 10**14)
        one, three = archive.scan(source, selector), staging.scan(source, selector)
        assert sum(one.counts) == 126
        assert (one.keys, one.counts) == (three.keys, three.counts)
        assert rows_of(one) == rows_of(three)
        left = [each["path"] for batch in obstore.list(house.store, "staging") for each in batch]
        assert [path for path in left if "chunk=" in path] == []
        tables = house.connection.table(f"SHOW TABLES IN `{house.database}`").to_pylist()
        assert not any("scan" in str(each) for each in tables)
        archive.close()
        staging.close()
