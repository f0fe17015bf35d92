"""Resolves versions in a sorted stream: of rows with equal keys the last one counts.

The sort has put the winner last, so this looks at each row and its successor only. Measured, it
costs next to nothing; a window function in the engine multiplies the time of the read.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from storage.archive import RESULT_SCHEMA


class _Counter(Protocol):
    rows: int


def newest(
    batches: Iterable[pa.RecordBatch], keys: Sequence[str], lost: _Counter | None = None
) -> Iterator[pa.RecordBatch]:
    """Drop every row that the next one replaces; ``lost`` counts them."""
    waiting: pa.RecordBatch | None = None
    for batch in batches:
        if batch.num_rows == 0:
            continue
        if waiting is not None:
            yield from _without_losers(waiting, batch, keys, lost)
        waiting = batch
    if waiting is not None:
        yield from _without_losers(waiting, None, keys, lost)


def newest_results(rows: Iterable[pa.RecordBatch]) -> pa.Table:
    """The results that count, of rows sorted by series, time and generation."""
    current = list(newest(rows, ("series", "ts")))
    if not current:
        return RESULT_SCHEMA.empty_table()
    return pa.Table.from_batches(current).cast(RESULT_SCHEMA)


def _without_losers(
    batch: pa.RecordBatch,
    following: pa.RecordBatch | None,
    keys: Sequence[str],
    lost: _Counter | None,
) -> Iterator[pa.RecordBatch]:
    replaced = np.ones(batch.num_rows, np.bool_)
    for key in keys:
        replaced &= _equals_next(batch.column(key), following and following.column(key))
    count = int(replaced.sum())
    if lost is not None:
        lost.rows += count
    if count < batch.num_rows:
        yield batch.filter(pa.array(~replaced)) if count else batch


def _equals_next(column: pa.Array, following: pa.Array | None) -> npt.NDArray[np.bool_]:
    equal = np.zeros(len(column), np.bool_)
    if pa.types.is_integer(column.type):
        values = column.to_numpy()
        equal[:-1] = values[:-1] == values[1:]
    else:
        same = pc.equal(column.slice(0, len(column) - 1), column.slice(1))
        equal[:-1] = same.to_numpy(zero_copy_only=False)
    if following is not None:
        equal[-1] = column[-1].as_py() == following[0].as_py()
    return equal
