"""Every implementation of each store: a second one joins the contract tests by one line."""

from collections.abc import Callable
from pathlib import Path

from storage.archive import Archive
from storage.connections import Connection
from storage.index import Index
from storage.objects import Objects
from storage.settings import StorageSettings
from storage.stores import open_archive, open_index, open_objects


def settings(folder: Path) -> StorageSettings:
    """Embedded stores below one folder, with a connection named ``warehouse``."""
    return StorageSettings(
        archive=f"file://{folder}/archive",
        index=f"sqlite:///{folder}/index.db",
        objects=f"file://{folder}/objects",
        connections=(Connection("warehouse", f"file://{folder}/warehouse"),),
        scratch=folder / "scratch",
        memory_limit_mb=512,
    )


OBJECTS: dict[str, Callable[[Path], Objects]] = {
    "folder": lambda folder: open_objects(settings(folder)),
}
INDEXES: dict[str, Callable[[Path], Index]] = {
    "sqlite": lambda folder: open_index(settings(folder)),
}
ARCHIVES: dict[str, Callable[[Path], Archive]] = {
    "parquet": lambda folder: open_archive(settings(folder)),
}
