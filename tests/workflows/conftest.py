"""Fixtures of the workflows room."""

import multiprocessing
import multiprocessing.forkserver
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.stores import open_stores
from tests.workflows.world import World, storage_settings


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_stores(storage_settings(tmp_path)) as stores:
        yield World(tmp_path, stores)


@pytest.fixture(scope="session")
def fork_server() -> None:
    """One warm fork server for every pool of these tests: starting one takes seconds."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(["workflows.preload"])
    multiprocessing.forkserver.ensure_running()
