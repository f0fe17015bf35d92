"""What every launcher does, whoever runs its steps."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from storage.series_key import SeriesKey
from storage.stores import Stores, open_stores
from tests.waiting import until
from tests.workflows.world import (
    END,
    ONE_AT_A_TIME,
    SOURCE,
    World,
    request,
    storage_settings,
    write_daily,
)
from workflows.chunk import committed_chunks, read_plan
from workflows.context import write_request
from workflows.launcher import Launched, Launcher
from workflows.local import LocalLauncher
from workflows.plan import plan
from workflows.report import read_report
from workflows.request import IngestRequest, RunRequest
from workflows.status import cancel, read_status, run_failures

LONGEST = 400.0  # pods take their time on a busy machine
DEADLINE_MS = time.time_ns() // 1_000_000 + 86_400_000
ARGO_TIMEOUT = pytest.mark.timeout(900)
SETTINGS = replace(ONE_AT_A_TIME, processes=2, group_points=175, local_chunk_seconds=1e-9)


@contextmanager
def local(root: Path) -> Iterator[tuple[Launcher, Stores]]:
    with open_stores(storage_settings(root)) as stores:
        yield LocalLauncher(storage_settings(root), SETTINGS), stores


@contextmanager
def argo(root: Path) -> Iterator[tuple[Launcher, Stores]]:
    """Row groups and chunks as those of the local pool."""
    from tests.workflows.argo.stack import stack

    with stack(root, LUPUS_GROUP_POINTS="175", LUPUS_CHUNK_SECONDS="0.0006") as opened:
        yield opened.launcher(), opened.stores


LAUNCHERS: dict[str, Callable[[Path], AbstractContextManager[tuple[Launcher, Stores]]]] = {
    "local": local,
    "argo": argo,
}


@pytest.fixture(
    scope="module", params=["local", pytest.param("argo", marks=[pytest.mark.real, ARGO_TIMEOUT])]
)
def launched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, fork_server: None
) -> Iterator[tuple[Launcher, World]]:
    root = tmp_path_factory.mktemp(request.param)
    with LAUNCHERS[request.param](root) as (launcher, stores):
        write_daily(stores, 20)
        yield launcher, World(root, stores)
        launcher.close()


def asked(run: str, **changes: object) -> RunRequest:
    return request(run, rule=run, **{"deadline_ms": DEADLINE_MS, **changes})


def ended(launcher: Launcher, run: str, attempt: int = 1) -> Launched:
    """What became of an attempt, when it has ended."""
    limit = time.monotonic() + LONGEST
    while time.monotonic() < limit:
        found = launcher.look(run, attempt)
        if found.state == "ended":
            return found
        assert found.state == "running"
        launcher.wait(0.2)
    raise AssertionError(f"{run} has not ended: {launcher.look(run, attempt)}")


def test_a_run_is_planned_detected_and_published(launched: tuple[Launcher, World]) -> None:
    launcher, world = launched
    launcher.launch(asked("whole"), 1)
    found = ended(launcher, "whole")
    assert (found.error, found.progress.stage) == ("", "done")
    assert (found.progress.chunks_done, found.progress.chunks) == (4, 4)
    status = read_status(world.stores.objects, "whole")
    assert status.published
    assert status.chunks_done == 4
    assert status.report is not None
    assert status.report.outcome == "succeeded"
    assert status.report.counts["new"] == 20


def test_the_same_attempt_again_changes_nothing(launched: tuple[Launcher, World]) -> None:
    launcher, world = launched
    launcher.launch(asked("twice"), 1)
    launcher.launch(asked("twice"), 1)
    assert ended(launcher, "twice").error == ""
    launcher.launch(asked("twice"), 1)
    assert launcher.look("twice", 1).state == "ended"
    nonces = {name.split("/")[3] for name in world.stores.objects.names("runs/twice/plan/")}
    assert len(nonces) == 1


def test_an_unknown_run_is_absent(launched: tuple[Launcher, World]) -> None:
    launcher, _ = launched
    assert launcher.look("nobody", 1).state == "absent"
    launcher.cancel("nobody")


def test_nothing_selected_ends_with_a_report(launched: tuple[Launcher, World]) -> None:
    launcher, world = launched
    launcher.launch(asked("empty", metrics=("nothing",)), 1)
    assert ended(launcher, "empty").error == ""
    report = read_report(world.stores.objects, "empty")
    assert report is not None
    assert report.counts["series"] == 0


def test_a_request_that_cannot_be_carried_out_ends_at_once_and_says_why(
    launched: tuple[Launcher, World],
) -> None:
    launcher, world = launched
    launcher.launch(asked("bad", max_series=3), 1)
    found = ended(launcher, "bad")
    assert "20 series match, allowed are 3" in found.error
    assert not found.transient
    (failure,) = run_failures(world.stores.objects, "bad")
    assert (failure.step, failure.kind, failure.pointer) == (
        "plan",
        "BadRequestError",
        "/max_series",
    )
    assert any("BadRequestError" in line for line in failure.log)
    report = read_report(world.stores.objects, "bad")
    assert report is not None
    assert (report.outcome, report.pointer) == ("failed", "/max_series")


def test_a_next_attempt_goes_on_from_the_commits(launched: tuple[Launcher, World]) -> None:
    """The first attempt got as far as the plan, elsewhere."""
    launcher, world = launched
    write_request(world.stores.objects, asked("resumed"))
    before = plan(replace(world.context(), settings=SETTINGS), "resumed")
    launcher.launch(asked("resumed"), 2)
    assert ended(launcher, "resumed", 2).error == ""
    found = read_plan(world.stores.objects, "resumed")
    assert found is not None
    assert found[0] == before
    assert launcher.look("resumed", 1).state == "absent"


def test_a_cancelled_run_ends_and_commits_nothing_more(launched: tuple[Launcher, World]) -> None:
    launcher, world = launched
    launcher.launch(asked("stopped"), 1)
    cancel(world.stores.objects, "stopped")
    launcher.cancel("stopped")
    found = ended(launcher, "stopped")
    assert not found.transient
    time.sleep(1.0)
    assert read_report(world.stores.objects, "stopped") is None
    assert read_status(world.stores.objects, "stopped").cancelled
    assert committed_chunks(world.stores.objects, "stopped") == frozenset()


def test_a_run_cancelled_by_its_commit_alone_ends_too(launched: tuple[Launcher, World]) -> None:
    launcher, world = launched
    cancel(world.stores.objects, "elsewhere")
    launcher.launch(asked("elsewhere"), 1)
    found = ended(launcher, "elsewhere")
    assert "cancelled" in found.error
    assert not found.transient
    assert run_failures(world.stores.objects, "elsewhere") == []


def test_many_runs_at_once_all_end(launched: tuple[Launcher, World]) -> None:
    launcher, world = launched
    crowd = 5 if isinstance(launcher, LocalLauncher) else 3
    runs = [f"crowd{number}" for number in range(crowd)]
    for run in runs:
        launcher.launch(asked(run), 1)
    assert [ended(launcher, run).error for run in runs] == [""] * crowd
    for run in runs:
        report = read_report(world.stores.objects, run)
        assert report is not None
        assert report.counts["new"] == 20


def test_an_ingest_is_stored_and_indexed(launched: tuple[Launcher, World]) -> None:
    launcher, world = launched
    objects = world.stores.objects
    payload = {"points": [{"metric": "rows", "time": "2024-10-03T00:00:00Z", "value": 7}]}
    objects.put("ingest/i1/payload", json.dumps(payload).encode())
    ingest = IngestRequest("i1", SOURCE, "UTC", 5, "ingest/i1/payload", "json", END)
    launcher.launch(ingest, 1)
    assert ended(launcher, "i1").error == ""
    found = world.stores.index.points(SOURCE, [SeriesKey.of(SOURCE, "rows").id], 0, 2 * END)
    assert [list(day.values) for day in found] == [[7.0]]


def test_waiting_ends_when_a_run_does_or_the_time_is_over(
    launched: tuple[Launcher, World],
) -> None:
    """What an earlier test left may end too, so one answer says nothing of the run asked for."""
    launcher, _ = launched
    until(lambda: not launcher.wait(0.05), LONGEST)
    launcher.launch(asked("awaited", metrics=("nothing",)), 1)
    while launcher.look("awaited", 1).state != "ended":
        assert launcher.wait(LONGEST)
