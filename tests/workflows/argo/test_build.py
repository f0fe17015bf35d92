"""The workflow that is created, as a golden file and in the details that matter."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from storage.source import SourceSpec
from tests.conftest import ROOT
from tests.workflows.argo.stack import pod_file
from tests.workflows.world import END, request
from workflows.argo.build import workflow
from workflows.argo.names import request_hash, workflow_name
from workflows.argo.pods import KINDS, pods_of
from workflows.argo.rights import SERVICE_RULES, WORKER_RULES
from workflows.argo.settings import ArgoSettings, workflow_url
from workflows.request import IngestRequest

GOLDEN = Path(__file__).parent / "golden"
RUN = "01jd0m5x8n3h7v2q4c6r9t1w3y"
SETTINGS = ArgoSettings(
    image="registry.example.com/lupus-server:1.2.3",
    namespace="lupus",
    instance_id="blue",
    pods=pods_of(
        pod_file("2Gi")
        | {
            "publish": {
                "env": [{"name": "LUPUS_CA_BUNDLE", "value": "/ca/ca.pem"}],
                "envFrom": [{"secretRef": {"name": "lupus-index"}}],
                "volumes": [{"name": "ca", "configMap": {"name": "ca"}}],
                "volumeMounts": [{"name": "ca", "mountPath": "/ca", "readOnly": True}],
                "nodeSelector": {"pool": "batch"},
                "tolerations": [{"key": "batch", "operator": "Exists"}],
                "imagePullSecrets": [{"name": "registry"}],
                "priorityClassName": "low",
                "annotations": {"sidecar.istio.io/inject": "false"},
                "labels": {"team": "rec"},
                "serviceAccountName": "lupus-publish",
            }
        }
    ),
    environment={
        "plan": {"LUPUS_OBJECTS": "s3://lupus/x", "LUPUS_ARCHIVE": "hive://h:10000/db"},
        "detect": {"LUPUS_OBJECTS": "s3://lupus/x"},
        "publish": {"LUPUS_OBJECTS": "s3://lupus/x", "LUPUS_INDEX": "https://es:9200"},
    },
)
DETECTION = request(RUN, metrics=("ndcg@10", "recall@*"), labels={"region": "jp"})
INGEST = IngestRequest(RUN, "job.service1", "UTC", 5, "ingest/x/payload", "json", END)


@pytest.mark.parametrize(("name", "asked"), [("detection", DETECTION), ("ingest", INGEST)])
def test_the_workflow_is_the_golden_one(name: str, asked: Any) -> None:
    """To accept a change: print the object with the same dump into the file, and read the diff."""
    text = yaml.safe_dump(workflow(asked, 2, SETTINGS, 3600), width=100)
    assert text == (GOLDEN / f"{name}.yaml").read_text("utf-8")


def templates(settings: ArgoSettings = SETTINGS) -> dict[str, Any]:
    made = workflow(DETECTION, 1, settings, 3600)
    return {template["name"]: template for template in made["spec"]["templates"]}


def test_a_detect_pod_is_told_of_the_object_store_only() -> None:
    detect = json.dumps(templates()["detect"])
    for word in ("HIVE", "hive", "ELASTIC", "INDEX", "ARCHIVE", "DATABASE", "lupus-index", "es:92"):
        assert word not in detect
    assert "LUPUS_OBJECTS" in detect
    assert "LUPUS_INDEX" in json.dumps(templates()["publish"])


def test_no_secret_stands_in_a_workflow() -> None:
    for name, template in templates().items():
        for variable in template.get("container", {}).get("env", []):
            if variable["name"].endswith(("_KEY", "_PASSWORD", "_TOKEN")):
                assert "value" not in variable, (name, variable)


def test_every_pod_can_work_with_a_read_only_root() -> None:
    for template in templates().values():
        if "container" not in template:
            continue
        container = template["container"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert {"name": "scratch", "mountPath": "/tmp"} in container["volumeMounts"]
        assert {"name": "scratch", "emptyDir": {}} in template["volumes"]
        named = {variable["name"]: variable.get("value") for variable in container["env"]}
        assert (named["LUPUS_SCRATCH"], named["HOME"]) == ("/tmp", "/tmp")
        assert container["command"], "without one Argo asks a registry for it"
        assert container["imagePullPolicy"] == "IfNotPresent"


def test_without_a_limit_of_cores_a_pod_counts_them_itself() -> None:
    """Kubernetes would tell those of the machine, which the memory of the pod has no room for."""
    limits = [{"memory": "2Gi"}, {"memory": "2Gi", "cpu": "2"}]
    pods = [pods_of({"detect": {"resources": {"limits": limit}}}) for limit in limits]
    told = [
        [
            variable["name"]
            for variable in templates(ArgoSettings("i:1", "n", pods=pod))["detect"]["container"][
                "env"
            ]
        ]
        for pod in pods
    ]
    assert ["LUPUS_PROCESSES" in names for names in told] == [False, True]


def test_an_operators_volume_replaces_the_scratch_folder() -> None:
    big = {"name": "scratch", "emptyDir": {"sizeLimit": "10Gi"}}
    settings = ArgoSettings("i:1", "n", pods=pods_of({"plan": {"volumes": [big]}}))
    assert templates(settings)["plan"]["volumes"] == [big]
    assert templates(settings)["detect"]["volumes"] == [{"name": "scratch", "emptyDir": {}}]


def test_names_fit_labels_and_tell_runs_apart() -> None:
    assert workflow_name("detection", RUN, 12) == f"lupus-detection-{RUN}-12"
    odd = [workflow_name("detection", run, 1) for run in ("A_b", "a-b", "A.b", "x" * 80, "x" * 81)]
    assert len(set(odd)) == 5
    for name in odd:
        assert len(name) <= 63
        assert name == name.lower()


@pytest.mark.parametrize("braces", ["{{", "{{{", "{{{{"])
def test_what_argo_would_replace_is_told_apart_from_its_variables(braces: str) -> None:
    made = workflow(request(RUN, metrics=(f"{braces}workflow.name}}}}",)), 1, SETTINGS, 3600)
    told = {one["name"]: one["value"] for one in made["spec"]["arguments"]["parameters"]}
    assert told["series"] == " ".join(braces) + "workflow.name}}"


def test_the_whole_object_stays_small_with_the_longest_request() -> None:
    """Argo keeps it with its status within a megabyte."""
    many = tuple(f"metric-{'x' * 180}-{number}" for number in range(2_000))
    made = workflow(request(RUN, metrics=many), 1, SETTINGS, 3600)
    assert len(json.dumps(made)) < 32_000


def test_another_request_has_another_hash() -> None:
    assert request_hash(request("r")) == request_hash(request("r"))
    assert request_hash(request("r")) != request_hash(request("r", source=SourceSpec("other")))


def test_the_trace_of_the_request_goes_on_in_the_workflow() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    made = workflow(request(RUN, traceparent=trace), 1, SETTINGS, 3600)
    pods = [one["container"] for one in made["spec"]["templates"] if "container" in one]
    told = [{v["name"]: v.get("value") for v in pod["env"]}.get("TRACEPARENT") for pod in pods]
    assert told == [trace] * len(pods), "the spans of steps in pods belong to it"
    assert made["metadata"]["annotations"]["lupus/traceparent"] == trace
    assert (
        "lupus/traceparent" not in workflow(DETECTION, 1, SETTINGS, 3600)["metadata"]["annotations"]
    )


def test_no_more_pods_than_chunks_and_every_kind_has_settings() -> None:
    assert set(KINDS) == {"plan", "detect", "publish"}
    made = workflow(DETECTION, 1, SETTINGS, 3600)
    assert made["spec"]["parallelism"] == 50
    assert made["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_the_page_of_a_workflow() -> None:
    assert workflow_url("https://argo/", "n", "w") == "https://argo/workflows/n/w"


def test_the_documented_rights_are_those_of_the_chart_and_the_tests() -> None:
    page = (ROOT / "docs" / "argo.md").read_text("utf-8").partition("## Rights")[2]
    documents = list(yaml.safe_load_all(page.partition("```yaml")[2].partition("```")[0]))
    assert [document["rules"] for document in documents] == [
        [dict(rule) for rule in SERVICE_RULES],
        [dict(rule) for rule in WORKER_RULES],
    ]
