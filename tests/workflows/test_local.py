"""The local pool: time limits, dead workers, fair shares, slots that are free at once."""

import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from pebble import ProcessPool

from storage.errors import UnreachableError
from storage.stores import open_stores
from tests.workflows.kills import SETTINGS
from tests.workflows.world import World, request, storage_settings, write_daily
from workflows.context import write_request
from workflows.launcher import Launched
from workflows.local import LocalLauncher
from workflows.local_pool import Done, LocalPool, Lost, Ticket, _make_folder
from workflows.plan import plan
from workflows.report import read_report
from workflows.settings import WorkflowSettings
from workflows.status import run_failures
from workflows.step_entry import StepCall

LONGEST = 60.0
ONE_PROCESS = replace(SETTINGS, processes=1)
SLOW = replace(ONE_PROCESS, group_points=35)  # a row group for each series: many small files


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, fork_server: None) -> Iterator[World]:
    root = tmp_path_factory.mktemp("local")
    with open_stores(storage_settings(root)) as stores:
        write_daily(stores, 40)
        yield World(root, stores)


def ended(launcher: LocalLauncher, run: str) -> Launched:
    limit = time.monotonic() + LONGEST
    while launcher.look(run, 1).state != "ended":
        assert time.monotonic() < limit
        launcher.wait(0.2)
    return launcher.look(run, 1)


def launcher_of(world: World, settings: WorkflowSettings) -> LocalLauncher:
    return LocalLauncher(storage_settings(world.root), settings)


def test_a_step_beyond_its_time_is_ended_and_given_up_after_three_tries(world: World) -> None:
    launcher = launcher_of(world, replace(ONE_PROCESS, task_timeout_seconds=0.01))
    try:
        launcher.launch(request("late"), 1)
        found = ended(launcher, "late")
    finally:
        launcher.close()
    assert "took longer than 0.01 s" in found.error
    assert found.transient
    failures = run_failures(world.stores.objects, "late")
    assert [failure.attempt for failure in failures] == [0, 1, 2]


def test_a_killed_idle_worker_breaks_nothing(world: World) -> None:
    launcher = launcher_of(world, ONE_PROCESS)
    try:
        launcher.launch(request("before", rule="before"), 1)
        assert ended(launcher, "before").error == ""
        for server in psutil.Process().children():
            if "forkserver" in " ".join(server.cmdline()):
                for worker in server.children():
                    worker.kill()
        time.sleep(0.3)
        launcher.launch(request("after", rule="after"), 1)
        assert ended(launcher, "after").error == ""
    finally:
        launcher.close()


class StillbornOnce(ProcessPool):
    """Its fork server dies before the first worker is made, the first time."""

    starts = 0

    @property
    def active(self) -> bool:
        StillbornOnce.starts += 1
        if StillbornOnce.starts == 1:
            raise BrokenProcessPool
        return bool(super().active)


def test_a_pool_that_does_not_start_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.local_pool.ProcessPool", StillbornOnce)
    launcher = launcher_of(world, ONE_PROCESS)
    try:
        launcher.launch(request("born", rule="born"), 1)
        assert ended(launcher, "born").error == ""
    finally:
        launcher.close()
    assert StillbornOnce.starts > 1


def test_a_scratch_folder_that_cannot_be_made_costs_tries_and_hangs_nothing(world: World) -> None:
    """As on a full disk: the run once waited for a step that nobody had until its deadline."""
    launcher = launcher_of(world, ONE_PROCESS)
    folder = launcher._pool._folder
    try:
        folder.rmdir()
        folder.touch()
        launcher.launch(request("homeless", rule="homeless"), 1)
        found = ended(launcher, "homeless")
        assert "its scratch folder cannot be made" in found.error
        assert found.transient
        folder.unlink()  # gone is no trouble: it is made again
        launcher.launch(request("homeless", rule="homeless"), 2)
        limit = time.monotonic() + LONGEST
        while launcher.look("homeless", 2).state != "ended":
            assert time.monotonic() < limit
            launcher.wait(0.2)
        assert launcher.look("homeless", 2).error == ""
    finally:
        launcher.close()


def test_a_small_run_does_not_wait_for_a_large_one(world: World) -> None:
    launcher = launcher_of(world, SLOW)
    try:
        launcher.launch(request("large", rule="large"), 1)
        launcher.launch(request("small", rule="small", metrics=("nothing",)), 1)
        assert ended(launcher, "small").error == ""
        assert launcher.look("large", 1).state == "running"
        assert ended(launcher, "large").error == ""
    finally:
        launcher.close()


def test_a_cancel_frees_its_process_at_once(world: World) -> None:
    launcher = launcher_of(world, SLOW)
    try:
        launcher.launch(request("unwanted", rule="unwanted"), 1)
        launcher.launch(request("next", rule="next", metrics=("nothing",)), 1)
        launcher.cancel("unwanted")
        assert launcher.look("unwanted", 1).state == "ended"
        assert ended(launcher, "next").error == ""
    finally:
        launcher.close()
    assert read_report(world.stores.objects, "unwanted") is None


