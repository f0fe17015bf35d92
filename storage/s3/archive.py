"""The archive as Parquet files in a bucket, read from local copies with in-memory DuckDB."""

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from storage.archive import Scan, SourceProbe
from storage.errors import InvalidError, StorageError
from storage.external import Connections, tables_of
from storage.parquet import documents as reading
from storage.parquet import layout, managed, write
from storage.parquet.compaction import GRACE_SECONDS
from storage.parquet.engine import Engine
from storage.parquet.layout import Kind
from storage.parquet.results import read_results
from storage.s3.compaction import compact_partition
from storage.s3.files import BucketFiles, Snapshot
from storage.s3.layout import by_partition, live, source_prefix
from storage.selector import Selector
from storage.series_key import SeriesKey
from storage.source import SourceSpec

_log = logging.getLogger(__name__)


class S3Archive:
    """Long-term points and results below a prefix; external tables by their connection.

    The files of the asked days are fetched whole into the scratch folder, where an unchanged one
    is kept for the next question.
    """

    def __init__(self, bucket: BucketFiles, engine: Engine, connections: Connections) -> None:
        self._bucket = bucket
        self._engine = engine
        self._connections = connections

    def write_points(self, source: str, job: str, points: pa.Table) -> int:
        """Store the points of one ingest; the same job again overwrites itself."""
        self._write("points", source, lambda root: write.write_points(root, source, job, points))
        return int(points.num_rows)

    def write_results(self, source: str, run: str, results: pa.Table) -> int:
        """Store the results of one run; the same run again overwrites itself."""
        self._write("results", source, lambda root: write.write_results(root, source, run, results))
        return int(results.num_rows)

    def _write(self, kind: Kind, source: str, write_in: Callable[[Path], Sequence[Path]]) -> None:
        staging = self._bucket.own_folder()
        try:
            days = sorted(write_in(staging))
            self._bucket.upload(staging, [file for day in days for file in day.glob("*.parquet")])
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        if days:
            self._fold(kind, source, days[0].name, days[-1].name)

    def scan(self, source: SourceSpec, selector: Selector) -> Scan:
        """Read the selected series once, ordered, newest versions only."""
        if not source.managed:
            return tables_of(self._connections, source).scan(source, selector)
        snapshot = self._snapshot("points", source.name, selector.start_ms, selector.end_ms)
        found = managed.scan(self._engine, snapshot.folder, source.name, selector)
        return Scan(found.keys, found.counts, held(found.batches, snapshot), found.duplicates)

    def series(self, source: SourceSpec, selector: Selector) -> Sequence[SeriesKey]:
        """The series that have a point in the range."""
        if not source.managed:
            return tables_of(self._connections, source).series(source, selector)
        snapshot = self._snapshot("points", source.name, selector.start_ms, selector.end_ms)
        try:
            return managed.series(self._engine, snapshot.folder, source.name, selector)
        finally:
            snapshot.close()

    def read_results(self, source: str, rule: str, start_ms: int, end_ms: int) -> pa.Table:
        """The newest generation per (rule, series, ts) in the range."""
        snapshot = self._snapshot("results", source, start_ms, end_ms)
        try:
            return read_results(self._engine, snapshot.folder, source, rule, start_ms, end_ms)
        finally:
            snapshot.close()

    def write_documents(self, source: str, job: str, documents: pa.Table) -> int:
        """Store what one run told the index; the same job again overwrites itself."""
        self._write(
            "documents",
            source,
            lambda root: write.write_documents(root, source, job, documents),
        )
        return int(documents.num_rows)

    def documents(self, source: str, start_ms: int, end_ms: int) -> Iterator[pa.RecordBatch]:
        """Documents with a time in the range, ordered by kind, key and generation."""
        snapshot = self._snapshot("documents", source, start_ms, end_ms)
        found = reading.documents(self._engine, snapshot.folder, source, start_ms, end_ms)
        return held(found, snapshot)

    def point_days(self, source: str, start_ms: int, end_ms: int) -> Iterator[pa.RecordBatch]:
        """What is stored of each series and UTC day, all versions together."""
        snapshot = self._snapshot("points", source, start_ms, end_ms)
        found = reading.point_days(self._engine, snapshot.folder, source, start_ms, end_ms)
        return held(found, snapshot)

    def days(self, kind: Kind, source: str) -> Sequence[str]:
        """The UTC days that may hold something, oldest first."""
        files = self._bucket.listed(source_prefix(kind, source))
        return [folder.rpartition("dt=")[2] for folder, _ in by_partition(live(files))]

    def probe(self, source: SourceSpec) -> SourceProbe:
        """Check an external mapping against its table; the SQL, partitions and five points."""
        if source.managed:
            raise InvalidError(f"source {source.name}: is managed, there is no table to probe")
        return tables_of(self._connections, source).probe(source)

    def compact(self, source: str) -> int:
        """Fold partitions of more than 16 files; returns files removed from reading."""
        return sum(self._compact(kind, source) for kind in layout.KINDS)

    def _compact(self, kind: Kind, source: str, first: str = "", last: str = "") -> int:
        prefix = source_prefix(kind, source)
        after, end = (f"{prefix}/{first}", f"{prefix}/{last}") if first else ("", "")
        return sum(
            compact_partition(self._bucket, self._engine, kind, folder, files, GRACE_SECONDS)
            for folder, files in by_partition(self._bucket.listed(prefix, after, end))
        )

    def _fold(self, kind: Kind, source: str, first: str, last: str) -> None:
        """Compact what a write has filled up; the write itself counts already."""
        try:
            self._compact(kind, source, first, last)
        except StorageError as error:
            _log.warning("%s of %s are not compacted: %s", kind, source, error)

    def tidy(self, before_ms: int) -> int:
        """Nothing: what a write leaves behind lies in its partition, for the next compaction."""
        return 0

    def purge(self, source: str) -> None:
        """Remove what is stored of a managed source."""
        for kind in layout.KINDS:
            files = self._bucket.listed(source_prefix(kind, source))
            self._bucket.delete([each["path"] for each in files])

    def _snapshot(self, kind: Kind, source: str, start_ms: int, end_ms: int) -> Snapshot:
        prefix = source_prefix(kind, source)
        days = layout.days_between(start_ms, end_ms)
        if days is None:
            return self._bucket.snapshot(())
        first, last = (f"{prefix}/{day}" for day in days)
        return self._bucket.snapshot(live(self._bucket.listed(prefix, first, last)))

    def close(self) -> None:
        """Close the engine, and remove what lies in the scratch folder."""
        self._engine.close()
        self._bucket.close()


def held(batches: Iterator[pa.RecordBatch], snapshot: Snapshot) -> Iterator[pa.RecordBatch]:
    """The batches; their files are removed with the last one or ``close``."""
    try:
        yield from batches
    finally:
        snapshot.close()
