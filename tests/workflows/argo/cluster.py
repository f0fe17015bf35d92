"""A namespace of a real cluster with two service accounts that have exactly the rights we ask for.

Everything that Lupus does there it does as one of the two; only tests are administrators.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from tests.real import MAKE, own_name
from workflows.argo.cluster import Cluster
from workflows.argo.rights import ARGO_GROUP, SERVICE_RULES, WORKER_RULES, Rule

SERVICE, WORKER = "lupus", "lupus-worker"
LONGEST = 300.0  # for anything that a cluster does
_TOKEN_SECONDS = 6 * 3600


def kubeconfig() -> str:
    """The administrator's file; skips, or fails in CI, without a cluster."""
    path = os.environ.get("KUBECONFIG", "")
    if not path:
        reason = f"KUBECONFIG is not set: {MAKE}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return path


@dataclass(frozen=True)
class Space:
    """A namespace, as its administrator sees it and as the service's account may use it."""

    name: str
    admin: client.ApiClient

    @property
    def core(self) -> Any:
        return client.CoreV1Api(self.admin)

    @property
    def objects(self) -> Any:
        return client.CustomObjectsApi(self.admin)

    def account(self, name: str = SERVICE) -> client.ApiClient:
        """A client with the rights of a service account."""
        settings = client.Configuration()
        config.load_kube_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        settings.cert_file = settings.key_file = None
        settings.api_key = {"authorization": f"Bearer {self.token(name)}"}
        settings.retries = 1
        return client.ApiClient(settings)

    def cluster(self) -> Cluster:
        """What the service works with."""
        return Cluster(self.account(), self.name)

    def token(self, account: str = SERVICE) -> str:
        """A token of a service account."""
        wanted = {"spec": {"expirationSeconds": _TOKEN_SECONDS}}
        made = self.core.create_namespaced_service_account_token(account, self.name, wanted)
        return str(made.status.token)

    def kubeconfig(self, path: Path, server: str = "") -> Path:
        """A file for a process of the service, with its account's rights; ``server`` a proxy."""
        settings = client.Configuration()
        config.load_kube_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        cluster = {"server": server or settings.host, "certificate-authority": settings.ssl_ca_cert}
        if server:
            # The certificate names the real server.
            cluster["tls-server-name"] = "kubernetes"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": SERVICE, "user": {"token": self.token()}}],
            "contexts": [
                {
                    "name": "test",
                    "context": {"cluster": "test", "user": SERVICE, "namespace": self.name},
                }
            ],
        }
        path.write_text(yaml.safe_dump(content))
        return path

    def secret(self, name: str, values: Mapping[str, str]) -> None:
        """A secret that pods refer to."""
        body = {"metadata": {"name": name}, "stringData": dict(values)}
        self.core.create_namespaced_secret(self.name, body)

    def pods(self, component: str = "", run: str = "") -> list[Any]:
        """Pods of a kind and run."""
        labels = {"app.kubernetes.io/component": component, "lupus/run": run}
        selector = ",".join(f"{key}={value}" for key, value in labels.items() if value)
        found: list[Any] = self.core.list_namespaced_pod(self.name, label_selector=selector).items
        return found

    def workflows(self) -> list[dict[str, Any]]:
        """All workflow objects."""
        found: list[dict[str, Any]] = self.objects.list_namespaced_custom_object(
            ARGO_GROUP, "v1alpha1", self.name, "workflows"
        )["items"]
        return found

    def delete_workflow(self, name: str) -> None:
        """As an operator who cleans up too much."""
        self.objects.delete_namespaced_custom_object(
            ARGO_GROUP, "v1alpha1", self.name, "workflows", name
        )


@contextmanager
def namespace(name: str = "") -> Iterator[Space]:
    """A namespace of its own with the two accounts; removed at the end."""
    config.load_kube_config(kubeconfig())  # type: ignore[no-untyped-call]
    admin = client.ApiClient()
    space = Space(name or own_name("lupus-"), admin)
    space.core.create_namespace({"metadata": {"name": space.name}})
    try:
        _grant(space, SERVICE, SERVICE_RULES)
        _grant(space, WORKER, WORKER_RULES)
        yield space
    finally:
        try:
            space.core.delete_namespace(space.name, grace_period_seconds=0)
        finally:
            admin.close()  # type: ignore[no-untyped-call]


def _grant(space: Space, account: str, rules: tuple[Rule, ...]) -> None:
    rights: Any = client.RbacAuthorizationV1Api(space.admin)
    space.core.create_namespaced_service_account(space.name, {"metadata": {"name": account}})
    body = {"metadata": {"name": account}, "rules": [dict(rule) for rule in rules]}
    rights.create_namespaced_role(space.name, body)
    subject = {"kind": "ServiceAccount", "name": account, "namespace": space.name}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account}
    binding = {"metadata": {"name": account}, "subjects": [subject], "roleRef": role}
    rights.create_namespaced_role_binding(space.name, binding)


def until(what: str, ready: Any, seconds: float = LONGEST) -> Any:
    """Poll until it is true; returns what it was."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        try:
            if found := ready():
                return found
        except ApiException as error:
            if error.status < 500 and error.status != 404:
                raise
        time.sleep(0.2)
    raise AssertionError(f"{what} did not happen within {seconds:.0f} seconds")
