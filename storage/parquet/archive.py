"""The archive in a folder of Parquet files: the embedded implementation of `storage.archive`."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from storage.archive import Scan, SourceProbe
from storage.parquet import external, layout, managed, write
from storage.parquet.engine import Engine
from storage.parquet.probe import probe
from storage.parquet.results import read_results
from storage.selector import Selector
from storage.series_key import SeriesKey
from storage.source import SourceSpec
from storage.translation import system_errors


class ParquetArchive:
    """Long-term points and results below one folder; external tables below named folders."""

    def __init__(self, root: Path, engine: Engine, connections: dict[str, Path]) -> None:
        self._root = root
        self._engine = engine
        self._connections = connections
        with system_errors(f"archive folder {root}"):
            root.mkdir(parents=True, exist_ok=True)

    def write_points(self, source: str, job: str, points: pa.Table) -> int:
        """Store the points of one ingest; the same job again overwrites itself."""
        write.write_points(self._root, source, job, points)
        return int(points.num_rows)

    def scan(self, source: SourceSpec, selector: Selector) -> Scan:
        """Read the selected series once, ordered, newest versions only."""
        if not source.managed:
            return external.scan(self._engine, self._connections, source, selector)
        return managed.scan(self._engine, self._root, source.name, selector)

    def series(self, source: SourceSpec, selector: Selector) -> Sequence[SeriesKey]:
        """The series that have a point in the range."""
        if not source.managed:
            return external.series(self._engine, self._connections, source, selector)
        return managed.series(self._engine, self._root, source.name, selector)

    def write_results(self, source: str, run: str, results: pa.Table) -> int:
        """Store the results of one run; the same run again overwrites itself."""
        write.write_results(self._root, source, run, results)
        return int(results.num_rows)

    def read_results(self, source: str, rule: str, start_ms: int, end_ms: int) -> pa.Table:
        """The newest generation per (rule, series, ts) in the range."""
        return read_results(self._engine, self._root, source, rule, start_ms, end_ms)

    def probe(self, source: SourceSpec) -> SourceProbe:
        """Check an external mapping against its table; the SQL, partitions and five points."""
        return probe(self._engine, self._connections, source)

    def compact(self, source: str) -> int:
        """Fold partitions of more than 16 files; returns files removed from reading."""
        return 0

    def purge(self, source: str) -> None:
        """Remove what is stored of a managed source."""
        for kind in ("points", "results"):
            folder = layout.source_folder(self._root, kind, source)
            with system_errors(f"archive folder {folder}"):
                if folder.exists():
                    shutil.rmtree(folder)

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()
