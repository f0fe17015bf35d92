"""Services in this process, opened once: each test uses sources of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.app import open_app
from service.worker.settings import WorkerSettings
from tests.service.api.house import House, idle_settings, settings_of
from tests.service.clocks import TurnedClock
from tests.service.world import World
from tests.service.world import world as open_world
from tests.workflows import publishing

_FAST = WorkerSettings(poll_ms=50, look_ms=50, first_backoff_ms=50)


@pytest.fixture(scope="session")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service with a worker."""
    settings = settings_of(tmp_path_factory.mktemp("working"), processes=1)
    with open_app(settings, pace=_FAST) as app:
        yield House(app)


@pytest.fixture(scope="session")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service without a worker: what was accepted stays queued."""
    with open_app(idle_settings(tmp_path_factory.mktemp("idle"))) as app:
        yield House(app)


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def turned(tmp_path: Path, clock: TurnedClock) -> Iterator[House]:
    """A service without a worker whose clock the test turns."""
    with open_app(idle_settings(tmp_path), clock) as app:
        yield House(app)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A worker's world, tick by tick."""
    with open_world(tmp_path) as world:
        yield world


@pytest.fixture
def steps(tmp_path: Path) -> Iterator[publishing.House]:
    """The real steps over real stores."""
    with publishing.house_at(tmp_path) as house:
        yield house
