"""Turns what the server streams, sorted by 60-bit numbers, into the batches of a scan."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from storage.archive import SCAN_SCHEMA
from storage.errors import InvalidError
from storage.local_time import LocalTime

ROWS_PER_BATCH = 262_144


class Numbers:
    """Dense numbers of the series that are known, by the 60 bits that the server sorts by."""

    def __init__(self, places: Sequence[int]) -> None:
        """``places`` are the 60 bits of the series in the order of their dense numbers."""
        given = np.array(places, np.int64)
        self._order = np.argsort(given).astype(np.int32)
        self._sorted = given[self._order]
        if len(given) > 1 and (np.diff(self._sorted) == 0).any():
            # One chance in a million for a million series.
            raise InvalidError("two series have the same 60 bits: choose fewer of them")

    def dense(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch of (60 bits, ts, value) as SCAN_SCHEMA; series that came later are left out."""
        bits = batch.column(0).to_numpy()
        at = np.searchsorted(self._sorted, bits)
        at[at == len(self._sorted)] = 0
        known = self._sorted[at] == bits
        found = pa.RecordBatch.from_arrays(
            [pa.array(self._order[at], pa.int32()), batch.column(1), batch.column(2)],
            schema=SCAN_SCHEMA,
        )
        return found if known.all() else found.filter(pa.array(known))


def numbered_rows(blocks: Iterable[pa.RecordBatch], numbers: Numbers) -> Iterator[pa.RecordBatch]:
    """What the server streams, as batches of a scan."""
    return (numbers.dense(batch) for batch in gathered(blocks))


def in_utc(batches: Iterable[pa.RecordBatch], local: LocalTime) -> Iterator[pa.RecordBatch]:
    """Wall-clock times as UTC; the mapping never decreases, so the order stays."""
    for batch in batches:
        ts = pa.array(local.to_utc(batch.column("ts").to_numpy()))
        columns = [batch.column("number"), ts, batch.column("value")]
        yield pa.RecordBatch.from_arrays(columns, schema=SCAN_SCHEMA)


def gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The server's small blocks as fewer, larger batches."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= ROWS_PER_BATCH:
            yield _one(waiting)
            waiting, rows = [], 0
    if rows:
        yield _one(waiting)


def _one(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.concat_batches(batches) if len(batches) > 1 else batches[0]
