"""The Argo launcher against an API that fails, races and forgets on command."""

import base64
import gzip
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.argo.fake import Fake, fake_api
from tests.workflows.world import DAY, ONE_AT_A_TIME, World, request, storage_settings, write_daily
from workflows.argo.cluster import open_cluster
from workflows.argo.launcher import ArgoLauncher
from workflows.argo.names import STOPPED
from workflows.argo.settings import ArgoSettings
from workflows.argo.status import seen
from workflows.errors import ClusterRefusedError
from workflows.request import RunRequest
from workflows.status import cancel, run_failures
from workflows.step_entry import StepCall, StepWorld, run_step

NOW_MS = 1_800_000_000_000
SETTINGS = ArgoSettings("lupus:1", "runs", poll_seconds=0.01)
NAME = "lupus-detection-r1-1"


@pytest.fixture
def api() -> Iterator[Fake]:
    with fake_api() as fake:
        yield fake


@pytest.fixture
def launcher(api: Fake, world: World) -> Iterator[ArgoLauncher]:
    opened = launcher_of(api, world)
    yield opened
    opened.close()


def launcher_of(api: Fake, world: World, **settings: Any) -> ArgoLauncher:
    wanted = replace(SETTINGS, **settings)
    return ArgoLauncher(world.stores.objects, api.cluster(), wanted, lambda: NOW_MS)


def asked(run: str = "r1", **changes: Any) -> RunRequest:
    return request(run, **{"deadline_ms": NOW_MS + DAY, **changes})


def step(world: World, name: Any, run: str = "r1") -> int:
    settings = StepWorld(storage_settings(world.root), ONE_AT_A_TIME)
    return run_step(StepCall(name, run), settings).exit_code


def pod_node(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"{NAME}-{number}",
        "type": "Pod",
        "templateName": "detect",
        "displayName": f"detect({number}:{number})(1)",
        "phase": "Running",
        "inputs": {"parameters": [{"name": "chunk", "value": str(number)}]},
        **changes,
    }


def test_an_attempt_is_created_once_whoever_asks(api: Fake, world: World) -> None:
    """Two workers at once: the second one is told that the name is taken, by the same request."""
    first, second = launcher_of(api, world), launcher_of(api, world)
    first.launch(asked(), 1)
    second.launch(asked(), 1)
    assert list(api.workflows) == [NAME]
    assert [first.look("r1", 1).state, second.look("r1", 1).state] == ["running", "running"]
    first.close()
    second.close()


def test_a_lost_answer_is_a_success(api: Fake, world: World, launcher: ArgoLauncher) -> None:
    api.answers["POST"] = [-1]
    launcher.launch(asked(), 1)
    assert list(api.workflows) == [NAME]
    assert launcher.look("r1", 1).state == "running"


