"""Large ingests are carried out by the launcher: watched, tried again, closed by their outcome."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from service.accept_ingest import accept_ingest, new_payload
from service.clock import DAY_MS, SECOND_MS
from service.database.ingests import Ingest
from service.settings import MIB
from storage.errors import UnreachableError
from storage.settings import StorageSettings
from tests.service.databases import KINDS
from tests.service.world import World
from tests.service.world import world as open_world
from tests.waiting import until
from workflows.codec import from_plain
from workflows.commits import Attempt
from workflows.failure import Failure, record_failure
from workflows.ingest_job import OUTCOME, IngestOutcome, ingest_job, ingest_root
from workflows.local import LocalLauncher
from workflows.request import IngestRequest
from workflows.settings import WorkflowSettings


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, request.param) as world:
        yield world


def accept(world: World, value: object = 1.0, text_bytes: int = 16 * MIB) -> Ingest:
    now_ms = world.clock.now_ms()
    payload = replace(new_payload(now_ms, "json"), text_bytes=text_bytes)
    rows = [{"metric": "ndcg", "time": "2025-11-01", "value": value}]
    world.parts.stores.objects.put(payload.name, json.dumps({"points": rows}).encode())
    return accept_ingest(world.database, "shop", payload, "ann", now_ms).ingest


def settle(world: World) -> None:
    world.settle("load")


def test_a_large_one_is_launched_watched_and_closed(world: World) -> None:
    world.launcher.script = ["run"]
    large = accept(world)
    assert world.tick("ingest") is None
    assert world.tick("load") == f"ingest:{large.id}"
    small = accept(world, 2.0, 16 * MIB - 1)
    assert world.tick("ingest") is None, "its turn comes after the large one"
    world.clock.advance(SECOND_MS)
    world.tick("load")
    assert world.ingest(large).state == "running"
    world.parts.stores.objects.put(f"{ingest_root(large.id)}/stored.json", b"{}")
    world.clock.advance(SECOND_MS)
    world.tick("load")
    assert world.ingest(large).state == "stored"
    world.launcher.end_ingest(_request(world, large))
    settle(world)
    ended = world.ingest(large)
    assert (ended.state, ended.points, ended.error) == ("succeeded", 7, "")
    assert world.launcher.launched == [(large.id, 1)]
    world.tick("ingest")
    assert world.ingest(small).state == "succeeded"


def _request(world: World, one: Ingest) -> IngestRequest:
    return from_plain(IngestRequest, world.ingest(one).request)


def test_a_lost_pod_is_launched_again_and_the_reason_is_shown(world: World) -> None:
    world.launcher.script = ["fail", "fail"]
    large = accept(world)
    world.tick("load")
    world.clock.advance(SECOND_MS)
    world.tick("load")
    assert world.ingest(large).error == "the pod was lost"
    settle(world)
    assert (world.ingest(large).state, world.ingest(large).error) == ("succeeded", "")
    assert world.launcher.launched == [(large.id, 1), (large.id, 2), (large.id, 3)]


def test_rows_at_fault_are_named(world: World) -> None:
    """The step commits the refusal; the worker tells it, whatever the launcher says."""
    world.launcher.script = ["run"]
    large = accept(world, "high")
    world.tick("load")
    with pytest.raises(Exception, match="row 1, value"):
        ingest_job(world.parts.context, large.id)
    with pytest.raises(Exception, match="row 1, value"):
        ingest_job(world.parts.context, large.id)
    settle(world)
    ended = world.ingest(large)
    assert (ended.state, ended.errors[0]["row"]) == ("failed", 1)


def test_a_failure_for_good_is_told_as_the_step_said_it(world: World) -> None:
    world.launcher.script = ["refuse"]
    large = accept(world)
    told = Failure("ingest", 0, "InvalidError", "the payload is gone", False, 1)
    record_failure(world.parts.stores.objects, ingest_root(large.id), told)
    settle(world)
    assert (world.ingest(large).state, world.ingest(large).error) == (
        "failed", "the payload is gone",
    )  # fmt: skip


def test_what_is_not_over_after_a_day_is_given_up_and_stays_so(world: World) -> None:
    world.launcher.script = ["run"]
    large = accept(world)
    world.tick("load")
    world.clock.advance(DAY_MS + SECOND_MS)
    world.tick("load")
    ended = world.ingest(large)
    assert ended.state == "failed"
    assert "24 hours" in ended.error
    assert world.launcher.cancelled == [large.id]
    attempt = Attempt(world.parts.stores.objects, ingest_root(large.id), "ingest")
    assert attempt.commit(OUTCOME, IngestOutcome(error="late")).read(IngestOutcome).error != "late"
    with pytest.raises(Exception, match="given up"):
        ingest_job(world.parts.context, large.id)


def test_what_cannot_be_launched_says_why_and_is_launched_later(world: World) -> None:
    world.launcher.error = UnreachableError("objects: no route to host")
    large = accept(world)
    world.tick("load")
    assert world.ingest(large).error == "not launched: objects: no route to host"
    world.launcher.error = None
    settle(world)
    assert world.ingest(large).state == "succeeded"


def test_a_new_process_finds_what_it_does_not_know_absent(world: World) -> None:
    world.launcher.script = ["run"]
    large = accept(world)
    world.tick("load")
    world.launcher.forget()
    settle(world)
    assert world.ingest(large).state == "succeeded"
    assert world.launcher.launched == [(large.id, 1), (large.id, 1)]


def test_a_process_of_the_pool_does_it(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        storage = StorageSettings(
            archive=f"file://{tmp_path}/archive",
            index=f"sqlite:///{tmp_path}/index.db",
            objects=f"file://{tmp_path}/objects",
            scratch=tmp_path / "scratch",
        )
        launcher = LocalLauncher(storage, WorkflowSettings(processes=1))
        try:
            world.parts = replace(world.parts, launcher=launcher)
            large, bad = accept(world), accept(world, "high")

            def over() -> bool:
                world.tick("load")
                world.clock.advance(SECOND_MS)
                return all(world.ingest(one).ended for one in (large, bad))

            until(over, 120)
        finally:
            launcher.close()
        assert (world.ingest(large).state, world.ingest(large).points) == ("succeeded", 1)
        assert world.ingest(bad).errors[0]["message"].startswith('is "high"; allowed')
