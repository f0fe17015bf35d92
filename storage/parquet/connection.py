"""A folder of somebody's Parquet tables as a connection of external sources."""

from collections.abc import Sequence
from pathlib import Path

from storage.archive import Scan, SourceProbe
from storage.parquet import external
from storage.parquet.engine import Engine
from storage.parquet.probe import probe
from storage.selector import Selector
from storage.series_key import SeriesKey
from storage.source import SourceSpec


class ParquetTables:
    """Tables below one folder, a folder each; the engine belongs to whoever opened it."""

    def __init__(self, root: Path, engine: Engine) -> None:
        self._root = root
        self._engine = engine

    def scan(self, source: SourceSpec, selector: Selector) -> Scan:
        """Read the selected series once, ordered, duplicates resolved and counted."""
        return external.scan(self._engine, self._root, source, selector)

    def series(self, source: SourceSpec, selector: Selector) -> Sequence[SeriesKey]:
        """The series that have a point in the range."""
        return external.series(self._engine, self._root, source, selector)

    def probe(self, source: SourceSpec) -> SourceProbe:
        """Check an external mapping against its table; the SQL, partitions and five points."""
        return probe(self._engine, self._root, source)

    def close(self) -> None:
        """Nothing is held."""
