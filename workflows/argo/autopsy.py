"""Finds out why a pod ended that did not tell, while the cluster still knows, and keeps it.

A step that fails writes its own failure and exits 65, 66, 75 or 143. Killed for want of memory,
evicted, deleted, never started: then nobody has written. The failure's name comes from the pod,
so that any number of observers tell of it once.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from workflows.argo.cluster import Cluster
from workflows.argo.status import Node
from workflows.errors import (
    NO_PLAN_EXIT,
    PERMANENT_EXIT,
    STOPPED_EXIT,
    TRANSIENT_EXIT,
    ClusterError,
)
from workflows.failure import LOG_LINES, Failure

TOLD_BY_STEP = (PERMANENT_EXIT, NO_PLAN_EXIT, TRANSIENT_EXIT, STOPPED_EXIT)
_NODE_ID = "workflows.argoproj.io/node-id"


def needs_autopsy(node: Node) -> bool:
    """Whether a pod ended badly and nobody wrote why."""
    return node.failed and node.exit_code not in TOLD_BY_STEP


def examine(
    cluster: Cluster, workflow: str, nodes: Sequence[Node], now_ms: int
) -> list[tuple[str, Failure]]:
    """A failure for each of the nodes, with the name that tells it from others."""
    pods = {
        pod["metadata"].get("annotations", {}).get(_NODE_ID, ""): pod
        for pod in cluster.pods(workflow)
    }
    logs = _Logs(cluster)
    return [
        (_nonce(workflow, node), _failure(logs, node, pods.get(node.id), now_ms)) for node in nodes
    ]


class _Logs:
    """Last lines of pods, as far as they can be had: a node that is down has taken them along.

    After one that nobody answers for the others are not asked: each would take its time-out.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._trouble = ""

    def of(self, pod: str) -> list[str]:
        if not self._trouble:
            try:
                return self._cluster.log(pod, LOG_LINES)
            except ClusterError as error:
                self._trouble = str(error)
        return [f"no log: {self._trouble}"]


def _nonce(workflow: str, node: Node) -> str:
    """As long as that of an attempt."""
    return hashlib.sha256(f"{workflow} {node.id}".encode()).hexdigest()[:16]


def _failure(logs: _Logs, node: Node, pod: Mapping[str, Any] | None, now_ms: int) -> Failure:
    kind, message, log = "PodLost", node.message or "the pod ended without a word", []
    if pod is None:
        message = f"{message}; the pod is gone"
    else:
        kind, message = _cause(pod, message)
        log = logs.of(pod["metadata"]["name"])
    return Failure(
        step=node.step,
        attempt=node.attempt,
        kind=kind,
        message=f"pod {node.name}: {message}",
        transient=True,
        at_ms=now_ms,
        chunk=node.chunk,
        log=tuple(log[-LOG_LINES:]),
    )


def _cause(pod: Mapping[str, Any], message: str) -> tuple[str, str]:
    """Kind and message, from what the kubelet reported."""
    status = pod.get("status", {})
    if status.get("reason"):  # Evicted, NodeLost, DeadlineExceeded
        return status["reason"], status.get("message") or message
    main: Mapping[str, Any] = next(
        (one for one in status.get("containerStatuses", ()) if one.get("name") == "main"), {}
    )
    state = main.get("state", {})
    ended = state.get("terminated") or main.get("lastState", {}).get("terminated") or {}
    if ended.get("reason") == "OOMKilled":
        limit = _memory_limit(pod)
        return "OOMKilled", f"killed for want of memory{limit}; the next try takes smaller pieces"
    if ended and ended.get("exitCode") == 0:  # the step did its work, Argo's part of the pod not
        return "PodFailed", message
    if ended:
        code = ended.get("exitCode")
        return "PodEnded", f"ended with exit code {code} ({ended.get('reason') or 'Error'})"
    waiting = state.get("waiting", {})
    if waiting.get("reason"):  # ImagePullBackOff, CreateContainerConfigError
        return waiting["reason"], waiting.get("message") or message
    return "PodLost", message


def _memory_limit(pod: Mapping[str, Any]) -> str:
    for container in pod.get("spec", {}).get("containers", ()):
        limit = container.get("resources", {}).get("limits", {}).get("memory")
        if container.get("name") == "main" and limit:
            return f" (the limit is {limit})"
    return ""
