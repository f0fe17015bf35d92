"""The worker: what becomes of a run in every state, and of the things around it."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from service.accept_ingest import new_payload
from service.api.detection_out import shown
from service.cancel import cancel_run
from service.clock import DAY_MS, HOUR_MS, SECOND_MS
from service.database import tables
from service.database.ingests import update_ingest
from service.database.metrics import metrics_of
from service.database.queue import NewJob, add_job, count_held
from service.database.runs import Run, get_run
from service.errors import ConflictError
from service.identifier import made_ms, new_id
from service.ingest_now import ingest_now
from service.settings import load_settings
from service.worker.loop import Worker
from service.worker.settings import WorkerSettings
from storage.archive import Archive
from storage.errors import UnreachableError
from tests.service.clocks import NOON
from tests.service.databases import KINDS, add_source
from tests.service.fake_launcher import FakeLauncher, finish
from tests.service.world import World
from tests.service.world import world as open_world
from workflows.errors import ClusterError
from workflows.report import read_report
from workflows.settings import WorkflowSettings


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, request.param) as world:
        yield world


def test_a_run_is_started_watched_and_closed_from_its_report(world: World) -> None:
    world.launcher.script = ["run"]
    run = world.accept()
    assert world.tick("run") == f"run:{run.id}"
    assert world.run(run).state == "running"
    assert world.tick("run") is None
    world.clock.advance(SECOND_MS)
    world.tick("run")
    progress = world.run(run).progress
    assert progress is not None
    assert (progress["stage"], progress["chunks_done"], progress["chunks"]) == ("detect", 1, 2)
    finish(world.parts.stores.objects, run.id, run.generation, new=2)
    world.clock.advance(SECOND_MS)
    world.tick("run")
    ended = world.run(run)
    assert (ended.state, ended.ended_ms) == ("succeeded", NOON + 2 * SECOND_MS)
    assert ended.report is not None
    assert ended.report["counts"]["new"] == 2
    assert world.launcher.launched == [(run.id, 1)]
    world.settle()
    assert world.run(run) == ended


def test_the_page_of_the_work_stays_a_link_of_the_run(world: World) -> None:
    world.launcher.script = ["run"]
    world.launcher.link = "https://argo/workflows/n/w"
    run = world.accept()
    for _ in range(2):
        world.tick("run")
        world.clock.advance(SECOND_MS)
    finish(world.parts.stores.objects, run.id, run.generation)
    world.tick("run")
    ended = world.run(run)
    assert ended.progress is not None
    assert (ended.state, ended.progress["link"]) == ("succeeded", "https://argo/workflows/n/w")
    with world.parts.database.read() as tx:
        page = shown(tx, ended, load_settings())
    assert page.links["workflow"] == "https://argo/workflows/n/w"
    assert page.progress is not None
    assert "link" not in page.progress


def test_a_launcher_that_others_share_is_not_let_go_when_one_worker_ends(world: World) -> None:
    world.launcher.script = ["run"]
    run = world.accept()
    world.tick("run")
    for shared, held in ((True, 1), (False, 0)):
        worker = Worker(replace(world.parts, holder=world.holder, shared=shared))
        worker.start()
        worker.stop()
        with world.parts.database.read() as tx:
            assert count_held(tx, world.holder) == held
    assert world.run(run).state == "running"


def test_a_launcher_that_raises_is_asked_again_at_the_next_look(world: World) -> None:
    world.launcher.error = ClusterError("no API server")
    run = world.accept()
    world.tick("run")
    world.launcher.error = None
    world.settle()
    assert world.run(run).state == "succeeded"


def test_a_lost_attempt_is_followed_by_another_after_a_growing_pause(world: World) -> None:
    world.launcher.script = ["fail", "fail", "fail"]
    run = world.accept()
    times = []
    while not world.run(run).ended:
        before = len(world.launcher.launched)
        world.tick("run")
        if len(world.launcher.launched) > before:
            times.append(world.clock.now_ms() - NOON)
        world.clock.advance(SECOND_MS // 2)
    assert [attempt for _, attempt in world.launcher.launched] == [1, 2, 3, 4]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == sorted(pauses)
    assert pauses[-1] > pauses[0]
    assert world.run(run).state == "succeeded"


def test_a_lasting_failure_ends_the_run_with_its_reason(world: World) -> None:
    world.launcher.script = ["refuse"]
    run = world.accept()
    world.settle()
    ended = world.run(run)
    assert (ended.state, ended.error) == ("failed", "plan: no such table")
    report = read_report(world.parts.stores.objects, run.id)
    assert report is not None, "no late attempt can publish"
    assert report.outcome == "failed"
    assert len(world.launcher.launched) == 1


@pytest.mark.parametrize("marker", ["plan.json", "publish.json", "report.json"])
def test_a_run_whose_commits_cannot_be_read_ends(world: World, marker: str) -> None:
    world.launcher.script = ["run"]
    run = world.accept()
    world.tick("run")
    world.parts.stores.objects.put(f"runs/{run.id}/{marker}", b'{"format": 2}')
    world.settle()
    ended = world.run(run)
    assert ended.state == "failed"
    assert (
        f"runs/{run.id}/{marker}: Commit: not of format 1, which this version reads" in ended.error
    )


def test_a_run_past_its_deadline_fails_and_cannot_publish_later(world: World) -> None:
    world.launcher.script = ["run"]
    run = world.accept()
    world.tick("run")
    world.clock.advance(25 * HOUR_MS)
    world.settle()
    ended = world.run(run)
    assert ended.state == "failed"
    assert "not over 24 hours after it was accepted" in ended.error
    assert world.launcher.cancelled == [run.id]
    assert read_report(world.parts.stores.objects, run.id) is not None


def test_a_launcher_that_knows_nothing_gets_the_same_attempt_again(world: World) -> None:
    world.launcher.script = ["run"]
    run = world.accept()
    world.tick("run")
    world.launcher.forget()
    world.settle()
    assert world.launcher.launched == [(run.id, 1), (run.id, 1)]
    assert world.run(run).state == "succeeded"


def test_runs_of_a_rule_run_one_after_the_other(world: World) -> None:
    world.launcher.script = ["run"]
    first, second, other = world.accept(), world.accept(), world.accept(rule="other")
    while world.tick("run"):
        pass
    assert [run for run, _ in world.launcher.launched] == [first.id, other.id]
    assert world.run(second).state == "queued"
    finish(world.parts.stores.objects, first.id, first.generation)
    world.settle()
    assert [run for run, _ in world.launcher.launched] == [first.id, other.id, second.id]
    assert [world.run(run).state for run in (first, second, other)] == ["succeeded"] * 3


def test_a_run_waits_for_its_ingests(world: World) -> None:
    awaited = world.accept_points()
    run = world.accept(after=(awaited.id,))
    world.settle()
    assert world.run(run).state == "queued"
    world.settle("ingest", ticks=1)
    world.settle()
    assert world.run(run).state == "succeeded"


def test_a_run_whose_ingest_failed_fails_and_says_so(world: World) -> None:
    awaited = world.accept_points(b"not json")
    run = world.accept(after=(awaited.id,))
    world.settle("ingest", ticks=1)
    world.settle()
    ended = world.run(run)
    assert (ended.state, ended.pointer) == ("failed", "/after")
    assert awaited.id in ended.error
    assert "is failed" in ended.error
    assert world.launcher.launched == []


@pytest.mark.parametrize("act", ["run", "fail"])
def test_a_cancelled_run_ends_without_a_report(world: World, act: Any) -> None:
    world.launcher.script = [act]
    run = world.accept()
    world.tick("run")
    cancel_run(world.database, world.parts.stores.objects, run.id, "bob", NOON)
    world.settle()
    ended = world.run(run)
    assert (ended.state, ended.report) == ("cancelled", None)
    assert world.launcher.cancelled == [run.id]
    assert len(world.launcher.launched) == 1


def test_a_published_run_is_finished_whatever_comes(world: World) -> None:
    world.launcher.script = ["publish"]
    run = world.accept()
    world.tick("run")
    world.clock.advance(SECOND_MS)
    world.tick("run")
    assert world.run(run).state == "publishing"
    with pytest.raises(ConflictError):
        cancel_run(world.database, world.parts.stores.objects, run.id, "bob", NOON)
    world.clock.advance(30 * HOUR_MS)
    world.tick("run")
    assert world.run(run).state == "publishing", "also past its deadline"


def test_a_cancel_that_comes_while_a_run_is_started_wins(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tick has read the run as queued when the cancel commits."""
    run = world.accept()

    def read_then_cancel(tx: Connection, id_: str) -> Run | None:
        found = get_run(tx, id_)
        cancel_run(world.database, world.parts.stores.objects, run.id, "bob", NOON)
        return found

    monkeypatch.setattr("service.worker.run_tick.get_run", read_then_cancel)
    world.tick("run")
    assert world.run(run).state == "cancelled"
    assert world.launcher.launched == []
    assert world.tick("run") is None


