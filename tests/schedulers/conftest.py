"""Two real services for all that calls one: a working one, and one whose runs never begin."""

from collections.abc import Iterator

import pytest

from tests.service.api.house import daily
from tests.service.served import Served, served

DROP = "2026-07-31"  # the day 60 of `shop`


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With 84 days of `shop`, one of them low."""
    folder = tmp_path_factory.mktemp("service") / "data"
    with served(folder, {"LUPUS_PROCESSES": "1"}) as service:
        service.http.put("/v1/sources/shop", json={"kind": "managed"})
        values = [0.1 if day == 60 else 0.4 for day in range(84)]
        service.post("/v1/sources/shop/points", json={"points": daily(values)})
        yield service


@pytest.fixture(scope="session")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Without a worker: what was accepted stays queued."""
    folder = tmp_path_factory.mktemp("idle") / "data"
    with served(folder, {"LUPUS_WORKER": "false"}) as service:
        service.http.put("/v1/sources/shop", json={"kind": "managed"})
        yield service
