"""Everything on one disk that is full: one clear error, nothing lost, and it goes on with room."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.app import open_app
from service.clock import SECOND_MS
from service.database.counters import next_value
from service.database.engine import open_database
from service.database.migrate import upgrade
from service.errors import DatabaseFullError
from storage.selector import Selector
from storage.source import SourceSpec
from storage.stores import open_stores
from tests.service.api.house import House, idle_settings
from tests.service.failure.disk import Disk, small_disk
from tests.service.world import World, world
from tests.workflows.kills import SETTINGS, documents
from tests.workflows.world import request, storage_settings, write_daily
from workflows.context import write_request
from workflows.step_entry import StepCall, StepName, StepWorld, run_step

TRANSIENT = 75


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "small", 12) as mounted:
        yield mounted


@pytest.fixture
def house(disk: Disk, tmp_path: Path) -> Iterator[World]:
    """Its archive, index and objects on the small disk, its database elsewhere."""
    (tmp_path / "world").mkdir()
    with (
        world(tmp_path / "world") as made,
        open_stores(storage_settings(disk.folder)) as stores,
    ):
        made.parts = replace(made.parts, stores=stores)
        yield made


def empty_the_log(file: Path) -> None:
    """So that the next commit needs room: SQLite writes it where an old one was otherwise."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def test_an_ingest_that_finds_no_room_is_tried_until_there_is(house: World, disk: Disk) -> None:
    ingest = house.accept_points()
    disk.fill()
    house.tick("ingest")
    waiting = house.ingest(ingest)
    assert waiting.state == "queued"
    assert "No space left on device" in waiting.error
    disk.free()
    house.clock.advance(60 * SECOND_MS)
    house.tick("ingest")
    stored = house.ingest(ingest)
    assert (stored.state, stored.points, stored.error) == ("succeeded", 1, "")
    every = Selector((), 0, 1 << 50)
    scanned = house.parts.stores.archive.scan(SourceSpec("shop", "Asia/Tokyo"), every)
    assert sum(batch.num_rows for batch in scanned.batches) == 1


def test_a_database_without_room_says_so_and_keeps_what_it_had(disk: Disk) -> None:
    file = disk.folder / "lupus.db"
    database = open_database(f"sqlite:///{file}")
    upgrade(database)
    with database.write() as tx:
        assert next_value(tx, "kept") == 1
    database.check()
    empty_the_log(file)
    disk.fill()
    told = r"no room is left for the database .*lupus\.db"
    with pytest.raises(DatabaseFullError, match=told), database.write() as tx:
        next_value(tx, "kept")
    with pytest.raises(DatabaseFullError):
        database.check()
    disk.free()
    database.check()
    with database.write() as tx:
        assert next_value(tx, "kept") == 2, "nothing of the refused commit counts"
    database.close()


def test_callers_hear_507_and_probes_503_until_there_is_room(disk: Disk) -> None:
    settings = idle_settings(disk.folder)
    points = {"points": [{"metric": "m", "time": "2026-06-01", "value": 1}]}
    keyed = {"idempotency-key": "one"}
    with open_app(settings) as app:
        house = House(app)
        house.source("full")
        empty_the_log(disk.folder / "data" / "lupus.db")
        disk.fill()
        for path, body in (("/v1/sources/full/points", points), ("/v1/channels/a", None)):
            answer = house.http.request(
                "POST" if body else "PUT",
                path,
                json=body or {"kind": "webhook", "url": "http://127.0.0.1:9/x"},
                headers=keyed if body else {},
            )
            assert answer.status_code == 507, answer.text
            assert answer.headers["retry-after"] == "60"
            assert "room" in answer.text or "No space left" in answer.text
        ready = house.http.get("/readyz")
        assert ready.status_code == 503
        assert "no room is left for the database" in ready.json()["detail"]
        assert house.http.get("/v1/sources/full").status_code == 200, "reading goes on"
        disk.free()
        assert house.http.get("/readyz").status_code == 200
        sent = house.http.post("/v1/sources/full/points", json=points, headers=keyed)
        assert (sent.status_code, sent.json()["points"]) == (200, 1)


@pytest.mark.parametrize("full_at", ["plan", "detect", "publish"])
def test_a_step_without_room_fails_for_now_and_ends_with_the_same_documents(
    disk: Disk, tmp_path: Path, full_at: StepName
) -> None:
    def carry_out(root: Path, disturbed: bool) -> dict[str, Any]:
        settings = storage_settings(root)
        steps = StepWorld(settings, SETTINGS)
        with open_stores(settings) as stores:
            write_daily(stores, 12)
            write_request(stores.objects, request("r1"))
            calls = [StepCall("plan", "r1"), StepCall("publish", "r1")]
            while calls:
                call = calls[0]
                if disturbed and call.name == full_at:
                    disturbed = False
                    disk.fill()
                    failed = run_step(call, steps)
                    disk.free()
                    assert failed.exit_code == TRANSIENT, failed
                    assert "space" in failed.error or "room" in failed.error, failed
                    continue
                ended = run_step(calls.pop(0), steps)
                assert ended.exit_code == 0, ended
                chunks = range(ended.chunks if call.name == "plan" else 0)
                calls[0:0] = [StepCall("detect", "r1", chunk) for chunk in chunks]
            return documents(stores, "r1")

    assert carry_out(disk.folder / "full", True) == carry_out(tmp_path / "calm", False)
