"""The archive on a Hive or Spark server: the production implementation of `storage.archive`."""

import threading
from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from storage.archive import Archive, Scan, SourceProbe
from storage.errors import InvalidError
from storage.external import Connections, tables_of
from storage.hive import documents as reading
from storage.hive import managed
from storage.hive.catalog import TableName, show_partitions
from storage.hive.connection import HiveConnection
from storage.hive.ddl import add_partitions, create_tables, drop_partitions, table_of
from storage.hive.leftovers import remove_leftovers
from storage.hive.place import ArchivePlace
from storage.hive.results import read_results
from storage.hive.staging import Staging
from storage.local_time import DAY_MS
from storage.parquet.engine import Engine
from storage.parquet.layout import KINDS, Kind, check_job, day_text
from storage.selector import Selector
from storage.series_key import SeriesKey, check_source
from storage.source import SourceSpec


class Loading(Protocol):
    """Who brings rows into the tables, and takes them out."""

    def write(self, kind: Kind, source: str, job: str, rows: pa.Table) -> None:
        """Store the rows of a job; the same job again overwrites itself."""
        ...

    def compact(self, source: str) -> int:
        """Fold what is in many pieces; returns how many are read no more."""
        ...

    def purge(self, source: str) -> None:
        """Remove what is stored of a source."""
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


class ExternalLoading:
    """Lupus writes the files, laid out as the embedded archive has them; the server learns of them.

    Between the file and its partition a job may be there in part: the same job again completes it.
    """

    def __init__(self, connection: HiveConnection, files: Archive) -> None:
        self._connection = connection
        self._files = files

    def write(self, kind: Kind, source: str, job: str, rows: pa.Table) -> None:
        """Write the files, then make their days known."""
        write = {
            "points": self._files.write_points,
            "results": self._files.write_results,
            "documents": self._files.write_documents,
        }
        write[kind](source, job, rows)
        days = sorted({day_text(ts // DAY_MS) for ts in rows["ts"].unique().to_pylist()})
        table = table_of(self._connection.options.database, kind)
        add_partitions(self._connection, table, source, days)

    def compact(self, source: str) -> int:
        """Fold files; the server goes on reading the old ones too until they are removed."""
        return self._files.compact(source)

    def purge(self, source: str) -> None:
        """Forget the partitions, then remove the files."""
        for kind in KINDS:
            table = table_of(self._connection.options.database, kind)
            drop_partitions(self._connection, table, {"source": source})
        self._files.purge(source)

    def close(self) -> None:
        """Close what wrote the files."""
        self._files.close()


class HiveArchive:
    """Long-term points and results in tables of one database, made when they are absent."""

    def __init__(
        self,
        connection: HiveConnection,
        place: ArchivePlace,
        loading: Loading,
        connections: Connections,
        engine: Engine,
        staging: Staging,
    ) -> None:
        self._connection = connection
        self._place = place
        self._loading = loading
        self._connections = connections
        self._engine = engine  # of the connections that are folders
        self._staging = staging
        self._made = False
        self._making = threading.Lock()

    def write_points(self, source: str, job: str, points: pa.Table) -> int:
        """Store the points of one ingest; the same job again overwrites itself."""
        return self._write("points", source, job, points)

    def scan(self, source: SourceSpec, selector: Selector) -> Scan:
        """Read the selected series once, ordered, newest versions only."""
        if not source.managed:
            return tables_of(self._connections, source).scan(source, selector)
        table = self._tables("points")
        return managed.scan(self._connection, table, source.name, selector, self._staging)

    def series(self, source: SourceSpec, selector: Selector) -> Sequence[SeriesKey]:
        """The series that have a point in the range."""
        if not source.managed:
            return tables_of(self._connections, source).series(source, selector)
        table = self._tables("points")
        return managed.series(self._connection, table, source.name, selector)

    def write_results(self, source: str, run: str, results: pa.Table) -> int:
        """Store the results of one run; the same run again overwrites itself."""
        return self._write("results", source, run, results)

    def read_results(self, source: str, rule: str, start_ms: int, end_ms: int) -> pa.Table:
        """The newest generation per (rule, series, ts) in the range."""
        table = self._tables("results")
        return read_results(self._connection, table, source, rule, start_ms, end_ms)

    def write_documents(self, source: str, job: str, documents: pa.Table) -> int:
        """Store what one run told the index; the same job again overwrites itself."""
        return self._write("documents", source, job, documents)

    def documents(self, source: str, start_ms: int, end_ms: int) -> Iterator[pa.RecordBatch]:
        """Documents with a time in the range, ordered by kind, key and generation."""
        table = self._tables("documents")
        return reading.documents(self._connection, table, source, start_ms, end_ms)

    def point_days(self, source: str, start_ms: int, end_ms: int) -> Iterator[pa.RecordBatch]:
        """What is stored of each series and UTC day, all versions together."""
        table = self._tables("points")
        return reading.point_days(self._connection, table, source, start_ms, end_ms)

    def days(self, kind: Kind, source: str) -> Sequence[str]:
        """The UTC days that may hold something, oldest first."""
        found = show_partitions(self._connection, self._tables(kind), {"source": source})
        return sorted({partition["dt"] for partition in found})

    def probe(self, source: SourceSpec) -> SourceProbe:
        """Check an external mapping against its table; the SQL, partitions and five points."""
        if source.managed:
            raise InvalidError(f"source {source.name}: is managed, there is no table to probe")
        return tables_of(self._connections, source).probe(source)

    def compact(self, source: str) -> int:
        """Fold partitions of more than 16 files; returns files removed from reading."""
        self._tables("points")
        return self._loading.compact(check_source(source))

    def tidy(self, before_ms: int) -> int:
        """Drop tables of inserts and scans that were killed, with their files."""
        return remove_leftovers(self._staging.connection, self._staging.objects, before_ms)

    def purge(self, source: str) -> None:
        """Remove what is stored of a managed source."""
        self._tables("points")
        self._loading.purge(check_source(source))

    def close(self) -> None:
        """End all sessions."""
        for connection in self._connections.values():
            connection.close()
        self._connection.close()
        self._staging.connection.close()
        self._loading.close()
        self._engine.close()

    def _write(self, kind: Kind, source: str, job: str, rows: pa.Table) -> int:
        check_source(source)
        check_job(job)
        self._tables(kind)
        self._loading.write(kind, source, job, rows)
        return int(rows.num_rows)

    def _tables(self, kind: Kind) -> TableName:
        """The table, made with the others by the first question of a process."""
        with self._making:
            if not self._made:
                create_tables(self._connection, self._place.load, self._place.seen)
                self._made = True
        return table_of(self._connection.options.database, kind)