def test_an_ingest_is_stored_searchable_and_learned_from(world: World) -> None:
    days = [f'{{"metric": "ndcg", "time": "2025-11-{day:02d}", "value": 0.4}}' for day in (1, 2, 3)]
    done = world.accept_points(f'{{"points": [{", ".join(days)}]}}'.encode())
    world.tick("ingest")
    found = world.ingest(done)
    with world.database.read() as tx:
        (metric,) = metrics_of(tx, "shop")
    assert (found.state, found.points) == ("succeeded", 3)
    assert (metric.metric, metric.step_ms) == ("ndcg", DAY_MS)


def test_a_refused_payload_names_its_rows(world: World) -> None:
    rows = b'{"points": [{"metric": "ndcg", "time": "2025-11-01", "value": "high"}]}'
    refused = world.accept_points(rows)
    found = ingest_now(
        world.database, world.parts.stores, WorkflowSettings(), refused.id, world.clock
    )
    assert found.state == "failed"
    assert found.errors[0]["row"] == 1
    assert world.tick("ingest") is None


def test_ingests_of_a_source_wait_for_each_other_also_at_once(world: World) -> None:
    first, second = world.accept_points(), world.accept_points()
    steps = WorkflowSettings()
    waiting = ingest_now(world.database, world.parts.stores, steps, second.id, world.clock, 0)
    assert waiting.state == "queued"
    ingest_now(world.database, world.parts.stores, steps, first.id, world.clock)
    done = ingest_now(world.database, world.parts.stores, steps, second.id, world.clock)
    assert done.state == "succeeded"


