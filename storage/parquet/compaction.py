"""Folds the many small files of a partition into one, while others read and write.

One ingest is one file, so a day collects as many files as it had ingests. The merged file is
written first; then, under the partition's lock, it gets its name and every old file gets a mark
that takes it out of reading. Marked files stay longer than the longest query, because a reader
may have listed them before; a later compaction removes them. Two compactions at once: the second
finds under the lock that its files are marked already, and throws its own work away. A process
killed between name and marks leaves rows twice, which readers resolve as versions.
"""

import fcntl
import os
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from storage.archive import DOCUMENT_SCHEMA, RESULT_SCHEMA
from storage.parquet import layout
from storage.parquet.engine import Engine
from storage.parquet.layout import Kind
from storage.parquet.managed import stream, view
from storage.parquet.resolve import newest
from storage.parquet.results import results_view
from storage.parquet.write import POINT_FILE_SCHEMA, ROWS_PER_GROUP
from storage.sql.matching import name
from storage.translation import system_errors

MOST_FILES = 16
# Longer than any query may last; abandoned temporary files are older than any write, too.
GRACE_SECONDS = 6 * 3600.0

# What a file is sorted by, and of which rows the last one says all that the others said.
_ORDER: dict[Kind, tuple[str, ...]] = {
    "points": ("metric", "series", "ts", "sequence"),
    "results": ("rule", "series", "ts", "generation"),
    "documents": ("kind", "key", "generation"),
}
_SAME: dict[Kind, tuple[str, ...]] = {
    "points": ("series", "ts"),
    "results": ("rule", "series", "ts", "generation"),
    "documents": ("kind", "key", "generation"),
}
_SCHEMA: dict[Kind, pa.Schema] = {
    "points": POINT_FILE_SCHEMA,
    "results": RESULT_SCHEMA,
    "documents": DOCUMENT_SCHEMA,
}

_Stamp = tuple[int, int, int]


def compact_partition(engine: Engine, kind: Kind, folder: Path, grace_seconds: float) -> int:
    """Fold a partition if it has too many files; returns how many are read no more."""
    with system_errors(f"archive folder {folder}"):
        _remove_old(folder, grace_seconds)
        files = layout.live_files(folder)
        if len(files) <= MOST_FILES:
            return 0
        try:
            stamps = [_stamp(file) for file in files]
        except FileNotFoundError:
            return 0  # somebody else is at work here
        temporary = merge(engine, kind, folder, files)
        try:
            return _replace(folder, files, stamps, temporary)
        finally:
            temporary.unlink(missing_ok=True)


def _stamp(file: Path) -> _Stamp:
    status = file.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def merge(engine: Engine, kind: Kind, folder: Path, files: Sequence[Path]) -> Path:
    """The rows of some files in a temporary file of a folder, versions resolved."""
    schema = _SCHEMA[kind]
    query = (
        exp.select(*(name(column) for column in schema.names))
        .from_("points")
        .order_by(*(name(column) for column in _ORDER[kind]))
    )
    named = results_view if kind == "results" else view
    rows = stream(engine, files, lambda cursor: named(cursor, files), query.sql(dialect="duckdb"))
    temporary = folder / layout.temporary_name("compact")
    try:
        with temporary.open("wb") as file:
            with pq.ParquetWriter(file, schema, compression="zstd") as writer:
                for batch in newest(rows, _SAME[kind]):
                    table = pa.Table.from_batches([batch]).cast(schema)
                    writer.write_table(table, row_group_size=ROWS_PER_GROUP)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _replace(folder: Path, files: Sequence[Path], stamps: Sequence[_Stamp], temporary: Path) -> int:
    with layout.locked(folder, fcntl.LOCK_EX) as descriptor:
        if not all(_unchanged(file, stamp) for file, stamp in zip(files, stamps, strict=True)):
            return 0
        merged = f"{layout.COMPACTED}{os.urandom(8).hex()}.parquet"
        temporary.rename(folder / merged)
        # The merged file must be on the disk before the first mark is.
        os.fsync(descriptor)
        for file in files:
            (folder / layout.superseded_mark(file.name)).touch()
        os.fsync(descriptor)
    return len(files)


def _unchanged(file: Path, stamp: _Stamp) -> bool:
    mark = file.parent / layout.superseded_mark(file.name)
    return not mark.exists() and file.exists() and _stamp(file) == stamp


def _remove_old(folder: Path, grace_seconds: float) -> None:
    """Remove files whose mark is old, and temporary files that nobody finishes any more."""
    old = time.time() - grace_seconds  # file systems date by this clock too
    marks = [*folder.glob(".*.superseded"), *folder.glob(".*.tmp")]
    if not any(_older(mark, old) for mark in marks):
        return
    with layout.locked(folder, fcntl.LOCK_EX):
        for mark in marks:
            if _older(mark, old):
                if mark.suffix == ".superseded":
                    (folder / mark.stem.removeprefix(".")).unlink(missing_ok=True)
                mark.unlink(missing_ok=True)


def _older(file: Path, than: float) -> bool:
    try:
        return file.stat().st_mtime < than
    except FileNotFoundError:
        return False
