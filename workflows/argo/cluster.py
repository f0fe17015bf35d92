"""The Kubernetes API in the few words that the launcher needs.

Reads ask for the newest state (no resourceVersion), so that "absent" is never an old truth. What
cannot be reached, and what is refused for now (rights, quota, overload), is a ClusterError; what
will never be taken is a ClusterRefusedError.
"""

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

from workflows.argo.rights import ARGO_GROUP
from workflows.errors import ClusterError, ClusterRefusedError, WorkflowError

VERSION = "v1alpha1"
_TIMEOUT = (5.0, 30.0)  # to connect, to answer
_PAGE = 500
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_EXTRA = "needs the extra: pip install 'lupus-server[argo]'"
Object = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Meta:
    """What a listing tells of a workflow."""

    name: str
    version: str  # changes whenever the object does
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


class Cluster:
    """Workflows and pods of one namespace."""

    def __init__(self, client: Any, namespace: str) -> None:
        from kubernetes import client as api  # noqa: PLC0415

        self.client = client
        self.namespace = namespace
        self._workflows: Any = api.CustomObjectsApi(client)
        self._core: Any = api.CoreV1Api(client)
        self._where: dict[str, Any] = {
            "group": ARGO_GROUP,
            "version": VERSION,
            "namespace": namespace,
            "plural": "workflows",
        }

    def create(self, body: Object, *, dry_run: bool = False) -> bool:
        """Create a workflow, every field checked; False when one of its name is there."""
        try:
            self._ask(
                "create the workflow",
                lambda: self._workflows.create_namespaced_custom_object(
                    **self._where,
                    body=body,
                    field_validation="Strict",
                    dry_run="All" if dry_run else None,
                    _request_timeout=_TIMEOUT,
                ),
            )
        except _ConflictError:
            return False
        return True

    def get(self, name: str) -> Object | None:
        """The whole object, or None when the cluster has none."""
        try:
            found = self._ask(
                "read the workflow",
                lambda: _object(
                    self._workflows.get_namespaced_custom_object(
                        **self._where, name=name, _request_timeout=_TIMEOUT
                    )
                ),
            )
        except _MissingError:
            return None
        return found

    def metas(self, selector: str) -> list[Meta]:
        """Names, labels and annotations only: statuses are large."""
        found: list[Meta] = []
        more: str | None = None
        while True:
            page = self._ask("list workflows", partial(self._page, selector, more))
            found += [_meta(item["metadata"]) for item in page.get("items") or ()]
            more = page.get("metadata", {}).get("continue")
            if not more:
                return found

    def _page(self, selector: str, more: str | None) -> Object:
        return _object(
            self._workflows.list_namespaced_custom_object(
                **self._where,
                label_selector=selector,
                limit=_PAGE,
                _continue=more,
                _headers={"Accept": _METADATA},
                _request_timeout=_TIMEOUT,
            )
        )

    def patch(self, name: str, body: Object) -> bool:
        """Merge into a workflow; False when it is gone."""
        try:
            self._ask(
                "change the workflow",
                lambda: self._workflows.patch_namespaced_custom_object(
                    **self._where, name=name, body=body, _request_timeout=_TIMEOUT
                ),
            )
        except _MissingError:
            return False
        return True

    def pods(self, workflow: str, phases: str = "") -> list[Object]:
        """Pods of a workflow, as plain objects; ``phases`` is a field selector."""
        found = self._ask(
            "list pods",
            lambda: _object(
                json.loads(
                    self._core.list_namespaced_pod(
                        self.namespace,
                        label_selector=f"workflows.argoproj.io/workflow={workflow}",
                        field_selector=phases or None,
                        _preload_content=False,
                        _request_timeout=_TIMEOUT,
                    ).data
                )
            ),
        )
        return cast(list[Object], found.get("items") or [])

    def log(self, pod: str, lines: int) -> list[str]:
        """The last lines of a pod's step; none when they are gone."""
        try:
            answer = self._ask(
                "read a pod's log",
                lambda: self._core.read_namespaced_pod_log(
                    pod,
                    self.namespace,
                    container="main",
                    tail_lines=lines,
                    limit_bytes=64 * 1024,
                    _preload_content=False,
                    _request_timeout=_TIMEOUT,
                ),
            )
        except (_MissingError, ClusterRefusedError):
            return []
        text: str = answer.data.decode("utf-8", "replace")
        return text.splitlines()

    def close(self) -> None:
        """Let go of the connections."""
        self.client.close()

    def _ask(self, what: str, call: Callable[[], T]) -> T:
        with _translated(what, self.namespace):
            return call()


class _ConflictError(Exception):
    """An object of that name is there already."""


class _MissingError(ClusterError):
    """No such object, or none of its namespace or kind."""


_KINDS: Mapping[int, type[WorkflowError]] = {
    400: ClusterRefusedError,
    404: _MissingError,
    413: ClusterRefusedError,
    422: ClusterRefusedError,
}


@contextmanager
def _translated(what: str, namespace: str) -> Iterator[None]:
    from kubernetes.client.exceptions import ApiException  # noqa: PLC0415
    from kubernetes.config import ConfigException  # noqa: PLC0415 - a token that cannot be read
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    try:
        yield
    except ApiException as error:
        reason = _reason(error)
        if error.status == 409 and reason.get("reason") == "AlreadyExists":
            raise _ConflictError from None
        told = f"cannot {what} in namespace {namespace}: {reason.get('message') or error.reason}"
        if error.status == 404 and reason.get("reason") != "NotFound":
            raise ClusterError(told[:2000]) from None  # of a proxy, or the kind is not served now
        raise _KINDS.get(error.status, ClusterError)(told[:2000]) from None
    except ValueError as error:  # also of JSON that was cut off
        raise ClusterError(f"cannot {what}: the answer is none of Kubernetes: {error}") from None
    except (ConfigException, HTTPError, OSError) as error:
        cause = getattr(error, "reason", None) or error
        raise ClusterError(f"cannot {what}: the Kubernetes API does not answer: {cause}") from None


def _reason(error: Any) -> Mapping[str, Any]:
    try:
        content = json.loads(error.body)
    except (TypeError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _object(answer: Any) -> Object:
    """What a proxy answers in the place of Kubernetes may be a page."""
    if not isinstance(answer, dict):
        raise ValueError(f"{str(answer)[:100]!r}")
    return answer


def _meta(content: Mapping[str, Any]) -> Meta:
    return Meta(
        content["name"],
        content.get("resourceVersion", ""),
        content.get("labels") or {},
        content.get("annotations") or {},
    )


def open_cluster(namespace: str) -> Cluster:
    """By the service account of this pod, else by KUBECONFIG."""
    try:
        kubernetes = importlib.import_module("kubernetes")
        yaml_error: type[Exception] = importlib.import_module("yaml").YAMLError
    except ImportError:
        raise ClusterRefusedError(f"LUPUS_EXECUTOR=argo {_EXTRA}") from None
    client, config = kubernetes.client, kubernetes.config
    settings = client.Configuration()
    settings.retries = 1
    try:
        try:
            config.load_incluster_config(client_configuration=settings)
        except config.ConfigException:
            config.load_kube_config(client_configuration=settings)
    except (config.ConfigException, yaml_error, OSError, TypeError, ValueError) as error:
        told = " ".join(str(error).split())
        raise ClusterRefusedError(
            "no Kubernetes cluster is known here: inside a pod its service account names it, "
            f"elsewhere the file that KUBECONFIG names ({told})"
        ) from None
    return Cluster(client.ApiClient(settings), namespace)
