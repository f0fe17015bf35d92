"""Examines the stores from inside a pod: its network, its secrets, its account, its image."""

import json
import time
from collections.abc import Callable
from typing import Any

from service.clock import SystemClock
from service.errors import SettingsError
from service.identifier import new_id
from service.launching import argo_settings
from service.settings import Settings
from storage.check import Finding
from workflows.argo.build import workflow
from workflows.argo.cluster import Cluster, open_cluster
from workflows.argo.settings import ArgoSettings
from workflows.errors import WorkflowError
from workflows.request import IngestRequest

PART = "pod"
# What the pods that plan and publish use; the database is the service's alone.
_SEEN = ("folders", "secrets", "archive", "connections", "index", "objects")
_PATIENCE_SECONDS = 300.0
_LOOK_SECONDS = 1.0
_DELETE_SECONDS = 30.0
_LINES = 200
_INSTANCE = "workflows.argoproj.io/controller-instanceid"
_ENDED = ("Succeeded", "Failed", "Error")


def examine_from_pod(
    settings: Settings, patience_seconds: float = _PATIENCE_SECONDS
) -> list[Finding]:
    """Run the doctor in a workflow of one pod and bring back what it found."""
    if settings.executor == "local":
        advice = "set LUPUS_EXECUTOR=argo, or leave out --from-pod"
        return [Finding(PART, "start", "failed", "the steps run on this machine", advice)]
    try:
        wanted = argo_settings(settings)
        cluster = open_cluster(wanted.namespace)
    except (SettingsError, WorkflowError) as error:
        advice = "see the findings of the executor: lupus-server doctor --only executor"
        return [Finding(PART, "start", "failed", str(error), advice)]
    body = _body(wanted, int(patience_seconds))
    try:
        return _run(cluster, body, patience_seconds)
    except WorkflowError as error:
        advice = "see the findings of the executor: lupus-server doctor --only executor"
        return [Finding(PART, "start", "failed", str(error), advice)]
    finally:
        cluster.close()


def _body(wanted: ArgoSettings, seconds: int) -> dict[str, Any]:
    """The pod of an ingest, with another command."""
    now_ms = SystemClock().now_ms()
    id_ = f"doctor-{new_id(now_ms)}".lower()
    ingest = IngestRequest(id_, "doctor", "UTC", 0, "none", "csv", now_ms)
    body = workflow(ingest, 1, wanted, seconds)
    labels = body["metadata"].get("labels") or {}
    # No run: the launchers that look after runs must not see it.
    body["metadata"]["labels"] = {name: labels[name] for name in (_INSTANCE,) if name in labels}
    body["metadata"].pop("annotations", None)
    (template,) = body["spec"]["templates"]
    for word in ("outputs", "retryStrategy"):
        template.pop(word, None)
    parts = [word for name in _SEEN for word in ("--only", name)]
    template["container"]["command"] = ["lupus-server"]
    template["container"]["args"] = ["doctor", "--json", *parts]
    return body


def _run(cluster: Cluster, body: dict[str, Any], seconds: float) -> list[Finding]:
    name = body["metadata"]["name"]
    cluster.create(body)
    try:
        if not _until(seconds, lambda: _phase(cluster, name) in _ENDED):
            return [_unfinished(cluster, name, seconds)]
        lines = [line for pod in cluster.pods(name) for line in cluster.log(_name_of(pod), _LINES)]
        return _findings(lines, _phase(cluster, name))
    finally:
        _delete(cluster, name)


def _until(seconds: float, done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if done():
            return True
        time.sleep(_LOOK_SECONDS)
    return False


def _phase(cluster: Cluster, name: str) -> str:
    found = cluster.get(name) or {}
    return str((found.get("status") or {}).get("phase", ""))


def _name_of(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["name"])


def _unfinished(cluster: Cluster, name: str, seconds: float) -> Finding:
    waits = [
        str(state.get("waiting", {}).get("reason", ""))
        for pod in cluster.pods(name)
        for status in (pod.get("status") or {}).get("containerStatuses") or []
        for state in [status.get("state") or {}]
    ]
    told = f"not over after {seconds:g} s" + "".join(f", {reason}" for reason in waits if reason)
    advice = (
        "check that Argo's controller watches this namespace, that LUPUS_IMAGE can be pulled and "
        "that the pod file's resources fit a node"
    )
    return Finding(PART, "start", "failed", told, advice)


def _findings(lines: list[str], phase: str) -> list[Finding]:
    """What the doctor inside has printed, under the name of where it was."""
    for line in reversed(lines):
        try:
            rows = json.loads(line)
            return [Finding(**{**row, "part": f"pod, {row['part']}"}) for row in rows]
        except (ValueError, TypeError, KeyError):
            continue
    last = " ".join(lines[-3:]) or "no log"
    told = f"the pod ended ({phase}) without findings: {last}"
    advice = "check LUPUS_IMAGE: it must be this version's image"
    return [Finding(PART, "start", "failed", told, advice)]


def _delete(cluster: Cluster, name: str) -> None:
    from kubernetes import client as api  # noqa: PLC0415 - an extra
    from kubernetes.client.exceptions import ApiException  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    try:
        api.CustomObjectsApi(cluster.client).delete_namespaced_custom_object(
            "argoproj.io",
            "v1alpha1",
            cluster.namespace,
            "workflows",
            name,
            _request_timeout=_DELETE_SECONDS,
        )
    except (ApiException, HTTPError):
        return  # its time to live ends it
