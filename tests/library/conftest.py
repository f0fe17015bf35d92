"""The real service in this process, behind a real socket: what the client talks to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from lupus import Client
from service.app import open_app
from service.demo.process import free_port
from tests.library.client.hostile import Hostile
from tests.service.api.conftest import _FAST
from tests.service.api.house import House, settings_of


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service with a worker, and all that is inside it."""
    folder, port = tmp_path_factory.mktemp("library"), free_port()
    settings = settings_of(folder, processes=1, port=port, inline_points=1000)
    with open_app(settings, pace=_FAST) as app, serving(uvicorn.Config(app, port=port)):
        yield House(app)


@contextmanager
def serving(config: uvicorn.Config) -> Iterator[None]:
    """Answer on a real socket, in a thread."""
    config.lifespan, config.access_log, config.log_config = "off", False, None
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def url(house: House) -> str:
    return f"http://127.0.0.1:{house.resources.settings.port}"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LUPUS_URL", "LUPUS_TOKEN", "LUPUS_TOKEN_FILE", "LUPUS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def client(url: str) -> Client:
    """The local administrator."""
    return Client(url, retry_for=60)


@pytest.fixture
def hostile(url: str) -> Iterator[Hostile]:
    """A network between the client and the service that does what a test tells it."""
    with Hostile(url) as between:
        yield between
