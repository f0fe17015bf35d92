"""Runs on a real cluster that loses pods, workflows and its controller: the same documents."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.argo.cluster import LONGEST, until
from tests.workflows.argo.controller import restart_controller
from tests.workflows.argo.documents import documents, embedded, same
from tests.workflows.argo.stack import Stack, pod_file, stack
from tests.workflows.world import request, write_daily
from workflows.argo.launcher import ArgoLauncher
from workflows.argo.names import workflow_name
from workflows.argo.pods import pods_of
from workflows.chunk import committed_chunks
from workflows.launcher import Launched
from workflows.report import read_report
from workflows.request import RunRequest
from workflows.status import cancel, read_status, run_failures

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

SERIES = 12
WINDOW = {"type": "window", "method": "z"}
# A pod that is lost in its first second is made again under its name, with nothing to see.
_FIRST_SECOND = 1.5


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Three row groups, two chunks."""
    folder = tmp_path_factory.mktemp("argo")
    with stack(folder, LUPUS_GROUP_POINTS="175", LUPUS_CHUNK_SECONDS="0.0007") as opened:
        write_daily(opened.stores, SERIES)
        yield opened


@pytest.fixture
def launcher(cluster: Stack) -> Iterator[ArgoLauncher]:
    opened = cluster.launcher()
    yield opened
    opened.close()


def asked(run: str) -> RunRequest:
    deadline_ms = time.time_ns() // 1_000_000 + 3_600_000
    return request(run, rule=run, detector=WINDOW, deadline_ms=deadline_ms)


def followed(
    launcher: ArgoLauncher, asked: RunRequest, meanwhile: Callable[[], object] = lambda: None
) -> list[Launched]:
    """As a worker does: look, start the next attempt when one ended without a report."""
    launcher.launch(asked, 1)
    meanwhile()
    limit = time.monotonic() + 2 * LONGEST
    ended: list[Launched] = []
    while time.monotonic() < limit:
        found = launcher.look(asked.run, len(ended) + 1)
        if found.state == "ended":
            ended.append(found)
            if not found.error:
                return ended
            assert found.transient, found
        if found.state != "running":
            launcher.launch(asked, len(ended) + 1)
        launcher.wait(0.5)
    raise AssertionError(f"{asked.run} has not ended: {ended}")


def kill_pod(cluster: Stack, run: str, step: str) -> str:
    """Delete a pod of a step that has worked for more than a second; returns its name."""

    def at_work() -> str:
        for pod in cluster.space.pods(step, run):
            state = (pod.status.container_statuses or [None])[0]
            if state is not None and state.state.running is not None:
                return str(pod.metadata.name)
        return ""

    name: str = until(f"a pod of {step}", at_work)
    time.sleep(_FIRST_SECOND)
    cluster.space.core.delete_namespaced_pod(name, cluster.space.name, grace_period_seconds=0)
    return name


def as_embedded(cluster: Stack, run: RunRequest, folder: Path) -> None:
    same(documents(cluster.stores, run.run), embedded(folder, run, SERIES))


def nodes(cluster: Stack, run: str, attempt: int = 1) -> dict[str, Any]:
    name = workflow_name("detection", run, attempt)
    (found,) = [one for one in cluster.space.workflows() if one["metadata"]["name"] == name]
    return {node["displayName"]: node for node in found["status"]["nodes"].values()}


def test_a_run_gives_the_documents_of_an_embedded_one_and_reads_well(
    cluster: Stack, launcher: ArgoLauncher, tmp_path: Path
) -> None:
    run = asked("whole")
    ended = followed(launcher, run)
    assert [one.error for one in ended] == [""]
    as_embedded(cluster, run, tmp_path)
    found = nodes(cluster, "whole")
    assert {"plan(0)", "detect(0:0)(0)", "detect(1:1)(0)", "publish(0)"} <= set(found)
    told = {one["name"]: one["value"] for one in found["publish(0)"]["outputs"]["parameters"]}
    assert told["outcome"] == "succeeded"
    counts = documents(cluster.stores, "whole")["report"]["counts"]
    assert int(told["new"]) == counts["new"] > 0
    detects = [
        node for name, node in found.items() if name.startswith("detect(") and node["type"] == "Pod"
    ]
    series = [one["outputs"]["parameters"][0]["value"] for one in detects]
    assert sum(map(int, series)) == SERIES


