"""kill -9 at random moments of plan, detect and publish: the documents stay the same."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from storage.objects import Objects
from storage.stores import open_stores
from tests.conftest import ROOT
from tests.workflows.kills import (
    SERIES,
    SETTINGS,
    carry_out,
    descendants,
    documents,
    kill_in,
    stage,
    start,
)
from tests.workflows.world import World, request, storage_settings, write_daily
from workflows.context import write_request
from workflows.local import LocalLauncher
from workflows.status import read_status, run_failures

LONGEST = 60.0
STEP_KILLS = ["plan", "plan", "plan", "detect", "detect", "detect", "publish", "publish"]
CHILD_KILLS = 5


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("undisturbed")
    with open_stores(storage_settings(root)) as stores:
        write_daily(stores, SERIES)
        write_request(stores.objects, request("r1"))
        carry_out(root, "r1")
        found = documents(stores, "r1")
    assert len(found["anomalies"]) == SERIES
    assert len(found["results"]) == SERIES * 7
    assert found["report"]["counts"]["new"] == SERIES
    return found


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[World]:
    with open_stores(storage_settings(tmp_path)) as stores:
        write_daily(stores, SERIES)
        write_request(stores.objects, request("r1"))
        yield World(tmp_path, stores)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_steps_killed_at_random_moments_leave_the_same_documents(
    killed: World, undisturbed: dict[str, Any], fork_server: None, seed: int
) -> None:
    moments = random.Random(seed)
    hits: Counter[str] = Counter()
    for wanted in STEP_KILLS[seed % 2 :: 2]:
        process = start(killed.root, "r1")
        hits[kill_in(process, killed.stores, "r1", wanted, moments.uniform(0, 0.06))] += 1
        if stage(killed.stores, "r1") == "done":
            break
    assert sum(hits.values()) - hits["done"] >= 2, hits  # it was not over before it was killed
    last = start(killed.root, "r1")
    last.join(LONGEST)
    assert documents(killed.stores, "r1") == undisturbed
    carry_out(killed.root, "r1")  # once more changes nothing
    assert documents(killed.stores, "r1") == undisturbed


def test_killed_pool_workers_cost_only_their_own_try(
    killed: World, undisturbed: dict[str, Any], fork_server: None
) -> None:
    moments = random.Random(3)
    launcher = LocalLauncher(storage_settings(killed.root), SETTINGS)
    try:
        kills = attempt = 0
        while stage(killed.stores, "r1") != "done":
            attempt += 1
            launcher.launch(request("r1"), attempt)
            limit = time.monotonic() + LONGEST
            while launcher.look("r1", attempt).state != "ended":
                assert time.monotonic() < limit
                time.sleep(moments.uniform(0.0, 0.15))
                workers = _workers()
                if kills < CHILD_KILLS and workers:
                    moments.choice(workers).kill()
                    kills += 1
    finally:
        launcher.close()
    assert kills >= 3
    assert documents(killed.stores, "r1") == undisturbed


def _workers() -> list[psutil.Process]:
    """Pool workers of this process: children of its fork server."""
    found = []
    for server in psutil.Process().children():
        if "forkserver" in " ".join(server.cmdline()):
            found += server.children()
    return found


DRIVER = """
import sys
from pathlib import Path
from tests.workflows.kills import SETTINGS
from tests.workflows.world import request, storage_settings
from workflows.local import LocalLauncher

if __name__ == "__main__":
    launcher = LocalLauncher(storage_settings(Path(sys.argv[1])), SETTINGS)
    launcher.launch(request("r1"), int(sys.argv[2]))
    print("launched", flush=True)
    while launcher.look("r1", int(sys.argv[2])).state != "ended":
        launcher.wait(1.0)
    launcher.close()
"""


def commits(objects: Objects) -> set[str]:
    return {name for name in objects.names("runs/r1/") if name.endswith(".json")}


@pytest.mark.slow
def test_a_killed_driver_takes_its_children_along_and_they_commit_nothing(
    killed: World, undisturbed: dict[str, Any]
) -> None:
    script = killed.root / "driver.py"
    script.write_text(DRIVER)
    command = [sys.executable, str(script), str(killed.root)]
    driver = subprocess.Popen(
        [*command, "1"], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL
    )
    objects = killed.stores.objects
    limit = time.monotonic() + LONGEST
    while not list(objects.names("runs/r1/chunk/")):
        assert time.monotonic() < limit
        assert driver.poll() is None
        time.sleep(0.002)
    family = descendants(driver.pid)
    frozen = [process for process in family if not process.children()]
    for process in frozen:
        process.suspend()  # a worker in the middle of its work when the driver dies
    driver.kill()
    driver.wait()
    committed = commits(objects)
    for process in frozen:
        if process.is_running():
            process.resume()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
    assert commits(objects) == committed  # files of a try without a commit are nobody's
    if stage(killed.stores, "r1") != "done":
        subprocess.run([*command, "2"], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, timeout=LONGEST)
    assert documents(killed.stores, "r1") == undisturbed
    left = [path.name for path in (killed.root / "scratch").iterdir()]
    assert [name for name in left if name.startswith("lupus-pool")] == []


def test_a_step_that_kills_every_worker_is_given_up_with_its_reason(
    killed: World, fork_server: None
) -> None:
    """No worker can live in one megabyte: three tries, then the attempt ends."""
    launcher = LocalLauncher(
        storage_settings(killed.root), replace(SETTINGS, worker_memory_mb=1, processes=1)
    )
    try:
        launcher.launch(request("r1", max_series=100), 1)
        limit = time.monotonic() + LONGEST
        while launcher.look("r1", 1).state != "ended":
            assert time.monotonic() < limit
            launcher.wait(0.5)
        found = launcher.look("r1", 1)
    finally:
        launcher.close()
    if not found.error:
        pytest.skip("the run was over before the memory watch looked")
    assert "out of memory" in found.error
    assert found.transient
    failures = run_failures(killed.stores.objects, "r1")
    assert failures[0].kind == "WorkerLostError"
    assert any("out of memory" in line for line in failures[0].log)


def test_status_tells_the_stage(killed: World) -> None:
    objects = killed.stores.objects
    assert read_status(objects, "r1").progress.stage == "plan"
    carry_out(killed.root, "r1")
    progress = read_status(objects, "r1").progress
    assert (progress.stage, progress.chunks_done, progress.chunks) == ("done", 4, 4)
