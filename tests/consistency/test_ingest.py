"""Ingests: whole or not at all, repeatable, and seen by the detections that come after them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.database.ingests import update_ingest
from service.database.queue import Leaser, lease
from service.worker.ingest_tick import carry_out
from tests.service.api.house import FIRST_MS, House, daily, detection, rfc3339
from tests.service.world import World
from workflows.codec import from_plain
from workflows.ingest import ingest
from workflows.request import IngestRequest

MINUTES = 12_000  # more than are stored before the answer
CSV = {"content-type": "text/csv"}


def minutes(first: int = 0) -> str:
    lines = [
        f"ndcg@10,{rfc3339(FIRST_MS + n * 60_000)},{0.1 if n % MINUTES == 7 else 1}"
        for n in range(first, first + MINUTES)
    ]
    return "\n".join(["metric,time,value", *lines])


def by_minutes(source: str, **more: Any) -> dict[str, Any]:
    return detection(source, range={"start": "2026-06-01", "end": "2026-06-26"}, **more)


def test_a_detection_after_an_ingest_sees_all_of_it(working: House) -> None:
    """The last of three that are stored one after the other."""
    source = working.source("ing.after")
    path = f"/v1/sources/{source}/points"
    bodies = [minutes(part * MINUTES) for part in range(3)]
    for body in bodies:
        last = working.call("POST", path, 202, content=body, headers=CSV)["id"]
    run = working.detect(by_minutes(source, after=[last]))
    assert run["state"] == "succeeded"
    assert (run["counts"]["judged"], run["counts"]["new"]) == (3 * MINUTES, 3)
    assert working.call("GET", f"/v1/ingests/{last}")["state"] == "succeeded"
    # Accepted after it had succeeded, a detection need not name it.
    run = working.detect(by_minutes(source))
    assert (run["counts"]["judged"], run["counts"]["unchanged"]) == (3 * MINUTES, 3)


def test_a_detection_after_a_refused_ingest_fails_with_the_field(working: House) -> None:
    source = working.source("ing.refused")
    bad = [*daily([1.0]), {"metric": "ndcg@10", "time": "yesterday", "value": 1.0}]
    path = f"/v1/sources/{source}/points"
    refused = working.call("POST", path, 422, json={"points": bad})["ingest"]
    assert working.call("GET", f"/v1/sources/{source}/series")["items"] == []
    run = working.detect(detection(source, after=[refused]))
    assert (run["state"], run["pointer"]) == ("failed", "/after")
    assert refused in run["error"]
    assert not list(working.resources.stores.objects.names(f"runs/{run['id']}/")), (
        "nothing is begun"
    )


def test_a_detection_waits_for_an_ingest_and_can_be_cancelled_meanwhile(idle: House) -> None:
    source = idle.source("ing.waits")
    path = f"/v1/sources/{source}/points"
    accepted = idle.call("POST", path, 202, content=minutes(), headers=CSV)
    run = idle.call("POST", "/v1/detections", 202, json=by_minutes(source, after=[accepted["id"]]))
    assert run["state"] == "queued"
    assert idle.call("POST", f"/v1/detections/{run['id']}/cancel", 202)["state"] == "cancelled"


def test_naming_an_ingest_that_is_not_there_is_refused(idle: House) -> None:
    source = idle.source("ing.unknown")
    problem = idle.call("POST", "/v1/detections", 422, json=detection(source, after=["nope"]))
    assert problem["errors"][0]["pointer"] == "/after/0"


def test_states_follow_archive_then_index(world: World) -> None:
    one = world.accept_points()
    seen = [world.ingest(one).state]
    stores = world.parts.stores

    class Watched:
        def __init__(self, store: Any) -> None:
            self.store = store

        def __getattr__(self, name: str) -> Any:
            if name in ("write_points", "put_points"):
                seen.append(f"{name}: {world.ingest(one).state}")
            return getattr(self.store, name)

    archive: Any = Watched(stores.archive)
    index: Any = Watched(stores.index)
    world.parts = replace(world.parts, stores=replace(stores, archive=archive, index=index))
    world.tick("ingest")
    seen.append(world.ingest(one).state)
    assert seen == ["queued", "write_points: running", "put_points: stored", "succeeded"]


def test_a_run_does_not_begin_before_the_index_knows_the_points(world: World) -> None:
    one = world.accept_points()
    run = world.accept(after=(one.id,))
    for stage in ("running", "stored"):
        with world.database.write() as tx:
            update_ingest(tx, one.id, state=stage)
        world.settle()
        assert world.run(run).state == "queued", stage
    world.tick("ingest")
    world.settle()
    assert world.run(run).state == "succeeded"


def test_an_ingest_done_twice_is_stored_once(world: World, tmp_path: Path) -> None:
    one = world.accept_points()
    request = from_plain(IngestRequest, one.request)
    files = []
    for _ in range(3):
        ingest(world.parts.context, request)
        files.append(sorted(str(path) for path in (tmp_path / "archive").rglob("*.parquet")))
    assert files[0] == files[1] == files[2]
    assert len(files[0]) == 1


def test_an_ingest_that_is_over_is_not_done_again(world: World) -> None:
    """A worker took the lease over from one that had finished the work and not the job."""
    one = world.accept_points()
    world.tick("ingest")
    second = world.accept_points()
    with world.database.write() as tx:
        job = lease(tx, Leaser("w", "p"), ("ingest",), world.clock.now_ms(), 1000)
    assert job is not None
    assert job.payload["ingest"] == second.id
    stale = replace(job, payload={"ingest": one.id})

    class Untouched:
        def __getattr__(self, name: str) -> Any:
            pytest.fail(f"{name} was asked of a store")

    untouched: Any = Untouched()
    parts = replace(world.parts, stores=replace(world.parts.stores, archive=untouched))
    carry_out(parts.database, parts.context, parts.clock, stale, parts.settings)
    assert world.ingest(one).state == "succeeded"