def test_a_name_taken_by_another_request_is_refused(api: Fake, world: World) -> None:
    other = launcher_of(api, world)
    other.launch(asked(generation=7), 1)
    other.close()
    launcher = launcher_of(api, world)
    launcher.launch(asked(), 1)
    found = launcher.look("r1", 1)
    assert (found.state, found.transient) == ("ended", False)
    assert "is of another request" in found.error
    launcher.close()


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_what_the_cluster_refuses_for_now_is_absent_with_the_reason_and_tried_again(
    api: Fake, launcher: ArgoLauncher, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr("workflows.argo.launcher._RETRY_SECONDS", 0.0)
    api.answers["POST"] = [status]
    launcher.launch(asked(), 1)
    found = launcher.look("r1", 1)
    assert found.state == "absent"
    assert f"planned {status}" in found.progress.message
    launcher.launch(asked(), 1)
    assert launcher.look("r1", 1).state == "running"


def test_a_cluster_that_is_down_is_not_asked_at_every_tick(
    api: Fake, launcher: ArgoLauncher
) -> None:
    api.answers["POST"] = [503] * 9
    for _ in range(5):
        launcher.launch(asked(), 1)
    assert api.count("POST") == 1


@pytest.mark.parametrize("status", [400, 422])
def test_what_the_cluster_will_never_take_ends_the_attempt(
    api: Fake, launcher: ArgoLauncher, status: int
) -> None:
    api.answers["POST"] = [status]
    launcher.launch(asked(), 1)
    found = launcher.look("r1", 1)
    assert (found.state, found.transient) == ("ended", False)
    assert f"planned {status}" in found.error


def test_a_cluster_that_does_not_answer_never_makes_a_run_absent(
    api: Fake, world: World, launcher: ArgoLauncher
) -> None:
    launcher.launch(asked(), 1)
    api.answers["GET"] = [500]
    found = launcher.look("r1", 1)
    assert (found.state, "planned 500" in found.progress.message) == ("running", True)
    deaf = launcher_of(replace(api, address="http://127.0.0.1:9"), world)
    found = deaf.look("r1", 1)
    assert found.state == "running"
    assert "does not answer" in found.progress.message
    deaf.launch(asked("r2"), 1)
    assert not deaf.wait(0.05)
    deaf.cancel("r1")
    deaf.close()


def test_a_workflow_that_somebody_deleted_is_left_to_the_next_attempt(
    api: Fake, launcher: ArgoLauncher
) -> None:
    launcher.launch(asked(), 1)
    del api.workflows[NAME]
    found = launcher.look("r1", 1)
    assert (found.state, found.transient) == ("ended", True)
    assert "is gone" in found.error
    launcher.launch(asked(), 2)
    assert launcher.look("r1", 2).state == "running"


def test_a_kind_that_is_not_served_for_a_moment_is_no_deleted_workflow(
    api: Fake, launcher: ArgoLauncher
) -> None:
    """An API server that starts, or a proxy, answers 404 without naming an object."""
    launcher.launch(asked(), 1)
    api.answers["GET"] = [404]
    assert launcher.look("r1", 1).state == "running"


def test_the_next_attempt_ends_the_one_before(api: Fake, launcher: ArgoLauncher) -> None:
    launcher.launch(asked(), 1)
    launcher.launch(asked("r10"), 1)
    launcher.launch(asked(), 2)
    assert api.workflows[NAME]["spec"]["shutdown"] == "Terminate"
    assert "shutdown" not in api.workflows["lupus-detection-r1-2"]["spec"]
    assert "shutdown" not in api.workflows["lupus-detection-r10-1"]["spec"]


def test_a_run_that_is_over_is_not_launched(
    api: Fake, world: World, launcher: ArgoLauncher
) -> None:
    write_daily(world.stores, 3)
    for run in ("r1", "r2"):
        world.ask(run)
    step(world, "plan")
    step(world, "publish")
    cancel(world.stores.objects, "r2")
    launcher.launch(asked(), 1)
    launcher.launch(asked("r2"), 1)
    assert api.workflows == {}
    assert (launcher.look("r1", 1).state, launcher.look("r1", 1).error) == ("ended", "")
    assert launcher.look("r2", 1).error == "cancelled"
    assert not launcher.look("r2", 1).transient


def test_cancelling_stops_politely_and_then_ends(api: Fake, world: World) -> None:
    launcher = launcher_of(api, world, stop_grace_seconds=60.0)
    launcher.launch(asked(), 1)
    launcher.cancel("r1")
    content = api.workflows[NAME]
    assert content["spec"]["shutdown"] == "Stop"
    launcher.wait(0.05)
    assert content["spec"]["shutdown"] == "Stop"
    launcher.close()
    later = ArgoLauncher(  # another worker, after the grace
        world.stores.objects, api.cluster(), SETTINGS, lambda: NOW_MS + 61_000
    )
    later.wait(0.05)
    assert content["spec"]["shutdown"] == "Terminate"
    patches = api.count("PATCH")
    later.wait(0.05)
    assert api.count("PATCH") == patches
    later.close()


def test_what_could_not_be_stopped_is_stopped_later(api: Fake, launcher: ArgoLauncher) -> None:
    launcher.launch(asked(), 1)
    api.answers["PATCH"] = [503]
    launcher.cancel("r1")
    assert "shutdown" not in api.workflows[NAME]["spec"]
    launcher.wait(0.1)
    assert api.workflows[NAME]["spec"]["shutdown"] == "Stop"
    assert STOPPED in api.workflows[NAME]["metadata"]["annotations"]


def test_waiting_ends_when_a_workflow_does(api: Fake, launcher: ArgoLauncher) -> None:
    launcher.launch(asked(), 1)
    assert not launcher.wait(0.1)
    api.became(NAME, "Running")
    assert not launcher.wait(0.1)
    api.became(NAME, "Succeeded")
    assert launcher.wait(5.0)
    assert not launcher.wait(0.1)


def test_a_failing_listing_ends_no_wait(api: Fake, launcher: ArgoLauncher) -> None:
    launcher.launch(asked(), 1)
    launcher.wait(0.05)
    api.answers["GET"] = [500] * 3
    assert not launcher.wait(0.05)


def test_a_workflow_is_read_again_while_the_listing_fails(
    api: Fake, launcher: ArgoLauncher
) -> None:
    """What was unchanged when it was last listed may have ended since."""
    launcher.launch(asked(), 1)
    api.became(NAME, "Running")
    launcher.wait(0.02)
    assert launcher.look("r1", 1).state == "running"
    api.became(NAME, "Failed")
    api.answers["GET"] = [403] * 3
    while api.answers["GET"]:
        assert not launcher.wait(0.0)
    assert launcher.look("r1", 1).state == "ended"


def test_a_workflow_that_cannot_be_stopped_hides_no_other(
    api: Fake, launcher: ArgoLauncher
) -> None:
    for run in ("r1", "r2", "r3"):
        launcher.launch(asked(run), 1)
    launcher.wait(0.02)
    api.answers["PATCH"] = [403] * 3
    launcher.cancel("r1")
    launcher.cancel("r2")
    api.answers["PATCH"] = [403]
    api.became("lupus-detection-r3-1", "Failed")
    assert launcher.wait(5.0)
    shut = [
        api.workflows[f"lupus-detection-{run}-1"]["spec"].get("shutdown") for run in ("r1", "r2")
    ]
    assert sorted(shut, key=str) == [None, "Stop"]


@pytest.mark.parametrize("page", ["<html>sign in</html>", '"words"', '{"cut": '])
def test_a_page_in_the_place_of_an_answer_is_a_cluster_that_is_away(
    api: Fake, launcher: ArgoLauncher, page: str
) -> None:
    """Proxies answer 200."""
    launcher.launch(asked(), 1)
    api.page = page
    assert not launcher.wait(0.02)
    found = launcher.look("r1", 1)
    assert (found.state, "none of Kubernetes" in found.progress.message) == ("running", True)


def test_an_unchanged_workflow_is_read_once(api: Fake, world: World) -> None:
    """Its status may be a megabyte."""
    launcher = launcher_of(api, world, poll_seconds=5.0)
    launcher.launch(asked(), 1)
    api.became(NAME, "Running")
    launcher.wait(0.0)
    before = api.count("GET")
    for _ in range(5):
        assert launcher.look("r1", 1).state == "running"
    assert api.count("GET") == before + 1
    launcher.close()


def test_an_attempt_that_ended_without_a_report_tells_the_last_failure(
    api: Fake, world: World, launcher: ArgoLauncher
) -> None:
    launcher.launch(asked(), 1)
    killed = pod_node(3, phase="Failed", message="OOMKilled (exit code 137)")
    killed["outputs"] = {"exitCode": "137"}
    api.pods = [oom_pod(killed["id"])]
    api.logs["pod-3"] = "line 1\nline 2"
    api.became(NAME, "Failed", {"a": killed})
    for _ in range(2):  # told once, however often it is looked at
        found = launcher.look("r1", 1)
        assert (found.state, found.transient) == ("ended", True)
        assert "detect of chunk 3: pod detect(3:3)(1): killed for want of memory" in found.error
    second = launcher_of(api, world)
    second.look("r1", 1)
    second.close()
    (failure,) = run_failures(world.stores.objects, "r1")
    assert (failure.step, failure.chunk, failure.attempt) == ("detect", 3, 1)
    assert (failure.kind, failure.log) == ("OOMKilled", ("line 1", "line 2"))
    assert "the limit is 64Mi" in failure.message


def oom_pod(node: str) -> dict[str, Any]:
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    return {
        "metadata": {"name": "pod-3", "annotations": {"workflows.argoproj.io/node-id": node}},
        "spec": {"containers": [{"name": "main", "resources": {"limits": {"memory": "64Mi"}}}]},
        "status": {"containerStatuses": [{"name": "main", "state": ended}]},
    }


def test_a_pod_that_is_gone_is_told_as_argo_remembers_it(
    api: Fake, world: World, launcher: ArgoLauncher
) -> None:
    launcher.launch(asked(), 1)
    api.became(NAME, "Running", {"a": pod_node(2, phase="Error", message="pod deleted")})
    assert launcher.look("r1", 1).state == "running"
    (failure,) = run_failures(world.stores.objects, "r1")
    assert "pod deleted; the pod is gone" in failure.message


def test_logs_that_a_lost_node_took_along_do_not_keep_a_run_from_its_next_attempt(
    api: Fake, world: World, launcher: ArgoLauncher
) -> None:
    """The API server answers 500 for as long as the kubelet is away."""
    launcher.launch(asked(), 1)
    dead = [pod_node(n, phase="Failed", outputs={"exitCode": "137"}) for n in range(2)]
    api.pods = [{**oom_pod(node["id"]), "status": {}} for node in dead]
    api.log_status = 500
    api.became(NAME, "Failed", {node["id"]: node for node in dead})
    found = launcher.look("r1", 1)
    assert (found.state, found.transient) == ("ended", True)
    failures = run_failures(world.stores.objects, "r1")
    assert ["no log: cannot read a pod's log" in one.log[0] for one in failures] == [True, True]
    assert sum("/log" in line for line in api.asked) == 1


def test_a_step_that_did_its_work_in_a_pod_that_failed_tells_what_argo_says(
    api: Fake, world: World, launcher: ArgoLauncher
) -> None:
    """The account of the pods may not tell the controller what came out."""
    launcher.launch(asked(), 1)
    said = "workflowtaskresults.argoproj.io is forbidden"
    node = pod_node(phase="Error", message=said, outputs={"exitCode": "0"})
    pod = oom_pod(node["id"])
    pod["status"]["containerStatuses"][0]["state"]["terminated"] = {"exitCode": 0}
    api.pods = [pod]
    api.became(NAME, "Error", {"a": node})
    assert said in launcher.look("r1", 1).error


@pytest.mark.parametrize("code", [65, 75, 143])
def test_what_a_step_told_itself_is_not_told_again(
    api: Fake, world: World, launcher: ArgoLauncher, code: int
) -> None:
    launcher.launch(asked(), 1)
    node = pod_node(phase="Failed", outputs={"exitCode": str(code)})
    api.became(NAME, "Running", {"a": node})
    launcher.look("r1", 1)
    assert run_failures(world.stores.objects, "r1") == []


def test_pods_that_a_shutdown_ended_are_no_failures(
    api: Fake, world: World, launcher: ArgoLauncher
) -> None:
    launcher.launch(asked(), 1)
    told = "workflow shutdown with strategy:  Stop"
    api.became(NAME, "Failed", {"a": pod_node(phase="Failed", message=told)})
    launcher.look("r1", 1)
    assert run_failures(world.stores.objects, "r1") == []


def test_why_pods_do_not_start_is_told_while_they_do_not(api: Fake, launcher: ArgoLauncher) -> None:
    launcher.launch(asked(), 1)
    assert "no controller of Argo" in launcher.look("r1", 1).progress.message
    api.became(NAME, "Running", {"a": pod_node(phase="Pending", message="PodInitializing")})
    assert launcher.look("r1", 1).progress.message == ""
    nodes = {
        str(n): pod_node(n, phase="Pending", message="Unschedulable: 0/1 nodes") for n in range(3)
    }
    api.became(NAME, "Running", nodes)
    message = launcher.look("r1", 1).progress.message
    assert message == "detect(0:0)(1) waits: Unschedulable: 0/1 nodes (and 2 more pods)"


def test_a_workflow_that_hangs_is_left_to_the_next_attempt(api: Fake, world: World) -> None:
    launcher = launcher_of(api, world, stall_seconds=0.1)
    launcher.launch(asked(), 1)
    api.became(NAME, "Running", {"a": pod_node()})
    api.pods = [{"metadata": {"name": "p"}}]
    assert launcher.look("r1", 1).state == "running"
    time.sleep(0.15)
    assert launcher.look("r1", 1).state == "running"  # a pod works at it
    api.pods = []
    found = launcher.look("r1", 1)
    assert (found.state, found.transient) == ("ended", True)
    assert "hangs" in found.error
    launcher.close()


def test_a_lasting_failure_of_plan_ends_the_run(
    api: Fake, world: World, launcher: ArgoLauncher
) -> None:
    launcher.launch(asked(max_series=1), 1)
    write_daily(world.stores, 3)
    assert step(world, "plan") == 65
    api.became(NAME, "Failed")
    found = launcher.look("r1", 1)
    assert (found.state, found.transient) == ("ended", False)
    assert "3 series match" in found.error


def test_compressed_nodes_are_read_and_unreadable_ones_left_out() -> None:
    nodes = {"a": pod_node(phase="Failed")}
    packed = base64.b64encode(gzip.compress(json.dumps(nodes).encode())).decode()
    content = {"metadata": {"name": NAME}, "status": {"compressedNodes": packed}}
    (node,) = seen(content).nodes
    assert (node.chunk, node.attempt, node.failed) == (0, 1, True)
    assert seen({**content, "status": {"compressedNodes": "not that"}}).nodes == ()


@pytest.mark.parametrize("text", ["a: [b", "\0", "- a", "", "hello"])
def test_a_kubeconfig_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    path = tmp_path / "config"
    path.write_text(text, "utf-8")
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ClusterRefusedError) as refused:
        open_cluster("runs")
    assert "no Kubernetes cluster is known here" in str(refused.value)
    assert "\n" not in str(refused.value)
