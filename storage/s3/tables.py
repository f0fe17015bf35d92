"""A bucket of somebody's Parquet tables as a connection of external sources."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from storage.archive import Scan, SourceProbe
from storage.errors import InvalidError, NotFoundError
from storage.local_time import LocalTime
from storage.parquet import external
from storage.parquet.engine import Engine
from storage.parquet.probe import PARTITIONS_READ, probe
from storage.parquet.tables import TableFile, is_data, partitioned, pruned
from storage.s3.archive import held
from storage.s3.files import BucketFiles, Snapshot
from storage.selector import EVERYTHING, Selector
from storage.series_key import SeriesKey
from storage.source import ExternalMapping, SourceSpec
from storage.sql.mapping import check_mapping

if TYPE_CHECKING:
    from obstore import ObjectMeta

Pick = Callable[[list[TableFile]], list[TableFile]]


class S3Tables:
    """Tables below one prefix, a folder each; the engine belongs to whoever opened it.

    A question fetches the files of the partitions that it needs, and reads them as it would read
    a folder's.
    """

    def __init__(self, bucket: BucketFiles, engine: Engine) -> None:
        self._bucket = bucket
        self._engine = engine

    def scan(self, source: SourceSpec, selector: Selector) -> Scan:
        """Read the selected series once, ordered, duplicates resolved and counted."""
        snapshot = self._asked(source, selector)
        found = external.scan(self._engine, snapshot.folder, source, selector)
        return Scan(found.keys, found.counts, held(found.batches, snapshot), found.duplicates)

    def series(self, source: SourceSpec, selector: Selector) -> Sequence[SeriesKey]:
        """The series that have a point in the range."""
        snapshot = self._asked(source, selector)
        try:
            return external.series(self._engine, snapshot.folder, source, selector)
        finally:
            snapshot.close()

    def probe(self, source: SourceSpec) -> SourceProbe:
        """Check a mapping against its table; the SQL, partitions and five points."""
        partitions: set[str] = set()

        def newest(files: list[TableFile]) -> list[TableFile]:
            partitions.update(file.written for file in files if file.partition)
            recent = set(sorted(partitions)[-PARTITIONS_READ:])
            return [file for file in files if file.written in recent or not partitions]

        snapshot = self._fetched(source, EVERYTHING, newest)
        try:
            found = probe(self._engine, snapshot.folder, source)
        finally:
            snapshot.close()
        return replace(found, partitions=tuple(sorted(partitions)))

    def _asked(self, source: SourceSpec, selector: Selector) -> Snapshot:
        return self._fetched(source, selector, lambda files: files)

    def _fetched(self, source: SourceSpec, selector: Selector, pick: Pick) -> Snapshot:
        mapping = source.mapping
        if mapping is None:
            raise InvalidError(f"source {source.name}: is managed, it has no table")
        check_mapping(mapping)
        found = self._files(mapping)
        # The paths are names in the bucket: nothing is on the disk yet.
        files = partitioned(Path(mapping.table), map(Path, found), mapping)
        local = LocalTime(source.timezone, selector.start_ms, selector.end_ms)
        # Without a file in the range the last one still says which columns there are.
        kept = pick(pruned(files, mapping, selector, local)) or files[-1:]
        return self._bucket.snapshot([found[str(file.path)] for file in kept])

    def _files(self, mapping: ExternalMapping) -> dict[str, "ObjectMeta"]:
        table = PurePosixPath(mapping.table)
        if table.is_absolute() or not table.parts or ".." in table.parts:
            raise InvalidError(
                f"table {mapping.table!r}: leads out of connection {mapping.connection}"
            )
        listed = self._bucket.listed(str(table))
        if not listed:
            raise NotFoundError(
                f"table {mapping.table}: connection {mapping.connection} has no such"
            )
        return {
            each["path"]: each
            for each in listed
            if is_data(PurePosixPath(each["path"]).relative_to(table))
        }

    def close(self) -> None:
        """Remove what lies in the scratch folder."""
        self._bucket.close()
