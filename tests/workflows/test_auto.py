"""The choice between this machine and the cluster: made once, kept, the same for everybody."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from storage.errors import NotFoundError, UnreachableError
from tests.service.fake_launcher import FakeLauncher
from tests.workflows.world import World, request
from workflows.auto import AutoLauncher
from workflows.request import RunRequest


def opened(
    world: World, estimate: Callable[[RunRequest], float]
) -> tuple[AutoLauncher, FakeLauncher, FakeLauncher]:
    local, far = FakeLauncher(world.stores.objects), FakeLauncher(world.stores.objects)
    return AutoLauncher(local, far, world.stores.objects, estimate, 60.0), local, far


def decided(launcher: AutoLauncher, run: str) -> None:
    limit = time.monotonic() + 30
    while launcher.look(run, 1).state == "running" and time.monotonic() < limit:
        time.sleep(0.01)


def test_small_runs_stay_here_and_large_ones_go(world: World) -> None:
    launcher, local, far = opened(world, lambda asked: 10.0 if asked.run == "small" else 60.0)
    for run in ("small", "large"):
        launcher.launch(request(run), 1)
        decided(launcher, run)
    assert (local.launched, far.launched) == ([("small", 1)], [("large", 1)])
    record = json.loads(world.stores.objects.get("runs/large/executor.json"))
    assert record == {"executor": "far", "core_seconds": 60.0}
    launcher.close()


def test_the_choice_outlives_the_process_and_a_changed_estimate(world: World) -> None:
    first, _, _ = opened(world, lambda _: 100.0)
    first.launch(request("r1"), 1)
    decided(first, "r1")
    first.close()
    second, local, far = opened(world, lambda _: 1.0)
    assert second.look("r1", 1).state == "absent"  # as its far launcher says
    second.launch(request("r1"), 2)
    assert (local.launched, far.launched) == ([], [("r1", 2)])
    second.close()


def test_of_two_workers_that_choose_at_once_the_first_counts(world: World) -> None:
    gate = threading.Event()

    def slow(_: RunRequest) -> float:
        gate.wait(30)
        return 1.0

    late, local, far = opened(world, slow)
    late.launch(request("r1"), 1)
    assert late.look("r1", 1).progress.message == "its work is being estimated"
    early, _, _ = opened(world, lambda _: 100.0)
    early.launch(request("r1"), 1)
    decided(early, "r1")
    gate.set()
    decided(late, "r1")
    late.close()
    early.close()
    assert (local.launched, far.launched) == ([], [("r1", 1)])


def test_an_estimate_that_fails_for_now_is_made_again(world: World) -> None:
    tries: list[Any] = [UnreachableError("away"), 100.0]

    def estimate(_: RunRequest) -> float:
        found = tries.pop(0)
        if isinstance(found, Exception):
            raise found
        return float(found)

    launcher, _, far = opened(world, estimate)
    launcher.launch(request("r1"), 1)
    decided(launcher, "r1")
    found = launcher.look("r1", 1)
    assert (found.state, "away" in found.progress.message) == ("absent", True)
    launcher.launch(request("r1"), 1)
    decided(launcher, "r1")
    assert far.launched == [("r1", 1)]
    launcher.close()


def test_what_cannot_be_estimated_fails_here_with_its_reason(world: World) -> None:
    def estimate(_: RunRequest) -> float:
        raise NotFoundError("no such table")

    launcher, local, _ = opened(world, estimate)
    launcher.launch(request("r1"), 1)
    decided(launcher, "r1")
    assert local.launched == [("r1", 1)]
    launcher.close()


def test_an_estimate_that_breaks_is_no_endless_wait(world: World) -> None:
    def estimate(_: RunRequest) -> float:
        raise ZeroDivisionError

    launcher, local, _ = opened(world, estimate)
    launcher.launch(request("r1"), 1)
    decided(launcher, "r1")
    assert local.launched == [("r1", 1)]
    launcher.close()


def test_cancelling_reaches_both_and_waiting_hears_both(world: World) -> None:
    launcher, local, far = opened(world, lambda _: 100.0)
    launcher.cancel("r1")
    assert (local.cancelled, far.cancelled) == (["r1"], ["r1"])
    assert not launcher.wait(0.01)
    launcher.launch(request("r1"), 1)
    assert launcher.wait(30.0)
    launcher.close()
