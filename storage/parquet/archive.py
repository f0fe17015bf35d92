"""The archive in a folder of Parquet files: the embedded implementation of `storage.archive`."""

import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from storage.archive import Scan, SourceProbe
from storage.errors import InvalidError, StorageError
from storage.external import Connections, tables_of
from storage.parquet import documents as reading
from storage.parquet import layout, managed, write
from storage.parquet.compaction import GRACE_SECONDS, compact_partition
from storage.parquet.engine import Engine
from storage.parquet.layout import Kind
from storage.parquet.results import read_results
from storage.selector import Selector
from storage.series_key import SeriesKey
from storage.source import SourceSpec
from storage.translation import system_errors

_log = logging.getLogger(__name__)


class ParquetArchive:
    """Long-term points and results below one folder; external tables by their connection."""

    def __init__(self, root: Path, engine: Engine, connections: Connections) -> None:
        self._root = root
        self._engine = engine
        self._connections = connections
        with system_errors(f"archive folder {root}"):
            root.mkdir(parents=True, exist_ok=True)

    def write_points(self, source: str, job: str, points: pa.Table) -> int:
        """Store the points of one ingest; the same job again overwrites itself."""
        self._fold("points", write.write_points(self._root, source, job, points))
        return int(points.num_rows)

    def scan(self, source: SourceSpec, selector: Selector) -> Scan:
        """Read the selected series once, ordered, newest versions only."""
        if not source.managed:
            return tables_of(self._connections, source).scan(source, selector)
        return managed.scan(self._engine, self._root, source.name, selector)

    def series(self, source: SourceSpec, selector: Selector) -> Sequence[SeriesKey]:
        """The series that have a point in the range."""
        if not source.managed:
            return tables_of(self._connections, source).series(source, selector)
        return managed.series(self._engine, self._root, source.name, selector)

    def write_results(self, source: str, run: str, results: pa.Table) -> int:
        """Store the results of one run; the same run again overwrites itself."""
        self._fold("results", write.write_results(self._root, source, run, results))
        return int(results.num_rows)

    def read_results(self, source: str, rule: str, start_ms: int, end_ms: int) -> pa.Table:
        """The newest generation per (rule, series, ts) in the range."""
        return read_results(self._engine, self._root, source, rule, start_ms, end_ms)

    def write_documents(self, source: str, job: str, documents: pa.Table) -> int:
        """Store what one run told the index; the same job again overwrites itself."""
        self._fold("documents", write.write_documents(self._root, source, job, documents))
        return int(documents.num_rows)

    def documents(self, source: str, start_ms: int, end_ms: int) -> Iterator[pa.RecordBatch]:
        """Documents with a time in the range, ordered by kind, key and generation."""
        return reading.documents(self._engine, self._root, source, start_ms, end_ms)

    def point_days(self, source: str, start_ms: int, end_ms: int) -> Iterator[pa.RecordBatch]:
        """What is stored of each series and UTC day, all versions together."""
        return reading.point_days(self._engine, self._root, source, start_ms, end_ms)

    def days(self, kind: Kind, source: str) -> Sequence[str]:
        """The UTC days that may hold something, oldest first."""
        return layout.days(self._root, kind, source)

    def probe(self, source: SourceSpec) -> SourceProbe:
        """Check an external mapping against its table; the SQL, partitions and five points."""
        if source.managed:
            raise InvalidError(f"source {source.name}: is managed, there is no table to probe")
        return tables_of(self._connections, source).probe(source)

    def compact(self, source: str) -> int:
        """Fold partitions of more than 16 files; returns files removed from reading.

        One that cannot be folded keeps none of the others from it; its error is raised at the end.
        """
        removed = 0
        trouble: StorageError | None = None
        for kind in layout.KINDS:
            for folder in layout.partitions(self._root, kind, source):
                try:
                    removed += compact_partition(self._engine, kind, folder, GRACE_SECONDS)
                except StorageError as error:
                    trouble = trouble or error
        if trouble is not None:
            raise trouble
        return removed

    def _fold(self, kind: Kind, folders: Sequence[Path]) -> None:
        """Compact what a write has filled up; the write itself counts already."""
        for folder in folders:
            try:
                compact_partition(self._engine, kind, folder, GRACE_SECONDS)
            except StorageError as error:
                _log.warning("partition %s is not compacted: %s", folder.name, error)
                return

    def tidy(self, before_ms: int) -> int:
        """Nothing: what a write leaves behind lies in its partition, for the next compaction."""
        return 0

    def purge(self, source: str) -> None:
        """Remove what is stored of a managed source."""
        for kind in layout.KINDS:
            folder = layout.source_folder(self._root, kind, source)
            with system_errors(f"archive folder {folder}"):
                # Gone for readers at once; a purge that is killed is finished by the next one.
                with suppress(FileNotFoundError):
                    folder.rename(folder.with_name(f".purged-{os.urandom(8).hex()}"))
                for purged in folder.parent.glob(".purged-*"):
                    shutil.rmtree(purged, ignore_errors=True)

    def close(self) -> None:
        """Close the connections, then the engine that may serve them."""
        for connection in self._connections.values():
            connection.close()
        self._engine.close()
