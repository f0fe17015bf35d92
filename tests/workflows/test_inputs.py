"""The stream of a scan becomes input files: whole series, nothing lost, sizes bounded."""

from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.archive import SCAN_SCHEMA
from storage.folder import FolderObjects
from workflows.commits import Attempt
from workflows.inputs import InputWriter, SeriesBlock, blocks, split

# The rows of each series (True: a tombstone), and where the stream is cut into batches.
streams = st.tuples(
    st.lists(st.lists(st.booleans(), min_size=1, max_size=9), min_size=1, max_size=12),
    st.lists(st.integers(0, 60), max_size=6),
    st.integers(1, 20),
)


def table_of(series: list[list[bool]]) -> pa.Table:
    rows = [
        (2 * number, 1000 + 10 * row, None if gone else number + row / 10)
        for number, flags in enumerate(series)
        for row, gone in enumerate(flags)
    ]
    return pa.table([[row[column] for row in rows] for column in range(3)], schema=SCAN_SCHEMA)


def batches_of(table: pa.Table, cuts: list[int]) -> list[pa.RecordBatch]:
    marks = [0, *sorted(min(cut, len(table)) for cut in cuts), len(table)]
    whole = table.combine_chunks().to_batches()[0]
    return [whole.slice(a, b - a) for a, b in pairwise(marks)]


@settings(derandomize=True, deadline=None)
@given(streams)
def test_blocks_hold_whole_series_and_all_rows_in_order(
    stream: tuple[list[list[bool]], list[int], int],
) -> None:
    series, cuts, rows = stream
    table = table_of(series)
    found = list(blocks(batches_of(table, cuts), rows))
    assert pa.concat_tables([block.rows for block in found]).equals(table)
    numbers = [number for block in found for number in block.numbers.tolist()]
    assert numbers == [2 * number for number in range(len(series))]
    for block in found:
        assert len(block.rows) <= rows or len(block.numbers) == 1


@settings(derandomize=True, deadline=None)
@given(streams)
def test_facts_of_series_leave_tombstones_out(
    stream: tuple[list[list[bool]], list[int], int],
) -> None:
    series, cuts, rows = stream
    for block in blocks(batches_of(table_of(series), cuts), rows):
        for position, number in enumerate(block.numbers.tolist()):
            flags = series[number // 2]
            kept = [1000 + 10 * row for row, gone in enumerate(flags) if not gone]
            assert block.points[position] == len(kept)
            assert block.times(position).tolist() == [1000 + 10 * r for r in range(len(flags))]
            if kept:
                assert block.first[position] == kept[0]
                assert block.last[position] == kept[-1]


def test_a_part_of_a_block_is_a_block() -> None:
    (block,) = split(table_of([[False] * 3, [True, False], [False]]), 100)
    part = block.part(1, 3)
    assert part.numbers.tolist() == [2, 4]
    assert part.times(0).tolist() == [1000, 1010]
    assert part.times(1).tolist() == [1000]
    assert part.points.tolist() == [1, 1]
    assert len(part.rows) == 3


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    return Attempt(FolderObjects(tmp_path / "objects"), "runs/r", "plan")


def written(attempt: Attempt, scratch: Path, found: list[SeriesBlock], cost: float) -> InputWriter:
    with InputWriter(attempt, scratch) as writer:
        for block in found:
            writer.write(block, np.full(len(block.numbers), cost))
    return writer


def test_row_groups_can_be_read_back_and_are_checksummed(attempt: Attempt, tmp_path: Path) -> None:
    table = table_of([[False, True, False]] * 30)
    writer = written(attempt, tmp_path, list(blocks(batches_of(table, []), 9)), 1e-6)
    tables = []
    for name, members in groupby(writer.groups, key=lambda group: group.file):
        file = pq.ParquetFile(attempt.objects.local_path(name))
        groups = list(members)
        assert file.num_row_groups == len(groups)
        for group in groups:
            read = file.read_row_group(group.index)
            assert len(read) == group.points
            assert read.column("number")[0].as_py() == group.first
            tables.append(read)
    assert pa.concat_tables(tables).equals(table)
    assert set(attempt.files) == {group.file for group in writer.groups}
    assert sum(group.series for group in writer.groups) == 30


def test_expensive_series_get_small_row_groups(attempt: Attempt, tmp_path: Path) -> None:
    table = table_of([[False]] * 10)
    writer = written(attempt, tmp_path, list(blocks(batches_of(table, []), 100)), 1.0)
    assert [group.series for group in writer.groups] == [2, 2, 2, 2, 2]
    assert [group.seconds for group in writer.groups] == [2.0] * 5


def test_a_failed_read_leaves_no_half_file_behind(attempt: Attempt, tmp_path: Path) -> None:
    def lost(writer: InputWriter) -> None:
        (block,) = blocks(batches_of(table_of([[False]] * 3), []), 100)
        with writer:
            writer.write(block, np.ones(3))
            raise ConnectionError("lost")

    writer = InputWriter(attempt, tmp_path)
    with pytest.raises(ConnectionError):
        lost(writer)
    assert attempt.files == {}
    assert list(attempt.objects.names("runs/")) == []
