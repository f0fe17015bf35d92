"""Opens the three stores that settings name."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from storage.archive import Archive
from storage.folder import FolderObjects
from storage.index import Index
from storage.location import folder_of
from storage.objects import Objects
from storage.settings import StorageSettings


@dataclass(frozen=True)
class Stores:
    """Archive, index and objects of one process."""

    archive: Archive
    index: Index
    objects: Objects


def open_objects(url: str) -> Objects:
    """The objects of a ``file://`` URL; detect steps open nothing else."""
    return FolderObjects(folder_of("objects", url))


@contextmanager
def open_stores(settings: StorageSettings) -> Iterator[Stores]:
    """Open what the URLs name; an unknown scheme is refused with the ones that are known."""
    raise NotImplementedError
    yield