@dataclass
class AwayOnce:
    """An archive whose first write finds nobody."""

    archive: Archive
    asked: int = 0

    def write_points(self, *given: Any) -> int:
        self.asked += 1
        if self.asked == 1:
            raise UnreachableError("archive: no route to host")
        return self.archive.write_points(*given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.archive, name)


def test_an_ingest_whose_store_is_away_is_tried_again(world: World) -> None:
    later = world.accept_points()
    away: Any = AwayOnce(world.parts.stores.archive)
    world.parts = replace(world.parts, stores=replace(world.parts.stores, archive=away))
    states = []
    for _ in range(2):
        world.tick("ingest")
        found = world.ingest(later)
        states.append((found.state, found.error))
        assert world.tick("ingest") is None
        world.clock.advance(SECOND_MS)
    assert states == [("queued", "archive: no route to host"), ("succeeded", "")]
    assert away.asked == 2


def test_the_janitor_removes_what_is_over_and_keeps_what_is_not(world: World) -> None:
    objects = world.parts.stores.objects
    old, young = world.accept(), world.accept(rule="other")
    world.settle()
    orphan, waiting = new_payload(NOON - 3 * DAY_MS, "json"), world.accept_points()
    fresh = new_payload(NOON, "json")
    for payload in (orphan, fresh):
        objects.put(payload.name, b"{}")
    with world.database.write() as tx:
        update_ingest(tx, waiting.id, state="running")
        add_job(tx, NewJob("janitor", "janitor", ""), NOON)
    world.tick("janitor")
    assert list(objects.names(f"runs/{old.id}/"))
    assert not list(objects.names(f"ingest/{orphan.ingest}/"))
    assert list(objects.names(f"ingest/{fresh.ingest}/"))
    world.clock.advance(8 * DAY_MS)
    kept = world.accept(rule="third")
    world.settle()
    world.tick("janitor")
    assert not list(objects.names(f"runs/{old.id}/"))
    assert not list(objects.names(f"runs/{young.id}/"))
    assert list(objects.names(f"runs/{kept.id}/"))
    assert list(objects.names(f"ingest/{waiting.id}/"))
    assert world.run(old).cleaned_ms is not None


def test_ids_tell_when_they_were_made() -> None:
    assert made_ms(new_id(NOON)) == NOON
    assert sorted([new_id(NOON), new_id(NOON + 1)])[0][:10] == new_id(NOON)[:10]
    assert made_ms("points") == 0


PACE = WorkerSettings(poll_ms=200, look_ms=200, lease_ms=1500, drain_seconds=5.0)


