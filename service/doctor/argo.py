"""Argo Workflows: the API server, its kinds, our rights, the pods' account and their settings."""

from collections.abc import Iterator
from typing import Any

from service.errors import SettingsError
from service.launching import argo_settings
from service.settings import Settings
from storage.check import Finding
from workflows.argo.cluster import VERSION, Cluster, open_cluster
from workflows.argo.rights import ARGO_GROUP, SERVICE_RULES
from workflows.argo.settings import ArgoSettings
from workflows.errors import WorkflowError

PART = "executor"
_TIMEOUT = (5.0, 15.0)  # seconds to connect, to answer
_KINDS = ("workflows", "workflowtaskresults")
_NOT_FOUND, _FORBIDDEN, _UNAUTHORIZED = 404, 403, 401
_CRDS = "https://argo-workflows.readthedocs.io/en/latest/installation/"


def check(settings: Settings) -> Iterator[Finding]:
    """What the service needs of the cluster; a pod's own rights are seen by ``--from-pod``."""
    try:
        wanted = argo_settings(settings)
    except SettingsError as error:
        yield Finding(PART, "pod file", "failed", str(error), "correct LUPUS_ARGO_POD_FILE")
        return
    yield _image(wanted)
    if settings.argo_pod_file is not None:
        yield Finding(PART, "pod file", "ok", str(settings.argo_pod_file))
    try:
        cluster = open_cluster(wanted.namespace)
    except WorkflowError as error:
        advice = "give the pod a service account, or set KUBECONFIG"
        yield Finding(PART, "cluster", "failed", str(error), advice)
        return
    try:
        yield from _cluster(cluster, wanted)
    finally:
        cluster.close()


def _image(wanted: ArgoSettings) -> Finding:
    name = wanted.image.rsplit("/", 1)[-1]
    if not wanted.image:
        return Finding(PART, "image", "failed", "LUPUS_IMAGE is not set", "name the pods' image")
    if "@" not in name and (":" not in name or name.endswith(":latest")):
        advice = "name a tag that never changes, or a digest: pods of one run must be the same"
        return Finding(PART, "image", "warning", wanted.image, advice)
    return Finding(PART, "image", "ok", wanted.image)


def _cluster(cluster: Cluster, wanted: ArgoSettings) -> Iterator[Finding]:
    from kubernetes import client as api  # noqa: PLC0415 - an extra
    from kubernetes.client.exceptions import ApiException  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    try:
        version = api.VersionApi(cluster.client).get_code(_request_timeout=_TIMEOUT)
        yield Finding(PART, "API server", "ok", f"Kubernetes {version.git_version}")
        yield _definitions(cluster)
        yield from _rights(cluster)
        yield _account(cluster, wanted.service_account)
    except ApiException as error:
        yield _refused(error.status, error.reason)
    except HTTPError as error:
        told = f"{cluster.client.configuration.host}: {type(error).__name__}"
        advice = "check that this machine may reach the API server, and KUBECONFIG"
        yield Finding(PART, "API server", "failed", told, advice)


def _refused(status: int, reason: str) -> Finding:
    told = f"the API server answers {status} {reason}"
    if status == _UNAUTHORIZED:
        advice = "the token is not accepted: mount a service account, or renew KUBECONFIG"
        return Finding(PART, "credentials", "failed", told, advice)
    return Finding(PART, "API server", "failed", told, "ask the cluster's administrator")


def _definitions(cluster: Cluster) -> Finding:
    from kubernetes import client as api  # noqa: PLC0415
    from kubernetes.client.exceptions import ApiException  # noqa: PLC0415

    name = f"{ARGO_GROUP}/{VERSION}"
    advice = f"install Argo Workflows with its full definitions ({_CRDS})"
    try:
        listed = api.CustomObjectsApi(cluster.client).get_api_resources(
            ARGO_GROUP, VERSION, _request_timeout=_TIMEOUT
        )
    except ApiException as error:
        if error.status != _NOT_FOUND:
            raise
        return Finding(PART, "definitions", "failed", f"{name} is not installed", advice)
    there = {one.name for one in listed.resources}
    missing = [kind for kind in _KINDS if kind not in there]
    if missing:
        told = f"{name} lacks {', '.join(missing)}"
        return Finding(PART, "definitions", "failed", told, advice)
    return Finding(PART, "definitions", "ok", f"{name}: {', '.join(_KINDS)}")


def _rights(cluster: Cluster) -> Iterator[Finding]:
    lacking = [
        f"{verb} {resource}"
        for rule in SERVICE_RULES
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if not _may(cluster, group, resource, verb)
    ]
    where = f"in namespace {cluster.namespace}"
    if lacking:
        told = f"may not {', '.join(lacking)} {where}"
        advice = "bind the service's account to the role that the chart makes (docs/argo.md)"
        yield Finding(PART, "rights", "failed", told, advice)
    else:
        yield Finding(PART, "rights", "ok", f"has the documented role {where}")


def _may(cluster: Cluster, group: str, resource: str, verb: str) -> bool:
    from kubernetes import client as api  # noqa: PLC0415

    name, _, sub = resource.partition("/")
    attributes: dict[str, Any] = {
        "namespace": cluster.namespace,
        "group": group,
        "resource": name,
        "verb": verb,
    }
    if sub:
        attributes["subresource"] = sub
    review: Any = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer: Any = api.AuthorizationV1Api(cluster.client).create_self_subject_access_review(
        review, _request_timeout=_TIMEOUT
    )
    return bool(answer.status.allowed)


def _account(cluster: Cluster, name: str) -> Finding:
    from kubernetes import client as api  # noqa: PLC0415
    from kubernetes.client.exceptions import ApiException  # noqa: PLC0415

    try:
        api.CoreV1Api(cluster.client).read_namespaced_service_account(
            name, cluster.namespace, _request_timeout=_TIMEOUT
        )
    except ApiException as error:
        if error.status == _NOT_FOUND:
            told = f"there is no service account {name} in namespace {cluster.namespace}"
            advice = "make it (the chart does), or correct LUPUS_ARGO_SERVICE_ACCOUNT"
            return Finding(PART, "pods' account", "failed", told, advice)
        if error.status == _FORBIDDEN:
            told = f"{name} cannot be looked at with the service's rights"
            return Finding(PART, "pods' account", "ok", told)
        raise
    return Finding(PART, "pods' account", "ok", name)
