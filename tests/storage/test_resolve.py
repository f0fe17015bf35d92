"""Versions in a sorted stream: the last row of equal keys counts, wherever batches are cut."""

from itertools import pairwise

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.archive import DuplicateCount
from storage.parquet.resolve import newest

NAMES = ["number", "name", "value"]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab")), max_size=30),
    st.lists(st.integers(0, 30), max_size=8),
)
@settings(derandomize=True, max_examples=300, deadline=None)
def test_any_cut_gives_the_last_row_of_each_key(
    keys: list[tuple[int, str]], cuts: list[int]
) -> None:
    rows = [(*key, position) for position, key in enumerate(sorted(keys))]
    table = pa.table(
        {name: [row[column] for row in rows] for column, name in enumerate(NAMES)},
        schema=pa.schema([("number", pa.int32()), ("name", pa.string()), ("value", pa.int64())]),
    )
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    batches = [
        batch
        for first, last in pairwise(edges)
        for batch in (table.slice(first, last - first).to_batches() or [_empty(table)])
    ]
    lost = DuplicateCount()
    found = [tuple(row.values()) for b in newest(batches, NAMES[:2], lost) for row in b.to_pylist()]
    expected = list({row[:2]: row for row in rows}.values())
    assert found == expected
    assert lost.rows == len(rows) - len(expected)


def _empty(table: pa.Table) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=table.schema)
