"""Writes a job's rows into day partitions: all temporary files first, then their names.

A process that dies, or a disk that fills, before the names are given leaves nothing to read.
Between the names a job may be there in part: the same job written again completes itself.
"""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.archive import DOCUMENT_SCHEMA, POINT_SCHEMA, RESULT_SCHEMA
from storage.batches import batches
from storage.errors import InvalidError
from storage.local_time import DAY_MS
from storage.parquet import layout
from storage.parquet.identify import identify
from storage.parquet.layout import Kind
from storage.translation import system_errors

POINT_FILE_SCHEMA = pa.schema(
    [("series", pa.string()), *((field.name, field.type) for field in POINT_SCHEMA)]
)
# Small groups let a reader skip what its metric and time do not need.
ROWS_PER_GROUP = 131_072
# A day's file waits for the disk, not for the processor: several days wait together.
WRITERS = 8
FIRST_MS = (date.min - layout.EPOCH).days * DAY_MS
LAST_MS = (date.max - layout.EPOCH).days * DAY_MS + DAY_MS - 1


Days = Iterable[tuple[int, pa.Table]]  # a day counted from 1970, and its rows in their order


def write_points(root: Path, source: str, job: str, points: pa.Table) -> list[Path]:
    """Store the points of one ingest; returns the partitions touched."""
    return _write_days(root, "points", source, job, point_days(source, points))


def write_results(root: Path, source: str, run: str, results: pa.Table) -> list[Path]:
    """Store the results of one run; returns the partitions touched."""
    return _write_days(root, "results", source, run, result_days(results))


def write_documents(root: Path, source: str, job: str, documents: pa.Table) -> list[Path]:
    """Store what one run told the index; returns the partitions touched."""
    return _write_days(root, "documents", source, job, document_days(documents))


def point_days(source: str, points: pa.Table) -> Days:
    """The points of one ingest as the files of their days have them."""
    points = _conforming(points, POINT_SCHEMA, ("metric", "ts", "sequence"))
    if not pc.all(pc.is_finite(points["value"]), min_count=0).as_py():
        raise InvalidError("value: allowed are finite numbers and null")
    series = identify(source, points["metric"], points["labels"])
    ts = points["ts"].to_numpy()
    order = np.lexsort((ts, series.numbers, ts // DAY_MS))
    metrics = pa.array([key.metric for key in series.keys], pa.string())
    ids = pa.array([key.id for key in series.keys], pa.string())
    labels = pa.array([list(key.labels) for key in series.keys], POINT_SCHEMA.field("labels").type)

    def rows_of(some: npt.NDArray[np.int64]) -> pa.Table:
        numbers, place = pa.array(series.numbers[some]), pa.array(some)
        numeric = [points[name].take(place) for name in ("ts", "value", "sequence")]
        columns = [ids.take(numbers), metrics.take(numbers), labels.take(numbers), *numeric]
        return pa.Table.from_arrays(columns, schema=POINT_FILE_SCHEMA)

    return ((day, rows_of(some)) for day, some in _by_day(ts, order))


def result_days(results: pa.Table) -> Days:
    """The results of one run as the files of their days have them."""
    results = _conforming(results, RESULT_SCHEMA, ("rule", "series", "ts", "generation"))
    return _sorted_days(results, ("rule", "series", "ts"))


def document_days(documents: pa.Table) -> Days:
    """The documents of one run as the files of their days have them."""
    documents = _conforming(documents, DOCUMENT_SCHEMA, DOCUMENT_SCHEMA.names)
    return _sorted_days(documents, ("kind", "key", "generation"))


def _sorted_days(rows: pa.Table, by: Sequence[str]) -> Days:
    ts = rows["ts"].to_numpy()
    keys = [(column, "ascending") for column in by]
    sorted_rows = np.asarray(pc.sort_indices(rows.select(by), sort_keys=keys)).astype(np.int64)
    order = sorted_rows[np.argsort(ts[sorted_rows] // DAY_MS, kind="stable")]
    return ((day, rows.take(pa.array(some))) for day, some in _by_day(ts, order))


def write_file(rows: pa.Table, folder: Path, job: str) -> Path:
    """Write a temporary file that has reached the disk."""
    temporary = folder / layout.temporary_name(job)
    try:
        with temporary.open("wb") as file:
            pq.write_table(rows, file, compression="zstd", row_group_size=ROWS_PER_GROUP)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _conforming(rows: pa.Table, schema: pa.Schema, required: Iterable[str]) -> pa.Table:
    missing = [name for name in schema.names if name not in rows.column_names]
    if missing:
        raise InvalidError(f"columns {', '.join(missing)}: missing")
    try:
        rows = rows.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise InvalidError(f"rows do not fit the archive's columns: {error}") from error
    for name in required:
        if rows[name].null_count:
            raise InvalidError(f"{name}: null is not allowed")
    return rows


def _by_day(
    ts: npt.NDArray[np.int64], order: npt.NDArray[np.int64]
) -> Iterable[tuple[int, npt.NDArray[np.int64]]]:
    if len(ts) and not FIRST_MS <= ts.min() <= ts.max() <= LAST_MS:
        raise InvalidError("ts: allowed are times of the years 1 to 9999")
    days = ts[order] // DAY_MS
    cuts = np.flatnonzero(np.diff(days)) + 1
    return ((int(ts[part[0]] // DAY_MS), part) for part in np.split(order, cuts) if len(part))


def _write_days(
    root: Path, kind: Kind, source: str, job: str, days: Iterable[tuple[int, pa.Table]]
) -> list[Path]:
    layout.check_job(job)
    written: list[Path] = []

    def write_day(day: int, rows: pa.Table) -> None:
        folder = layout.partition_folder(root, kind, source, day)
        folder.mkdir(parents=True, exist_ok=True)
        written.append(write_file(rows, folder, job))

    def place(temporary: Path) -> None:
        layout.place(temporary, f"{job}.parquet")

    with system_errors(f"archive {kind} of {source}"), ThreadPoolExecutor(WRITERS) as writers:
        try:
            # The rows of a batch are in memory together.
            for batch in batches(days, 4 * WRITERS):
                _all(writers.submit(write_day, *day) for day in batch)
            _all(writers.submit(place, temporary) for temporary in written)
        except BaseException:
            for temporary in written:
                temporary.unlink(missing_ok=True)
            raise
    return sorted({temporary.parent for temporary in written})


def _all(futures: Iterable[Future[None]]) -> None:
    """Wait for every one, then raise the first error."""
    ended = list(futures)
    wait(ended)
    for future in ended:
        future.result()
