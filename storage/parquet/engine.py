"""In-memory DuckDB, one for each process: it reads Parquet files and keeps nothing."""

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from storage.archive import ADDED_TO_RESULTS, DOCUMENT_SCHEMA, POINT_SCHEMA, RESULT_SCHEMA
from storage.errors import (
    BusyError,
    CorruptError,
    FullError,
    InvalidError,
    NotFoundError,
    RefusedError,
    StorageError,
    UnreachableError,
)
from storage.scratch import own_folder
from storage.translation import system_errors

ROWS_PER_BATCH = 262_144
_SCRATCH_PREFIX = "lupus-duckdb-"

# DuckDB has one exception for many causes of an I/O error; its words tell them apart.
_BY_WORDS: tuple[tuple[str, type[StorageError]], ...] = (
    ("no space left", FullError),
    ("max_temp_directory_size", FullError),
    ("disk quota", FullError),
    ("file too large", FullError),
    ("too many open files", BusyError),
    ("cannot allocate memory", BusyError),
    ("permission denied", RefusedError),
    ("read-only file system", RefusedError),
    ("no such file", NotFoundError),
    ("no files found", NotFoundError),
    ("schema mismatch", CorruptError),
    ("footer", CorruptError),
    ("magic bytes", CorruptError),
    ("too small to be a parquet", CorruptError),
    ("parquet", CorruptError),
    ("snappy", CorruptError),
    ("zstd", CorruptError),
    ("thrift", CorruptError),
    ("corrupt", CorruptError),
)
_BY_TYPE: tuple[tuple[type[duckdb.Error], type[StorageError]], ...] = (
    (duckdb.OutOfMemoryException, BusyError),
    (duckdb.IOException, UnreachableError),
    (duckdb.BinderException, NotFoundError),
    (duckdb.CatalogException, NotFoundError),
    (duckdb.ConversionException, InvalidError),
    (duckdb.FatalException, UnreachableError),
    (duckdb.InternalException, UnreachableError),
)
_ADVICE = "; restore the file from the backup, or move it away and send its points again"
_OURS = [
    set(schema.names) - set(ADDED_TO_RESULTS)
    for schema in (POINT_SCHEMA, RESULT_SCHEMA, DOCUMENT_SCHEMA)
]
_QUOTED_PATH = re.compile(r"[\"'](/[^\"']+)[\"']")


class Engine:
    """Gives cursors; spills into a folder of its own below ``scratch``."""

    def __init__(self, memory_limit_mb: int, threads: int, scratch: Path | None) -> None:
        self._memory_limit_mb = memory_limit_mb
        self._threads = threads
        self._scratch = scratch or Path(tempfile.gettempdir())
        self._lock = threading.Lock()
        self._root: duckdb.DuckDBPyConnection | None = None
        self._inherited: duckdb.DuckDBPyConnection | None = None
        self._owner = os.getpid()
        self._spill: tuple[Path, int] | None = None

    @contextmanager
    def cursor(self, files: Sequence[Path] = ()) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor of its own for one query over some files, errors translated."""
        with self._translated(files):
            cursor = self._new_cursor()
            try:
                # A setting of each session: the bar would write to standard output.
                cursor.execute("SET enable_progress_bar = false")
                yield cursor
            finally:
                cursor.close()

    def _new_cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._owner != os.getpid():
                # A fork carries a database over without its threads: it must never be touched.
                self._inherited, self._root, self._spill = self._root, None, None
                self._owner = os.getpid()
            if self._root is None:
                self._root = self._connect()
            return self._root.cursor()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        if self._spill is None:
            with system_errors(f"scratch folder {self._scratch}"):
                self._spill = own_folder(self._scratch, _SCRATCH_PREFIX)
        return duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{self._memory_limit_mb}MB",
                "threads": self._threads,
                "temp_directory": str(self._spill[0]),
                # Every query that cares says ORDER BY; keeping file order costs memory.
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )

    @contextmanager
    def _translated(self, files: Sequence[Path]) -> Iterator[None]:
        try:
            yield
        except (duckdb.FatalException, duckdb.InternalException) as error:
            # Such a database answers nothing any more: the next query begins with a new one.
            with self._lock:
                self._root = None
            raise _storage_error(error, files) from error
        except (duckdb.Error, pa.ArrowException) as error:
            # What fails while a result streams comes through Arrow.
            raise _storage_error(error, files) from error

    def close(self) -> None:
        """Close the database and remove what it spilled."""
        with self._lock:
            if self._root is not None and self._owner == os.getpid():
                self._root.close()
                if self._spill is not None:
                    shutil.rmtree(self._spill[0], ignore_errors=True)
                    os.close(self._spill[1])
            self._root, self._spill = None, None


def _storage_error(error: Exception, files: Sequence[Path]) -> StorageError:
    text = str(error).partition("\n")[0]
    words = _QUOTED_PATH.sub("", text).lower()  # every path says "parquet"
    kind = next((k for phrase, k in _BY_WORDS if phrase in words), None)
    if isinstance(error, duckdb.BinderException | duckdb.CatalogException):
        odd = _odd(files)
        if odd is not None:
            return CorruptError(
                f"file {odd}: has other columns than those beside it: {text}{_ADVICE}"
            )
        kind = NotFoundError
    if kind is None:
        kind = next((k for t, k in _BY_TYPE if isinstance(error, t)), None)
    unknown = kind is None  # a decoder's own words about bytes that make no sense to it
    broken = isinstance(error, duckdb.FatalException | duckdb.InternalException)
    if (broken or unknown or kind is CorruptError) and not _QUOTED_PATH.search(text):
        bad = _unreadable(files)
        if bad is not None:
            return CorruptError(f"file {bad}: {text}{_ADVICE}")
    kind = kind or InvalidError
    return kind(f"archive: {text}{_ADVICE if kind is CorruptError else ''}")


def _unreadable(files: Sequence[Path]) -> Path | None:
    """The first file that a second reader refuses too: DuckDB does not always name it."""
    for file in files:
        try:
            with pq.ParquetFile(file) as parquet:
                for _ in parquet.iter_batches():
                    pass
        except (pa.ArrowException, OSError):
            return file
    return None


def _odd(files: Sequence[Path]) -> Path | None:
    """The file with other columns than those beside it: somebody else has put it there."""
    groups: dict[str, list[Path]] = {}
    ours: dict[str, bool] = {}
    for file in files:
        with suppress(pa.ArrowException, OSError):
            schema = pq.read_schema(file)
            columns = schema.remove_metadata().to_string()
            groups.setdefault(columns, []).append(file)
            ours[columns] = any(names <= set(schema.names) for names in _OURS)
    if len(groups) < 2:
        return None
    return min(groups.items(), key=lambda one: (ours[one[0]], len(one[1])))[1][0]


def files_argument(files: Sequence[Path]) -> list[str]:
    """File names as DuckDB takes them: a pattern's letters stand for themselves."""
    return [re.sub(r"([*?\[])", r"[\1]", str(file)) for file in files]
