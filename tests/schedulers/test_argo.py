"""The CronWorkflow and the CronJob of the docs on a real cluster: pods ask a real service."""

import copy
import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.conftest import ROOT
from tests.schedulers.conftest import DROP
from tests.schedulers.test_snippets import snippet
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
FINE = {"start": "2026-07-01", "end": "2026-07-04"}
BAD = {"start": DROP, "end": "2026-08-01"}


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


def settle(container: dict[str, Any], service: Served) -> None:
    """The image and the address of this cluster instead of the example's."""
    container["image"] = image()
    (url,) = [one for one in container["env"] if one["name"] == "LUPUS_URL"]
    url["value"] = f"http://{NODE}:{service.http.base_url.port}"


def cron_workflow(service: Served) -> dict[str, Any]:
    found: dict[str, Any] = next(yaml.safe_load_all(EXAMPLE.read_text()))
    settle(found["spec"]["workflowSpec"]["templates"][0]["container"], service)
    return found


def request(space: Space, rule: str, days: dict[str, str]) -> str:
    """The name of a config map with the request, as the example has one."""
    found = list(yaml.safe_load_all(EXAMPLE.read_text()))[1]
    found["metadata"]["name"] = f"request-{rule}"
    found["data"]["request.json"] = json.dumps(detection("shop", rule=rule, range=days))
    space.core.create_namespaced_config_map(space.name, found)
    return f"request-{rule}"


def run(space: Space, service: Served, name: str, days: dict[str, str]) -> dict[str, Any]:
    """What the clock would do: a workflow of the CronWorkflow's spec, until it is over."""
    cron = cron_workflow(service)
    spec = copy.deepcopy(cron["spec"]["workflowSpec"])
    spec["volumes"][0]["configMap"]["name"] = request(space, name, days)
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


def is_known(service: Served, key: str, rule: str, days: dict[str, str]) -> bool:
    """Whether somebody asked for this with the key."""
    again = service.http.post(
        "/v1/detections",
        json=detection("shop", rule=rule, range=days),
        headers={"Idempotency-Key": key},
    )
    return again.headers.get("idempotency-replayed") == "true"


def test_a_fine_check_succeeds_and_its_name_is_its_key(space: Space, service: Served) -> None:
    ended = run(space, service, "fine", FINE)
    assert ended["status"]["phase"] == "Succeeded", ended["status"]
    assert is_known(service, f"argo/{space.name}/fine", "fine", FINE)


def test_anomalies_fail_the_workflow_once(space: Space, service: Served) -> None:
    ended = run(space, service, "bad", BAD)
    assert ended["status"]["phase"] == "Failed"
    assert [pod["outputs"]["exitCode"] for pod in pods(ended)] == ["1"], "no retry"


def test_the_cluster_knows_every_field_of_the_cron_workflow(space: Space, service: Served) -> None:
    cron = cron_workflow(service)
    create(space, "cronworkflows", cron)
    space.objects.delete_namespaced_custom_object(
        ARGO_GROUP, "v1alpha1", space.name, "cronworkflows", cron["metadata"]["name"]
    )


def test_anomalies_fail_the_job_of_a_cron_job_once(space: Space, service: Served) -> None:
    """The CronJob of the docs, and a job of its template as the clock would make it."""
    cron = yaml.safe_load(snippet("yaml"))
    pod = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    settle(pod["containers"][0], service)
    pod["volumes"][0]["configMap"]["name"] = request(space, "job", BAD)
    batch: Any = client.BatchV1Api(space.admin)
    batch.create_namespaced_cron_job(space.name, cron, field_validation="Strict")
    body = {"metadata": {"name": "job-1"}, "spec": cron["spec"]["jobTemplate"]["spec"]}
    batch.create_namespaced_job(space.name, body)

    def over() -> list[str]:
        status = batch.read_namespaced_job_status("job-1", space.name).status
        return [one.reason for one in status.conditions or () if one.type in ("Failed", "Complete")]

    assert until("the end of the job", over, PATIENCE) == ["PodFailurePolicy"], "no retry"
    assert is_known(service, "cronjob/job-1", "job", BAD)