def test_a_pod_lost_in_each_step_changes_nothing(
    cluster: Stack, launcher: ArgoLauncher, tmp_path: Path
) -> None:
    run = asked("killed")

    def kill() -> None:
        for step in ("plan", "detect", "publish"):
            kill_pod(cluster, "killed", step)

    followed(launcher, run, kill)
    as_embedded(cluster, run, tmp_path)


def test_a_deleted_workflow_is_gone_on_with_from_its_commits(
    cluster: Stack, launcher: ArgoLauncher, tmp_path: Path
) -> None:
    run = asked("deleted")

    def delete() -> None:
        until("the plan", lambda: read_status(cluster.stores.objects, "deleted").plan)
        cluster.space.delete_workflow(workflow_name("detection", "deleted", 1))

    first, second = followed(launcher, run, delete)
    assert "is gone from the cluster" in first.error
    assert second.error == ""
    as_embedded(cluster, run, tmp_path)
    plans = {name.split("/")[3] for name in cluster.stores.objects.names("runs/deleted/plan/")}
    assert len(plans) == 1


@pytest.mark.alone
def test_a_controller_that_is_killed_goes_on_where_it_was(
    cluster: Stack, launcher: ArgoLauncher, tmp_path: Path
) -> None:
    run = asked("headless")

    def restart() -> None:
        until("the plan", lambda: read_status(cluster.stores.objects, "headless").plan)
        restart_controller(cluster.space.admin)

    followed(launcher, run, restart)
    as_embedded(cluster, run, tmp_path)


def test_a_cancelled_run_leaves_nothing_and_its_workflow_ends(
    cluster: Stack, launcher: ArgoLauncher
) -> None:
    run = asked("cancelled")
    launcher.launch(run, 1)
    until("a pod", lambda: cluster.space.pods("plan", "cancelled"))
    cancel(cluster.stores.objects, "cancelled")
    launcher.cancel("cancelled")
    found = launcher.look("cancelled", 1)
    assert (found.state, found.error, found.transient) == ("ended", "cancelled", False)

    def over() -> bool:
        launcher.wait(0.5)  # who waits also ends what does not stop
        name = workflow_name("detection", "cancelled", 1)
        return any(
            one["metadata"]["name"] == name
            and one["metadata"]["labels"].get("workflows.argoproj.io/completed") == "true"
            for one in cluster.space.workflows()
        )

    until("the end of the workflow", over)
    assert read_report(cluster.stores.objects, "cancelled") is None
    assert committed_chunks(cluster.stores.objects, "cancelled") == frozenset()


def test_two_services_that_launch_one_attempt_make_one_workflow(
    cluster: Stack, launcher: ArgoLauncher
) -> None:
    other = cluster.launcher()
    run = asked("twice")
    launcher.launch(run, 1)
    other.launch(run, 1)
    names = [one["metadata"]["name"] for one in cluster.space.workflows()]
    assert names.count(workflow_name("detection", "twice", 1)) == 1
    assert other.look("twice", 1).state == "running"
    cancel(cluster.stores.objects, "twice")
    other.cancel("twice")
    other.close()


def test_chunks_that_find_no_memory_are_reported_with_their_limit(cluster: Stack) -> None:
    """Every try is killed: the report misses the chunks, the failures keep the cause."""
    pods = pods_of(pod_file(detect_memory="110Mi"))
    launcher = cluster.launcher(pods=pods, retries=1)
    run = asked("starved")
    launcher.launch(run, 1)

    def ended() -> bool:
        launcher.wait(0.5)
        return launcher.look("starved", 1).state == "ended"

    until("the end", ended, 2 * LONGEST)
    launcher.close()
    report = read_report(cluster.stores.objects, "starved")
    assert report is not None
    assert report.outcome in ("partial", "failed")
    failures = run_failures(cluster.stores.objects, "starved")
    assert {(one.step, one.kind) for one in failures} == {("detect", "OOMKilled")}
    assert sorted((one.chunk, one.attempt) for one in failures) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert all("the limit is 110Mi" in one.message for one in failures)
