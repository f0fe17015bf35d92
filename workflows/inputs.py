"""Writes the one ordered stream of a scan into input files: whole series, bounded memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from storage.archive import SCAN_SCHEMA
from workflows.commits import Attempt
from workflows.packing import RowGroup

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

GROUP_SECONDS = 2.0  # so that chunks can be cut finely, and a stop is obeyed soon
FILE_GROUPS = 4  # a detect step verifies whole files, so they stay small


@dataclass(frozen=True)
class SeriesBlock:
    """Some whole series, cut out of the stream: their rows, and facts of each series."""

    rows: pa.Table
    starts: Ints  # first row of each series
    numbers: Ints
    points: Ints  # without tombstones
    first: Ints  # time of the first and last point; meaningless without points
    last: Ints

    def times(self, position: int) -> Ints:
        """Times of the rows of one series."""
        begin = int(self.starts[position])
        end = int(self.starts[position + 1]) if position + 1 < len(self.starts) else len(self.rows)
        times: Ints = self.rows.column("ts").slice(begin, end - begin).to_numpy()
        return times

    def part(self, begin: int, end: int) -> "SeriesBlock":
        """Some of the series, by position."""
        bounds = np.append(self.starts, len(self.rows))
        low, high = int(bounds[begin]), int(bounds[end])
        return SeriesBlock(
            self.rows.slice(low, high - low),
            self.starts[begin:end] - low,
            self.numbers[begin:end],
            self.points[begin:end],
            self.first[begin:end],
            self.last[begin:end],
        )


def blocks(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[SeriesBlock]:
    """Whole series in blocks of about ``rows`` rows; a longer series is a block of its own."""
    pending: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        pending.append(batch)
        held += batch.num_rows
        if held < rows or pending[0].column(0)[0] == batch.column(0)[-1]:
            continue
        table = pa.Table.from_batches(pending)
        numbers = table.column("number").to_numpy()
        # The last series may go on in the next batch.
        cut = int(np.searchsorted(numbers, numbers[-1]))
        yield from split(table.slice(0, cut), rows)
        pending, held = table.slice(cut).to_batches(), len(numbers) - cut
    if pending:
        yield from split(pa.Table.from_batches(pending), rows)


def split(table: pa.Table, rows: int) -> Iterator[SeriesBlock]:
    """A table of whole series in blocks of about ``rows`` rows."""
    numbers = table.column("number").to_numpy()
    starts = np.append(0, np.flatnonzero(np.diff(numbers)) + 1)
    ends = np.append(starts[1:], len(numbers))
    begin = 0
    while begin < len(starts):
        # As many series as fit, one at least.
        limit = int(starts[begin]) + max(rows, int(ends[begin] - starts[begin]))
        end = int(np.searchsorted(ends, limit, side="right"))
        piece = table.slice(int(starts[begin]), int(ends[end - 1] - starts[begin]))
        yield _block(piece, starts[begin:end] - starts[begin], numbers[starts[begin:end]])
        begin = end


def _block(rows: pa.Table, starts: Ints, numbers: NDArray[Any]) -> SeriesBlock:
    times = rows.column("ts").to_numpy()
    if rows.column("value").null_count:
        valid = rows.column("value").is_valid().to_numpy()
        far = np.iinfo(np.int64)
        points = np.add.reduceat(valid.astype(np.int64), starts)
        first = np.minimum.reduceat(np.where(valid, times, far.max), starts)
        last = np.maximum.reduceat(np.where(valid, times, far.min), starts)
    else:
        ends = np.append(starts[1:], len(times))
        points, first, last = ends - starts, times[starts], times[ends - 1]
    return SeriesBlock(rows, starts, numbers.astype(np.int64), points, first, last)


@dataclass
class InputWriter:
    """Input files of a plan's attempt; close it before reading ``groups``."""

    attempt: Attempt
    scratch: Path
    groups: list[RowGroup] = field(default_factory=list)
    _writer: pq.ParquetWriter | None = None
    _files: int = 0
    _open: list[RowGroup] = field(default_factory=list)

    def __enter__(self) -> "InputWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._finish_file()
        elif self._writer is not None:
            self._writer.close()

    def write(self, block: SeriesBlock, seconds: Floats) -> None:
        """Write a block as one row group, or more where it costs more than GROUP_SECONDS."""
        spent = np.cumsum(seconds)
        pieces = max(1, int(np.ceil(spent[-1] / GROUP_SECONDS)))
        marks = spent[-1] * np.arange(1, pieces) / pieces
        cuts = np.unique(
            np.concatenate([[0], np.searchsorted(spent, marks, side="right"), [len(spent)]])
        )
        bounds = np.append(block.starts, len(block.rows))
        for begin, end in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
            low, high = int(bounds[begin]), int(bounds[end])
            self._write_group(
                block.rows.slice(low, high - low),
                int(block.numbers[begin]),
                end - begin,
                float(seconds[begin:end].sum()),
            )

    def _write_group(self, rows: pa.Table, first: int, series: int, seconds: float) -> None:
        if self._writer is None:
            self._writer = open_writer(self._path, SCAN_SCHEMA)
        self._writer.write_table(rows, row_group_size=len(rows))
        index = len(self._open)
        self._open.append(RowGroup("", index, first, series, len(rows), seconds))
        if len(self._open) == FILE_GROUPS:
            self._finish_file()

    def _finish_file(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        name = self.attempt.put_file(f"input-{self._files:04d}.parquet", self._path)
        self._path.unlink()
        self.groups.extend(
            RowGroup(name, g.index, g.first, g.series, g.points, g.seconds) for g in self._open
        )
        self._writer, self._open = None, []
        self._files += 1

    @property
    def _path(self) -> Path:
        return self.scratch / "input.parquet"


def open_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A Parquet writer for sorted numbers, times and floats that hardly repeat."""
    delta = {name: "DELTA_BINARY_PACKED" for name in ("ts",) if name in schema.names}
    plain = {
        item.name: "PLAIN" for item in schema if item.type == pa.float64() and item.name != "ts"
    }
    dictionary = [item.name for item in schema if item.name not in delta | plain]
    return pq.ParquetWriter(
        path,
        schema,
        compression="lz4",
        use_dictionary=dictionary,
        column_encoding=delta | plain,
        write_statistics=False,
    )
