"""What the doctor says of a real cluster, as the service's account sees it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from kubernetes import client
from kubernetes.config import kube_config

from service.doctor.pod import examine_from_pod
from service.settings import Settings
from storage.check import Finding
from tests.real import own_name, server
from tests.service.doctor.patient import failures, part_of, patient, the_failure
from tests.workflows.argo.cluster import SERVICE, Space, namespace

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def space() -> Iterator[Space]:
    with namespace() as space:
        yield space


def on_argo(folder: Path, space: Space, **changes: Any) -> Settings:
    s3 = urlsplit(server("LUPUS_TEST_S3_URL"))
    bucket = f"s3://{s3.path.strip('/')}/{own_name('doctor')}"
    given: dict[str, Any] = {
        "executor": "argo",
        "image": "lupus.example/lupus:1",
        "argo_namespace": space.name,
        "archive": f"{bucket}/archive",
        "objects": f"{bucket}/objects",
        "index": server("LUPUS_TEST_ELASTICSEARCH_URL"),
        "index_prefix": own_name("doctor-"),
        "s3_endpoint": urlunsplit((s3.scheme, s3.netloc.rpartition("@")[2], "", "", "")),
        "s3_access_key_id": s3.username,
        "s3_secret_access_key": s3.password,
    }
    return patient(folder, **{**given, **changes})


@pytest.fixture
def as_service(space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """KUBECONFIG names the service's account."""
    path = space.kubeconfig(tmp_path / "kubeconfig")
    # The client reads KUBECONFIG once, when it is imported.
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    return path


def executor_fails(settings: Settings, *secrets: str) -> Finding:
    finding = the_failure(settings, *secrets, only=["executor"])
    assert finding.part == "executor"
    return finding


@pytest.mark.usefixtures("as_service")
def test_the_documented_role_is_enough(space: Space, tmp_path: Path) -> None:
    found = part_of(on_argo(tmp_path, space), "executor")
    assert {one.state for one in found.values()} == {"ok"}, found
    assert found["API server"].detail.startswith("Kubernetes v")
    assert set(found) >= {"image", "definitions", "rights", "pods' account"}


@pytest.mark.usefixtures("as_service")
def test_a_missing_right_is_named(space: Space, tmp_path: Path) -> None:
    rights: Any = client.RbacAuthorizationV1Api(space.admin)
    role = rights.read_namespaced_role(SERVICE, space.name)
    kept = list(role.rules[0].verbs)
    role.rules[0].verbs = [verb for verb in kept if verb != "patch"]
    role = rights.replace_namespaced_role(SERVICE, space.name, role)
    try:
        finding = executor_fails(on_argo(tmp_path, space))
    finally:
        role.rules[0].verbs = kept
        rights.replace_namespaced_role(SERVICE, space.name, role)
    assert (finding.check, finding.detail.split(" in ")[0]) == ("rights", "may not patch workflows")


def test_a_token_that_is_not_accepted(space: Space, as_service: Path, tmp_path: Path) -> None:
    token = space.token()
    as_service.write_text(as_service.read_text().replace("token: ", "token: not-"))
    finding = executor_fails(on_argo(tmp_path, space), token)
    assert finding.check == "credentials"


def test_a_stopped_api_server(space: Space, as_service: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"https://127.0.0.1:{free.getsockname()[1]}"
    space.kubeconfig(as_service, address)
    finding = executor_fails(on_argo(tmp_path, space))
    assert finding.check == "API server"
    assert "KUBECONFIG" in finding.advice


def test_an_account_of_pods_that_is_not_there(space: Space, tmp_path: Path) -> None:
    """Only somebody who may look at accounts sees that; here the administrator."""
    settings = on_argo(tmp_path, space, argo_service_account="nobody")
    finding = executor_fails(settings)
    assert finding.check == "pods' account"
    assert "LUPUS_ARGO_SERVICE_ACCOUNT" in finding.advice


@pytest.mark.usefixtures("as_service")
def test_a_pod_file_that_cannot_be_used(space: Space, tmp_path: Path) -> None:
    (tmp_path / "pods.yaml").write_text("weather: {}\n")
    finding = executor_fails(on_argo(tmp_path, space, argo_pod_file=tmp_path / "pods.yaml"))
    assert finding.check == "pod file"


@pytest.mark.usefixtures("as_service")
def test_the_stores_are_seen_from_inside_a_pod(space: Space, tmp_path: Path) -> None:
    """The pod has no secret of the bucket: exactly that is found, from in there."""
    image = os.environ.get("LUPUS_TEST_IMAGE", "")
    if not image:
        pytest.skip("LUPUS_TEST_IMAGE is not set: start it with `make servers`")
    findings = examine_from_pod(on_argo(tmp_path, space, image=image))
    parts = {one.part for one in findings}
    assert {"pod, index", "pod, objects", "pod, archive", "pod, folders"} <= parts, findings
    failed = failures(findings)
    assert {one.part for one in failed.values()} == {"pod, objects", "pod, archive"}, failed
    assert space.workflows() == []
