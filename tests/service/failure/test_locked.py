"""A database that another process has locked: a bounded wait, 503, and no lease is lost."""

from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.app import open_app
from service.database.access import BUSY_SECONDS
from service.database.queue import Leaser, NewJob, add_job, finish, lease
from service.errors import DatabaseBusyError
from service.worker.leases import Leases
from service.worker.settings import WorkerSettings
from tests.service.api.house import House, idle_settings
from tests.service.clocks import TurnedClock
from tests.service.databases import opened
from tests.service.failure.locks import locked

PACE = WorkerSettings()


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.database.sqlite.BUSY_SECONDS", 0.3)


def test_callers_hear_503_and_readers_hear_nothing_of_it(tmp_path: Path) -> None:
    with open_app(idle_settings(tmp_path)) as app:
        house = House(app)
        house.source("shop")
        with locked(tmp_path / "data" / "lupus.db"):
            refused = house.http.put("/v1/sources/other", json={"kind": "managed"})
            assert refused.status_code == 503, refused.text
            assert refused.headers["retry-after"] == "5"
            assert "locked" in refused.json()["detail"]
            assert house.http.get("/v1/sources/shop").status_code == 200
            assert house.http.get("/readyz").status_code == 503
            assert house.http.get("/livez").status_code == 200
        assert house.http.get("/readyz").status_code == 200
        assert house.source("other") == "other"


def test_a_caller_that_comes_in_the_meantime_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.database.sqlite.BUSY_SECONDS", 60.0)
    with (
        open_app(idle_settings(tmp_path)) as app,
        ExitStack() as lock,
        ThreadPoolExecutor(1) as caller,
    ):
        lock.enter_context(locked(tmp_path / "data" / "lupus.db"))
        answer = caller.submit(House(app).source, "shop")
        assert not wait([answer], 0.5).done
        lock.close()
        assert answer.result(60) == "shop"


def test_no_lease_is_lost_while_nobody_can_write(tmp_path: Path) -> None:
    """Two processes look after a job; the lock lasts for many leases."""
    clock = TurnedClock()
    third = PACE.lease_ms // 3
    with opened("sqlite", tmp_path) as database:
        keeper = Leases(database, clock, PACE, "pool-1")
        watcher = Leases(database, clock, PACE, "pool-2")
        with database.write() as tx:
            add_job(tx, NewJob("a", "run", "shop"), clock.now_ms())
            job = lease(tx, Leaser("w/1", "pool-1"), ("run",), clock.now_ms(), PACE.lease_ms)
        assert job is not None
        with keeper.keeping(job):
            assert watcher.release_lost() == 0
            with locked(tmp_path / "lupus.db"):
                for _ in range(4):
                    clock.advance(third)
                    for attempt in (keeper.renew_mine, watcher.release_lost):
                        with pytest.raises(DatabaseBusyError):
                            attempt()
            assert watcher.release_lost() == 0, "whoever comes first takes nothing"
            keeper.renew_mine()
            for _ in range(5):
                clock.advance(third)
                keeper.renew_mine()
                assert watcher.release_lost() == 0
        for _ in range(4):
            clock.advance(third)
            if watcher.release_lost():
                break
        else:
            pytest.fail("a job whose keeper is gone is never taken over")
        with database.write() as tx:
            taken = lease(tx, Leaser("w/2", "pool-2"), ("run",), clock.now_ms(), PACE.lease_ms)
            assert taken is not None
            finish(tx, taken)


def test_a_renewal_that_waited_leaves_time_for_another() -> None:
    assert PACE.lease_ms / 3 > BUSY_SECONDS * 1000
