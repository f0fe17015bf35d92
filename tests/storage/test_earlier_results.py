"""Results that an earlier version stored, before a detector of changes said what it found."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.archive import ADDED_TO_RESULTS, RESULT_SCHEMA, Archive
from storage.errors import CorruptError
from storage.parquet import compaction, layout
from storage.stores import open_archive
from tests.storage.implementations import settings
from tests.storage.points import START_MS, results

SAID = '{"kind": "level", "size": 1.5}'


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = open_archive(settings(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def day(tmp_path: Path) -> Path:
    folder = layout.partition_folder(tmp_path / "archive", "results", "s", START_MS // 86_400_000)
    folder.mkdir(parents=True)
    return folder


def rows(generation: int, change: str | None = None) -> pa.Table:
    """One row of a time of its own."""
    return results([{
        "rule": "r", "series": "q", "ts": START_MS + generation, "generation": generation,
        "run": f"run-{generation}", "value": 1.0, "change": change,
    }])  # fmt: skip


def earlier(day: Path, *generations: int) -> None:
    """Files as an earlier version wrote them."""
    for generation in generations:
        older = rows(generation).drop_columns(list(ADDED_TO_RESULTS))
        pq.write_table(older, day / f"run-{generation}.parquet")


def changes(archive: Archive) -> list[tuple[int, str | None]]:
    found = archive.read_results("s", "r", START_MS, START_MS + 1000)
    assert found.schema == RESULT_SCHEMA
    return [(row["generation"], row["change"]) for row in found.to_pylist()]


def test_they_are_read_alone_and_beside_newer_ones(archive: Archive, day: Path) -> None:
    earlier(day, 1, 3)
    assert changes(archive) == [(1, None), (3, None)]
    archive.write_results("s", "run-2", rows(2, SAID))
    archive.write_results("s", "run-4", rows(4))
    assert changes(archive) == [(1, None), (2, SAID), (3, None), (4, None)]


def test_they_are_folded_with_newer_ones(archive: Archive, day: Path) -> None:
    earlier(day, *range(1, compaction.MOST_FILES + 1))
    archive.write_results("s", "run-99", rows(99, SAID))
    assert len(layout.live_files(day)) == 1
    assert changes(archive)[-1] == (99, SAID)
    assert len(changes(archive)) == compaction.MOST_FILES + 1


def test_a_file_that_lacks_another_column_is_somebody_elses(archive: Archive, day: Path) -> None:
    earlier(day, 1)
    archive.write_results("s", "run-2", rows(2, SAID))
    pq.write_table(rows(3).drop_columns(["rule"]), day / "odd.parquet")
    with pytest.raises(CorruptError, match=r"odd\.parquet"):
        changes(archive)
    pq.write_table(rows(3).drop_columns(["rule", "change"]), day / "odd.parquet")
    with pytest.raises(CorruptError, match=r"odd\.parquet"):
        changes(archive)
