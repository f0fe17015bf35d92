"""examples/argo/lupus-detect.yaml on a real cluster: its pod asks a real service."""

import copy
import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.schedulers.conftest import DROP
from tests.service.api.house import daily, detection
from tests.service.served import Served
from tests.workflows.argo.cluster import Space, namespace, until
from tests.workflows.argo.stack import image
from workflows.argo.rights import ARGO_GROUP

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]
EXAMPLE = ROOT / "examples" / "argo" / "lupus-detect.yaml"
NODE = "10.244.0.1"  # pods reach nothing else of this machine
TOKEN = "lps_" + "a" * 40
PATIENCE = 900


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("argo") / "data"
    environment = {"LUPUS_HOST": "0.0.0.0", "LUPUS_ADMIN_TOKEN": TOKEN, "LUPUS_PROCESSES": "1"}
    service = Served(folder, environment)
    service.http.headers["authorization"] = f"Bearer {TOKEN}"
    try:
        service.start()
        service.http.put("/v1/sources/shop", json={"kind": "managed"})
        values = [0.1 if day == 60 else 0.4 for day in range(84)]
        service.post("/v1/sources/shop/points", json={"points": daily(values)})
        yield service
    finally:
        service.end(signal.SIGTERM)
        service.http.close()


@pytest.fixture(scope="module")
def space() -> Iterator[Space]:
    with namespace() as space:
        space.secret("lupus-scheduler", {"token": TOKEN})
        yield space


def documents(service: Served) -> tuple[dict[str, Any], dict[str, Any]]:
    """The example for this cluster: another image and another address."""
    cron, request = yaml.safe_load_all(EXAMPLE.read_text())
    container = cron["spec"]["workflowSpec"]["templates"][0]["container"]
    container["image"] = image()
    url = f"http://{NODE}:{service.http.base_url.port}"
    container["env"][0] = {"name": "LUPUS_URL", "value": url}
    return cron, request


def run(space: Space, service: Served, name: str, range_: dict[str, str]) -> dict[str, Any]:
    """What the clock would do: a workflow of the CronWorkflow's spec, until it is over."""
    cron, request = documents(service)
    body = detection("shop", rule=name, range=range_)
    request["metadata"]["name"] = f"request-{name}"
    request["data"]["request.json"] = json.dumps(body)
    space.core.create_namespaced_config_map(space.name, request)
    spec = copy.deepcopy(cron["spec"]["workflowSpec"])
    spec["volumes"][0]["configMap"]["name"] = f"request-{name}"
    workflow = {
        "apiVersion": cron["apiVersion"],
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": spec,
    }
    create(space, "workflows", workflow)

    def over() -> dict[str, Any] | None:
        found: dict[str, Any] = space.objects.get_namespaced_custom_object(
            ARGO_GROUP, "v1alpha1", space.name, "workflows", name
        )
        return found if found.get("status", {}).get("finishedAt") else None

    ended: dict[str, Any] = until(f"the end of {name}", over, PATIENCE)
    return ended


def create(space: Space, plural: str, body: dict[str, Any]) -> None:
    """Refused when the cluster's schema does not know a field."""
    space.objects.create_namespaced_custom_object(
        ARGO_GROUP, "v1alpha1", space.name, plural, body, field_validation="Strict"
    )


def pods(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    nodes = workflow["status"]["nodes"].values()
    return [node for node in nodes if node["type"] == "Pod"]


def test_a_fine_check_succeeds_and_its_name_is_its_key(space: Space, service: Served) -> None:
    days = {"start": "2026-07-01", "end": "2026-07-04"}
    ended = run(space, service, "fine", days)
    assert ended["status"]["phase"] == "Succeeded", ended["status"]
    body = detection("shop", rule="fine", range=days)
    key = {"Idempotency-Key": f"argo/{space.name}/fine"}
    again = service.http.post("/v1/detections", json=body, headers=key)
    assert again.headers["idempotency-replayed"] == "true"


def test_anomalies_fail_the_workflow_once(space: Space, service: Served) -> None:
    ended = run(space, service, "bad", {"start": DROP, "end": "2026-08-01"})
    assert ended["status"]["phase"] == "Failed"
    assert [pod["outputs"]["exitCode"] for pod in pods(ended)] == ["1"], "no retry"


def test_the_cluster_takes_the_cron_workflow(space: Space, service: Served) -> None:
    cron, _ = documents(service)
    create(space, "cronworkflows", cron)

    def seen() -> bool:
        found: dict[str, Any] = space.objects.get_namespaced_custom_object(
            ARGO_GROUP, "v1alpha1", space.name, "cronworkflows", cron["metadata"]["name"]
        )
        assert not found.get("status", {}).get("conditions"), found["status"]
        return "status" in found

    until("the controller", seen, PATIENCE)
    space.objects.delete_namespaced_custom_object(
        ARGO_GROUP, "v1alpha1", space.name, "cronworkflows", cron["metadata"]["name"]
    )