def wait_until(done: Any, seconds: float = 10.0) -> float:
    began = time.monotonic()
    while not done():
        assert time.monotonic() - began < seconds, "it takes too long"
        time.sleep(0.005)
    return time.monotonic() - began


def test_a_running_worker_takes_new_work_at_once(world: World) -> None:
    parts = replace(world.parts, settings=replace(PACE, poll_ms=5000))
    worker = Worker(parts)
    worker.start()
    try:
        warm = world.accept(rule="warm")
        wait_until(lambda: world.run(warm).ended)
        run = world.accept()
        assert wait_until(lambda: world.run(run).ended) < 2.0, "no poll was waited for"
    finally:
        worker.stop()


def test_another_worker_goes_on_with_what_a_silent_one_held(world: World) -> None:
    """The holder is a name of no living process of this machine, and never ticks again."""
    world.launcher.script = ["run"]
    world.holder = "gone"
    run = world.accept()
    world.tick("run")
    second = FakeLauncher(world.parts.stores.objects)
    worker = Worker(replace(world.parts, launcher=second, holder="alive", settings=PACE))
    began = time.monotonic()
    clock = threading.Thread(target=_pass_time, args=(world, run), daemon=True)
    worker.start()
    clock.start()
    try:
        wait_until(lambda: world.run(run).ended)
    finally:
        worker.stop()
        clock.join()
    assert time.monotonic() - began < 10
    assert second.launched == [(run.id, 1)]
    assert world.run(run).state == "succeeded"


def _pass_time(world: World, run: Any) -> None:
    while not world.run(run).ended:
        world.clock.advance(100)
        time.sleep(0.05)


def test_a_stopped_worker_lets_go_of_what_it_held(world: World) -> None:
    world.launcher.script = ["run"]
    run = world.accept()
    worker = Worker(replace(world.parts, settings=PACE))
    worker.start()
    wait_until(lambda: world.run(run).state == "running")
    worker.stop()
    world.holder = "another"
    world.launcher.forget()
    world.settle()
    assert world.run(run).state == "succeeded"


def test_two_workers_launch_each_run_once(world: World) -> None:
    for number in range(4):
        add_source(world.database, f"s{number}")
    launchers = [FakeLauncher(world.parts.stores.objects) for _ in range(2)]
    workers = [
        Worker(replace(world.parts, launcher=launcher, holder=f"pool-{number}", settings=PACE))
        for number, launcher in enumerate(launchers)
    ]
    for worker in workers:
        worker.start()
    runs = [world.accept(rule=f"r{number}") for number in range(12)]
    try:
        wait_until(lambda: all(world.run(run).ended for run in runs), 20)
    finally:
        for worker in workers:
            worker.stop()
    launched = [run for launcher in launchers for run, _ in launcher.launched]
    assert sorted(launched) == sorted(run.id for run in runs)


def test_a_store_that_refuses_to_delete_does_not_keep_the_database_from_being_cleaned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_prefix: str) -> None:
        raise UnreachableError("no right to delete")

    run = world.accept()
    world.settle()
    world.clock.advance(8 * DAY_MS)
    with world.database.write() as tx:
        add_job(tx, NewJob("janitor", "janitor", ""), world.clock.now_ms())
    monkeypatch.setattr(world.parts.stores.objects, "delete_prefix", refuse)
    with pytest.raises(UnreachableError):
        world.tick("janitor")
    with world.database.read() as tx:
        keys = tx.execute(select(tables.jobs.c.dedupe_key)).scalars().all()
    assert f"run:{run.id}" not in keys
    assert list(world.parts.stores.objects.names(f"runs/{run.id}/"))


def test_what_writes_left_in_the_archive_for_a_day_is_tidied(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def tidy(before_ms: int) -> int:
        asked.append(before_ms)
        return len(asked)

    monkeypatch.setattr(world.parts.stores.archive, "tidy", tidy)
    with world.database.write() as tx:
        add_job(tx, NewJob("janitor", "janitor", ""), NOON)
    world.tick("janitor")
    assert asked == [NOON - DAY_MS]


def test_a_launcher_that_breaks_is_listened_to_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = threading.Event()
    answers = iter([ValueError("odd")])

    def wait(seconds: float) -> bool:
        if (broken := next(answers, None)) is not None:
            raise broken
        heard.set()
        time.sleep(min(seconds, 0.05))
        return False

    monkeypatch.setattr(world.launcher, "wait", wait)
    worker = Worker(world.parts)
    worker.start()
    try:
        assert heard.wait(30)
    finally:
        worker.stop()
