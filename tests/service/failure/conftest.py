"""Fixtures of the tests of failures."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.stores import open_stores
from tests.workflows.world import World, storage_settings


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Real stores for steps."""
    with open_stores(storage_settings(tmp_path)) as stores:
        yield World(tmp_path, stores)
