"""A clock that is set back or forward under a working service: nothing lost, nothing waits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.accept_ingest import new_payload
from service.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from service.database.idempotency import RequestKey, find_replay, remember
from service.database.queue import NewJob, add_job
from storage.errors import UnreachableError
from tests.service.clocks import NOON
from tests.service.databases import KINDS
from tests.service.receiver import Receiver, receiving
from tests.service.world import POINT, World, world

KEY = RequestKey("ann", "detections", "k", "x" * 64)
STEPS = pytest.mark.parametrize(
    "step_ms", [-HOUR_MS, -DAY_MS, HOUR_MS, DAY_MS], ids=["-1h", "-1d", "+1h", "+1d"]
)


@pytest.fixture(params=KINDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, request.param) as made:
        yield made


@STEPS
def test_runs_go_on_in_the_order_of_acceptance(house: World, step_ms: int) -> None:
    house.launcher.script = ["run"]
    first = house.accept()
    house.tick("run")
    waiting = house.accept()
    house.clock.step(step_ms)
    later = house.accept()
    assert first.generation < waiting.generation < later.generation
    house.clock.advance(SECOND_MS)
    assert house.tick("run") == f"run:{first.id}", "it is looked at at once"
    if step_ms == DAY_MS:  # nobody can tell that it was not a day
        assert "not over 24 hours" in house.run(first).error
    else:
        assert house.run(first).state == "running"
        house.launcher.end(house.request(first))
    house.settle()
    ended = [house.run(run) for run in (first, waiting, later)]
    assert all(run.ended for run in ended)
    assert house.run(later).state == "succeeded"
    for run in ended:
        assert (run.ended_ms or 0) >= (run.started_ms or 0)
    launched = [run for run, _ in house.launcher.launched]
    assert launched == [run.id for run in (first, waiting, later) if run.id in launched]


@STEPS
def test_an_ingest_that_waits_for_its_store_is_not_given_up(
    house: World, step_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_given: Any) -> None:
        raise UnreachableError("archive: no route to host")

    ingest = house.accept_points()
    with monkeypatch.context() as patch:
        patch.setattr("service.worker.ingest_tick.ingest_together", away)
        house.tick("ingest")
        house.clock.step(step_ms)
        house.clock.advance(MINUTE_MS)
        assert house.tick("ingest") == f"ingest:{ingest.id}", "nothing waits for the old time"
    assert house.ingest(ingest).state == "queued"
    house.clock.step(-step_ms)
    house.clock.advance(MINUTE_MS)
    house.tick("ingest")
    assert house.ingest(ingest).state == "succeeded"


def test_an_ingest_whose_store_stays_away_is_given_up_after_a_day_of_tries(
    house: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_given: Any) -> None:
        raise UnreachableError("archive: no route to host")

    monkeypatch.setattr("service.worker.ingest_tick.ingest_together", away)
    ingest = house.accept_points()
    for _ in range(110):
        house.tick("ingest")
        house.clock.advance(DAY_MS // 100)
    assert house.ingest(ingest).state == "failed"


@STEPS
def test_the_janitor_removes_nothing_that_was_made_a_moment_ago(house: World, step_ms: int) -> None:
    objects = house.parts.stores.objects
    run = house.accept()
    house.settle()
    staged = new_payload(house.clock.now_ms(), "json")
    objects.put(staged.name, POINT)
    with house.database.write() as tx:
        remember(tx, KEY, "run", run.id, house.clock.now_ms())
        add_job(tx, NewJob("janitor", "janitor", ""), house.clock.now_ms())
    for by_ms in (step_ms, -step_ms):
        house.tick("janitor")
        house.clock.step(by_ms)
        house.clock.advance(2 * HOUR_MS + MINUTE_MS)
        assert house.tick("janitor"), "it is due, whatever the clock said before"
    assert list(objects.names(f"runs/{run.id}/"))
    assert list(objects.names(f"ingest/{staged.ingest}/"))
    with house.database.read() as tx:
        assert find_replay(tx, KEY, house.clock.now_ms()) == run.id


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@STEPS
def test_a_message_that_failed_is_tried_again_soon(
    house: World, receiver: Receiver, step_ms: int
) -> None:
    house.webhook(receiver.url)
    receiver.answers = [(503, {})]
    house.accept(notify={"channels": ["chat"], "on": ["succeeded"]})
    house.settle()
    house.settle("delivery", ticks=1)
    assert len(receiver.got) == 1
    house.clock.step(step_ms)
    house.settle("delivery", seconds=60, ticks=5)
    assert [one.state for one in house.deliveries()] == ["sent"]
    assert len({(got.id, got.body) for got in receiver.got}) == 1


def test_numbers_of_ingests_grow_over_every_step(house: World) -> None:
    numbers = []
    for step_ms in (0, -DAY_MS, HOUR_MS, DAY_MS, -HOUR_MS):
        house.clock.step(step_ms)
        numbers.append(house.ingest(house.accept_points()).sequence)
    assert numbers == sorted(set(numbers))
    assert numbers[0] >= NOON << 20
