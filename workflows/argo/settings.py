"""How runs are carried out on Argo; built once by the service and passed down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from workflows.argo.pods import PodKind, PodSettings

NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
PullPolicy = Literal["Always", "IfNotPresent", "Never"]


@dataclass(frozen=True)
class ArgoSettings:
    """Namespace, image, pods and limits. ``environment`` is what each kind of pod is told."""

    image: str
    namespace: str
    url: str = ""
    instance_id: str = ""
    service_account: str = "lupus-worker"
    parallelism: int = 50  # pods of one run at once
    max_workflows: int = 10  # held by the queue, see service/launching.py
    ttl_success_seconds: int = 86_400
    ttl_failure_seconds: int = 7 * 86_400
    pods: Mapping[PodKind, PodSettings] = field(default_factory=dict)
    environment: Mapping[PodKind, Mapping[str, str]] = field(default_factory=dict)
    retries: int = 3  # of one step within one attempt of a run
    retry_seconds: int = 10  # doubles with each
    poll_seconds: float = 2.0  # between two listings of the workflows
    stop_grace_seconds: float = 60.0  # between the polite end of a workflow and the other
    stall_seconds: float = 900.0  # a workflow that neither changes nor has pods hangs

    def pod(self, kind: PodKind) -> PodSettings:
        """Settings of a kind of pod."""
        return self.pods.get(kind) or PodSettings()


def own_namespace() -> str:
    """Where the pod of this process is, else ``default``."""
    try:
        return NAMESPACE_FILE.read_text("ascii").strip() or "default"
    except OSError:
        return "default"


def workflow_url(url: str, namespace: str, name: str) -> str:
    """The page of a workflow in Argo's web pages."""
    return f"{url.rstrip('/')}/workflows/{namespace}/{name}"
