"""One archive for all tests of a process: making a database and its tables takes seconds."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from storage.archive import Archive
from storage.connections import Connection
from storage.stores import open_archive
from tests.storage.hive_archive.warehouse import Engine, Warehouse

_shared: dict[str, tuple[Warehouse, Archive]] = {}


class LentArchive:
    """An archive whose ``close`` removes what was written and leaves it open for the next test."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._sources: set[str] = set()
        self._examples = 0

    def write_points(self, source: str, job: str, points: pa.Table) -> int:
        self._sources.add(source)
        return self._archive.write_points(source, job, points)

    def write_results(self, source: str, run: str, results: pa.Table) -> int:
        self._sources.add(source)
        return self._archive.write_results(source, run, results)

    def write_documents(self, source: str, job: str, documents: pa.Table) -> int:
        self._sources.add(source)
        return self._archive.write_documents(source, job, documents)

    @staticmethod
    def next_example(archive: object, most: int) -> bool:
        """Whether a property is tried on one more example: not on more than ``most``."""
        assert isinstance(archive, LentArchive)
        archive._examples += 1
        return archive._examples <= most

    def close(self) -> None:
        for source in self._sources:
            if source.islower() or source.isdigit():
                self._archive.purge(source)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._archive, name)


def lent_archive(engine: str, settings: Any) -> Archive:
    """The archive of this process on one server; ``settings`` are those of a folder."""
    if engine not in _shared:
        folder = Path(tempfile.mkdtemp(prefix="lupus-"))
        warehouse = Warehouse(cast("Engine", engine), folder)
        opened = open_archive(archive_settings(warehouse, settings(folder)))
        _shared[engine] = warehouse, opened
    return cast("Archive", LentArchive(_shared[engine][1]))


def archive_settings(warehouse: Warehouse, base: Any, load: str = "external") -> Any:
    """Settings of an archive in the database of a warehouse."""
    return replace(
        base,
        archive=f"{warehouse.url}?location={warehouse.location}&load={load}",
        s3=warehouse.s3,
        connections=(
            *base.connections,
            Connection("archive", "", {"dialect": warehouse.engine, "deadline_seconds": 300}),
        ),
    )


def drop_shared() -> None:
    """Forget the databases of this process."""
    while _shared:
        warehouse, archive = _shared.popitem()[1]
        archive.close()
        warehouse.drop()
