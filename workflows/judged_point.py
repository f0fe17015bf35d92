"""One point of a run: the points that its verdict rests on, and the verdict that was committed.

Both come from the run's own commits while they are kept. Afterwards the archive is asked for the
points as they are now.
"""

import tempfile
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detectors import Series
from detectors.catalog import detector_from_stored
from storage.archive import SCAN_SCHEMA, Archive
from storage.objects import Objects
from storage.series_key import SeriesKey
from workflows.chunk import read_chunk, read_plan
from workflows.detect import ChunkInputs
from workflows.inputs import Ints
from workflows.joining import read_series
from workflows.published import PlannedKeys, PlannedSeries
from workflows.request import RunRequest
from workflows.series_outcomes import used_chunks
from workflows.spacing import known_steps, read_start_ms

# One series and its members fit into memory: a chunk's judging holds more.
_ALL_ROWS = 1 << 40


@dataclass(frozen=True)
class ReadPoints:
    """The points of one series that a verdict rests on; ``gone_ms``: times of tombstones."""

    series: Series
    gone_ms: Ints
    step: timedelta | None  # where the source declares one

    @classmethod
    def of(cls, rows: pa.Table, step_ms: int | None) -> "ReadPoints":
        """From rows of SCAN_SCHEMA of one series."""
        times, values = rows.column("ts").to_numpy(), rows.column("value").to_numpy()
        valid = rows.column("value").is_valid().to_numpy()
        step = None if step_ms is None else timedelta(milliseconds=step_ms)
        return cls(Series(times[valid], values[valid]), times[~valid], step)


@dataclass(frozen=True)
class CommittedRow:
    """A row of CHUNK_RESULT_SCHEMA; ``image`` is what made it."""

    row: dict[str, Any]
    image: str


@dataclass(frozen=True)
class KeptRun:
    """What is kept of a run's commits."""

    objects: Objects
    request: RunRequest
    keys: PlannedKeys

    @classmethod
    def of(cls, objects: Objects, request: RunRequest) -> "KeptRun | None":
        """None when they are gone, or the run never had a plan."""
        found = read_plan(objects, request.run)
        return None if found is None else cls(objects, request, PlannedKeys(objects, *found))

    def series(self, id_: str) -> PlannedSeries | None:
        """A series of the run by its id."""
        found = self.keys.chunks_of([id_])
        return self.keys.series([found[0][0]])[0] if found else None

    def points(self, series: PlannedSeries) -> ReadPoints:
        """Exactly the points that the run read."""
        inputs = ChunkInputs.of(self.objects, self.request.run, series.chunk)
        return ReadPoints.of(
            _rows_of(inputs, series.number), declared_step(self.request, series.metric)
        )

    def error(self, series: PlannedSeries) -> str | None:
        """Why the series failed, if it did."""
        found = self._chunk(series, "series")
        rows = [] if found is None else found[0].to_pylist()
        return rows[0]["error"] if rows else None

    def row(self, series: PlannedSeries, time_ms: int) -> CommittedRow | None:
        """The verdict that the run committed and published."""
        found = self._chunk(series, "results", ("ts", "=", time_ms))
        if found is None:
            return None
        table, image = found
        return CommittedRow(table.to_pylist()[0], image) if len(table) else None

    def _chunk(
        self, series: PlannedSeries, name: str, *more: tuple[str, str, int]
    ) -> tuple[pa.Table, str] | None:
        """Rows of a series in one of its chunk's files; None where publish had none to use."""
        run = self.request.run
        used, found = used_chunks(self.objects, run), read_chunk(self.objects, run, series.chunk)
        if found is None or (used is not None and series.chunk not in used):
            return None
        record, commit = found
        path = commit.path(self.objects, getattr(record, name))
        wanted = [("number", "=", series.number), *more]
        return pq.read_table(path, filters=wanted), commit.image


def _rows_of(inputs: ChunkInputs, number: int) -> pa.Table:
    """Rows of one series: its row group is found by bisection, as numbers ascend."""
    groups = [
        (part.file, index)
        for part in inputs.chunk.parts
        for index in range(part.first, part.first + part.count)
    ]
    low, high = 0, len(groups)
    while high - low > 1:
        middle = (low + high) // 2
        first = _group(inputs, *groups[middle], ["number"]).column(0)[0].as_py()
        low, high = (middle, high) if first <= number else (low, middle)
    if not groups:
        return SCAN_SCHEMA.empty_table()
    rows = _group(inputs, *groups[low])
    begin, end = np.searchsorted(rows.column("number").to_numpy(), [number, number + 1])
    return rows.slice(int(begin), int(end - begin))


def _group(
    inputs: ChunkInputs, name: str, index: int, columns: list[str] | None = None
) -> pa.Table:
    with pq.ParquetFile(inputs.commit.path(inputs.objects, name), memory_map=True) as file:
        return file.read_row_group(index, columns=columns)


def declared_step(request: RunRequest, metric: str) -> int | None:
    """The step that judges series of a metric, where the source declares one."""
    return None if request.source.managed else request.source.steps_ms.get(metric)


def points_of_now(archive: Archive, request: RunRequest, key: SeriesKey) -> ReadPoints | None:
    """What the run would read today of one series; None when the archive has none of it."""
    detector = detector_from_stored(request.detector)
    begin = read_start_ms(detector, request, known_steps(archive, request))
    of_members = {name: one for name, one in request.labels.items() if name in request.join}
    labels = {name: (value,) for name, value in key.labels if not value.startswith("!")}
    narrow = replace(request, metrics=(key.metric,), labels={**of_members, **labels})
    with tempfile.TemporaryDirectory() as scratch:
        scan = read_series(archive, narrow, begin, Path(scratch), _ALL_ROWS)
        number = next((n for n, found in enumerate(scan.keys) if found.id == key.id), None)
        # To the end: a store may hold a connection while its stream is open.
        tables = [_of_number(batch, -1 if number is None else number) for batch in scan.batches]
    if number is None:
        return None
    rows = pa.concat_tables([SCAN_SCHEMA.empty_table(), *tables])
    return ReadPoints.of(rows, declared_step(request, key.metric))


def _of_number(batch: pa.RecordBatch, number: int) -> pa.Table:
    begin, end = np.searchsorted(batch.column("number").to_numpy(), [number, number + 1])
    return pa.Table.from_batches([batch.slice(int(begin), int(end - begin))])