def test_a_later_attempt_replaces_an_earlier_one(world: World) -> None:
    launcher = launcher_of(world, SLOW)
    try:
        launcher.launch(request("again", rule="again"), 1)
        launcher.launch(request("again", rule="again"), 2)
        assert launcher.look("again", 1).state == "absent"
        limit = time.monotonic() + LONGEST
        while launcher.look("again", 2).state != "ended":
            assert time.monotonic() < limit
            launcher.wait(0.2)
        assert launcher.look("again", 2).error == ""
    finally:
        launcher.close()


def test_a_chunk_that_cannot_be_detected_is_given_up_and_the_rest_is_published(
    world: World,
) -> None:
    objects = world.stores.objects
    asked = request("holey", rule="holey")
    write_request(objects, asked)
    made = plan(replace(world.context(), settings=SETTINGS), "holey")
    spoiled = made.chunks[-1].parts[-1].file
    whole = [chunk for chunk in made.chunks if spoiled not in {part.file for part in chunk.parts}]
    objects.put(spoiled, b"not what was planned")
    launcher = launcher_of(world, SETTINGS)
    try:
        launcher.launch(asked, 2)
        limit = time.monotonic() + LONGEST
        while launcher.look("holey", 2).state != "ended":
            assert time.monotonic() < limit
            launcher.wait(0.2)
        assert launcher.look("holey", 2).error == ""
    finally:
        launcher.close()
    report = read_report(objects, "holey")
    assert report is not None
    assert report.outcome == "partial"
    assert 0 < len(whole) < len(made.chunks)
    assert report.counts["new"] == sum(chunk.series for chunk in whole)
    assert {failure.kind for failure in run_failures(objects, "holey")} == {"CommitError"}


class DyingInPlan(LocalPool):
    """Its workers die in plan, after the commit: of the only chunk, which plan detects."""

    def submit(self, call: StepCall, done: Done) -> Ticket:
        if call.name == "plan":
            instead = replace(call, run="nobody")
            return super().submit(instead, lambda _: done(Lost("its worker was out of memory")))
        return super().submit(call, done)


def test_the_only_chunk_is_given_up_after_three_deaths(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next attempts of the run would die of it until the deadline."""
    objects = world.stores.objects
    asked = request("deadly", rule="deadly")
    write_request(objects, asked)
    assert len(plan(world.context(), "deadly").chunks) == 1
    objects.delete_prefix("runs/deadly/chunk/")
    monkeypatch.setattr("workflows.local.LocalPool", DyingInPlan)
    launcher = launcher_of(world, ONE_PROCESS)
    try:
        launcher.launch(asked, 1)
        assert ended(launcher, "deadly").error == ""
    finally:
        launcher.close()
    report = read_report(objects, "deadly")
    assert report is not None
    assert (report.outcome, report.counts["failed"]) == ("failed", 40)
    assert "chunk 0 of 1 has no result: its worker was out of memory" in report.error
    assert [failure.attempt for failure in run_failures(objects, "deadly")] == [0, 1, 2]


def test_a_plan_that_cannot_be_read_ends_the_attempt(world: World) -> None:
    objects = world.stores.objects
    objects.create("runs/garbled/plan.json", b'{"format": 2}')
    launcher = launcher_of(world, ONE_PROCESS)
    try:
        launcher.launch(request("garbled", rule="garbled"), 1)
        found = ended(launcher, "garbled")
    finally:
        launcher.close()
    assert "runs/garbled/plan.json: Commit: not of format 1" in found.error
    assert not found.transient


def test_commits_that_cannot_be_read_end_the_attempt_not_the_pool(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_given: object) -> None:
        raise UnreachableError("objects: gone for now")

    launcher = launcher_of(world, ONE_PROCESS)
    try:
        with monkeypatch.context() as patch:
            patch.setattr("workflows.local.committed_chunks", unreachable)
            launcher.launch(request("blind", rule="blind"), 1)
            found = ended(launcher, "blind")
        assert (found.error, found.transient) == ("plan: objects: gone for now", True)
        launcher.launch(request("seeing", rule="seeing"), 1)
        assert ended(launcher, "seeing").error == ""
    finally:
        launcher.close()


def test_closing_ends_all_workers(world: World) -> None:
    before = _workers()  # of launchers that other tests keep open in this process
    launcher = launcher_of(world, SLOW)
    launcher.launch(request("open", rule="open"), 1)
    give_up = time.monotonic() + 30
    while not _workers() - before and time.monotonic() < give_up:
        time.sleep(0.05)
    assert _workers() - before
    launcher.close()
    assert _workers() - before == set()
    assert list((world.root / "scratch").glob("lupus-pool-*")) == []


def _workers() -> set[psutil.Process]:
    return {
        worker
        for server in psutil.Process().children()
        if "forkserver" in " ".join(server.cmdline())
        for worker in server.children()
    }


def test_scratch_of_a_killed_driver_is_removed_and_that_of_others_kept(tmp_path: Path) -> None:
    dead = tmp_path / "lupus-pool-999999999-abc"
    alive = tmp_path / "lupus-pool-1-abc"
    dead.mkdir()
    alive.mkdir()
    made = _make_folder(tmp_path)
    assert not dead.exists()
    assert alive.exists()
    assert made.is_dir()
