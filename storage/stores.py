"""Opens the three stores that settings name."""

from dataclasses import dataclass

from storage.archive import Archive
from storage.folder import FolderObjects
from storage.index import Index
from storage.location import database_file_of, folder_of
from storage.objects import Objects
from storage.sqlite.index import SqliteIndex


@dataclass(frozen=True)
class Stores:
    """Archive, index and objects of one process."""

    archive: Archive
    index: Index
    objects: Objects


def open_objects(url: str) -> Objects:
    """The objects of a ``file://`` URL; detect steps open nothing else."""
    return FolderObjects(folder_of("objects", url))


def open_index(url: str) -> Index:
    """The index of a ``sqlite://`` URL."""
    return SqliteIndex(database_file_of("index", url))
