"""Every implementation of each store: a second one joins the contract tests by one line."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from storage.archive import Archive
from storage.connections import Connection
from storage.index import Index
from storage.objects import Objects
from storage.settings import StorageSettings
from storage.stores import open_archive, open_index, open_objects
from tests.storage.elasticsearch.server import OLDER, PLAIN, SECURED, place_of, remove
from tests.storage.hive_archive.shared import lent_archive
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


# An 8.x server is tried when there is one; the gate asks for none.
SERVERS = {"elasticsearch": PLAIN, "elasticsearch-secured": SECURED} | (
    {"elasticsearch-8": OLDER} if os.environ.get(OLDER) else {}
)


def on_elasticsearch(variable: str, folder: Path) -> Index:
    """An index below a prefix that belongs to the folder."""
    place = place_of(variable, folder)
    return open_index(replace(settings(folder), index=place.url, elasticsearch=place.settings))


def discard_index(implementation: str, folder: Path) -> None:
    """Remove what an index keeps outside of its folder."""
    if implementation in SERVERS:
        remove(place_of(SERVERS[implementation], folder))


OBJECTS: dict[str, Callable[[Path], Objects]] = {
    "folder": lambda folder: open_objects(settings(folder)),
    "s3": lambda folder: open_objects(on_s3(folder)),
}
INDEXES: dict[str, Callable[[Path], Index]] = {
    "sqlite": lambda folder: open_index(settings(folder)),
    **{name: partial(on_elasticsearch, variable) for name, variable in SERVERS.items()},
}
ARCHIVES: dict[str, Callable[[Path], Archive]] = {
    "parquet": lambda folder: open_archive(settings(folder)),
    "parquet-s3": lambda folder: open_archive(on_s3(folder)),
    "hive": lambda folder: lent_archive("hive", settings),
    "spark": lambda folder: lent_archive("spark", settings),
}

# Implementations that need a real server.
REAL = frozenset({"s3", "parquet-s3", "hive", "spark", *SERVERS})


def contract(implementations: Iterable[str]) -> list[Any]:
    """The names as parameters of a fixture, marked where a real server is needed."""
    return [
        pytest.param(name, marks=pytest.mark.real) if name in REAL else name
        for name in implementations
    ]
