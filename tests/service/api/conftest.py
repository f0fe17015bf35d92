"""The real application in this process: real SQLite, real stores, a real worker and its pool."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.app import open_app
from service.settings import Settings
from service.worker.settings import WorkerSettings
from tests.service.api.house import WAREHOUSE, House, idle_settings, settings_of

_FAST = WorkerSettings(poll_ms=50, look_ms=100, first_backoff_ms=50)


@pytest.fixture(scope="session")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service with a worker, shared: each test uses sources of its own."""
    folder = tmp_path_factory.mktemp("working")
    connections = folder / "connections.toml"
    connections.write_text(f'[warehouse]\nurl = "{(folder / WAREHOUSE).as_uri()}"\n')
    settings = settings_of(folder, processes=1, connections_file=connections)
    with open_app(settings, pace=_FAST) as app:
        yield House(app)


@pytest.fixture(scope="session")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service without a worker: what was accepted stays queued."""
    with open_app(idle_settings(tmp_path_factory.mktemp("idle"))) as app:
        yield House(app)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an application that a test opens itself."""
    return idle_settings(tmp_path)
