"""Every implementation of each store: a second one joins the contract tests by one line."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storage.archive import Archive
from storage.connections import Connection
from storage.index import Index
from storage.objects import Objects
from storage.settings import StorageSettings
from storage.stores import open_archive, open_index, open_objects
from tests.storage.s3.bucket import bucket_of


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


def on_s3(folder: Path) -> StorageSettings:
    """Objects and archive in the test bucket, below a prefix that belongs to the folder."""
    bucket = bucket_of(folder)
    return replace(
        settings(folder),
        archive=f"{bucket.url}/archive",
        objects=f"{bucket.url}/objects",
        connections=(Connection("warehouse", f"{bucket.url}/warehouse"),),
        s3=bucket.s3,
    )


OBJECTS: dict[str, Callable[[Path], Objects]] = {
    "folder": lambda folder: open_objects(settings(folder)),
    "s3": lambda folder: open_objects(on_s3(folder)),
}
INDEXES: dict[str, Callable[[Path], Index]] = {
    "sqlite": lambda folder: open_index(settings(folder)),
}
ARCHIVES: dict[str, Callable[[Path], Archive]] = {
    "parquet": lambda folder: open_archive(settings(folder)),
    "parquet-s3": lambda folder: open_archive(on_s3(folder)),
}

# Implementations that need a real server.
REAL = frozenset({"s3", "parquet-s3"})


def contract(implementations: Iterable[str]) -> list[Any]:
    """The names as parameters of a fixture, marked where a real server is needed."""
    return [
        pytest.param(name, marks=pytest.mark.real) if name in REAL else name
        for name in implementations
    ]
