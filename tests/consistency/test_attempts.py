"""Many may try, one counts; a run is cancelled or published, never both."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from service.database.access import BUSY_SECONDS
from service.database.runs import get_run, update_run
from service.worker.settings import WorkerSettings
from tests.service.api.house import House, daily, detection
from tests.workflows.publishing import DAY, START, flat, key
from tests.workflows.publishing import House as Steps
from workflows.codec import from_plain
from workflows.commits import PUBLISH
from workflows.context import StepContext, write_request
from workflows.detect import detect
from workflows.errors import AlreadyPublishedError, CancelledError
from workflows.plan import plan
from workflows.publish import publish
from workflows.report import read_report
from workflows.request import RunRequest
from workflows.settings import WorkflowSettings
from workflows.status import cancel

ROOT = Path(__file__).parents[2]
LATER = {"range": {"start": "2026-06-01", "end": "2026-06-06"}}


class Killed(BaseException):
    """The process ends here."""


class ByHand:
    """A run that was accepted over HTTP and whose steps a test takes one by one."""

    def __init__(self, house: House, source: str) -> None:
        self.house = house
        house.source(source)
        house.send(source, daily([1.0, 1.0, 0.1, 1.0, 1.0]))
        self.source = source
        self.run = str(
            house.call("POST", "/v1/detections", 202, json=detection(source, **LATER))["id"]
        )
        stores = house.resources.stores
        self.context = StepContext(
            stores.objects, WorkflowSettings(processes=1), lambda: START, stores
        )

    def take(self, stage: str) -> None:
        """Everything up to and with a stage."""
        done = {
            "started": self.starts,
            "planned": self.plans,
            "published": self.is_killed_after_its_commit,
            "reported": self.publishes,
        }
        for name, act in done.items():
            act()
            if name == stage:
                return

    def starts(self) -> None:
        database = self.house.resources.database
        with database.write() as tx:
            update_run(tx, self.run, state="running")
            found = get_run(tx, self.run)
        assert found is not None
        write_request(self.context.objects, from_plain(RunRequest, found.request))

    def plans(self) -> None:
        plan(self.context, self.run)  # of one chunk, so it is detected too
        detect(self.context, self.run, 0)

    def is_killed_after_its_commit(self) -> None:
        class Dying:
            def __getattr__(self, name: str) -> Any:
                if name in ("write_anomalies", "put_bands"):
                    raise Killed
                return getattr(stores.index, name)

        stores = self.house.resources.stores
        dying: Any = Dying()
        with pytest.raises(Killed):
            publish(replace(self.context, stores=replace(stores, index=dying)), self.run)

    def publishes(self) -> None:
        publish(self.context, self.run)

    def cancel(self, status: int) -> dict[str, Any]:
        return self.house.call("POST", f"/v1/detections/{self.run}/cancel", status)

    def found(self) -> int:
        return len(self.house.call("GET", "/v1/anomalies", params={"run": self.run})["items"])


@pytest.mark.parametrize("stage", ["started", "planned"])
def test_a_cancel_before_the_commit_leaves_the_index_untouched(idle: House, stage: str) -> None:
    run = ByHand(idle, f"att.{stage}")
    run.take(stage)
    run.cancel(202)
    run.cancel(202)
    following = {"started": run.plans, "planned": run.publishes}
    with pytest.raises(CancelledError):
        following[stage]()
    assert run.found() == 0
    names = list(run.context.objects.names(f"runs/{run.run}/"))
    committed = {name.rpartition("/")[2] for name in names if name.count("/") == 2}
    plans = {"plan.json"} if stage == "planned" else set()
    assert committed == {"request.json", "publish.json"} | plans
    assert read_report(run.context.objects, run.run) is None


@pytest.mark.parametrize("stage", ["published", "reported"])
def test_a_cancel_after_the_commit_is_refused_and_the_run_is_finished(
    idle: House, stage: str
) -> None:
    run = ByHand(idle, f"att.{stage}")
    run.take(stage)
    assert "has published" in run.cancel(409)["detail"]
    assert publish(run.context, run.run).outcome == "succeeded"
    assert run.found() == 1


def raced(steps: Steps, request: RunRequest, wait_seconds: float) -> tuple[bool, bool]:
    """Publish on one thread and cancel on another; whether each of them succeeded."""
    gate = threading.Barrier(2)
    published = []

    def publishes() -> None:
        gate.wait()
        with contextlib.suppress(CancelledError):
            published.append(publish(steps.context, request.run))

    thread = threading.Thread(target=publishes)
    thread.start()
    gate.wait()
    time.sleep(wait_seconds)
    try:
        cancel(steps.stores.objects, request.run)
    except AlreadyPublishedError:
        cancelled = False
    else:
        cancelled = True
    thread.join()
    return bool(published), cancelled


def test_of_a_cancel_and_a_publish_at_once_one_wins_wholly(steps: Steps) -> None:
    series = key("ndcg")
    steps.put(flat(series, 5) | {(series, START + 3 * DAY): 50.0})
    won = set()
    for number in range(60):
        request = steps.request(5, rule=f"race-{number}")
        steps.judge(request)
        published, cancelled = raced(steps, request, number * 0.005)
        assert published != cancelled
        assert len(steps.anomalies(rule=request.rule)) == int(published)
        won.add(published)
        if number >= 10 and len(won) == 2:
            return
    raise AssertionError("only one of them has ever won")


def test_a_publish_that_goes_on_keeps_what_it_committed(steps: Steps) -> None:
    """From the commit on neither points nor other results are looked at."""
    series = key("ndcg")
    steps.put(flat(series, 5) | {(series, START + 3 * DAY): 50.0})
    request = steps.request(5)
    steps.judge(request)
    asked: list[str] = []

    class Dying:
        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            if name == "write_anomalies":
                raise Killed
            return getattr(steps.stores.index, name)

    dying: Any = Dying()
    context = replace(steps.context, stores=replace(steps.stores, index=dying))
    commits = set()
    for again in range(3):
        asked.clear()
        with pytest.raises(Killed):
            publish(context, request.run)
        assert ("known_anomalies" in asked) == (again == 0), "nothing is compared again"
        commits.add(steps.stores.objects.get(f"runs/{request.run}/{PUBLISH}"))
    assert len(commits) == 1
    assert publish(steps.context, request.run).counts["new"] == 1


PARENT = """
import subprocess, sys, time
child = "import time; from workflows.orphans import die_with_parent; die_with_parent()\\n"
child += "print('ready', flush=True)\\nwhile True: pass"
made = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE)
made.stdout.readline()
print(made.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_child_in_the_middle_of_its_work_dies_with_its_parent() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    with parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        try:
            parent.send_signal(signal.SIGKILL)
            gone, _ = psutil.wait_procs([child], timeout=10)
            assert gone == [child]
        finally:
            if child.is_running():
                child.kill()


def test_a_lease_outlives_one_renewal_that_the_database_kept_waiting() -> None:
    # Renewed at a third, kept waiting, and a third later tried again: still before its end.
    lease_ms = WorkerSettings().lease_ms
    assert lease_ms // 3 + int(BUSY_SECONDS * 1000) + lease_ms // 3 < lease_ms
