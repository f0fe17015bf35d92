"""What the chart renders, and what it refuses before anything is installed."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.settings import Settings, secret_fields
from service.version import VERSION
from tests.conftest import ROOT
from tests.helm.chart import CASES, CHART, GOLDEN, NEEDED, helm, objects, rendered
from tests.helm.schema import CHART_OWNED, text
from workflows.argo.pods import pods_of
from workflows.argo.rights import SERVICE_RULES, WORKER_RULES

KUBERNETES = "1.34"
REGENERATE = "run: python -m tests.helm.regenerate"
NOT_KUBERNETES = ("ServiceMonitor", "PodMonitor", "PrometheusRule")
PRODUCTION = CASES["production"]
Object = dict[str, Any]

needs_helm = pytest.mark.real


def golden(name: str) -> list[Object]:
    return objects((GOLDEN / f"{name}.yaml").read_text())


def kinds(found: list[Object], kind: str) -> list[Object]:
    return [one for one in found if one["kind"] == kind]


def pod_specs(found: list[Object]) -> Iterator[Object]:
    for one in found:
        if one["kind"] in ("Deployment", "Job"):
            yield one["spec"]["template"]["spec"]
        elif one["kind"] == "Pod":
            yield one["spec"]


@needs_helm
@pytest.mark.parametrize("name", CASES)
def test_what_is_rendered_is_what_was_reviewed(name: str) -> None:
    assert rendered(*CASES[name]) == (GOLDEN / f"{name}.yaml").read_text(), REGENERATE


@needs_helm
@pytest.mark.parametrize("name", CASES)
def test_lint_finds_nothing(name: str) -> None:
    answer = helm("lint", "--strict", str(CHART), *CASES[name])
    assert answer.code == 0, answer.out + answer.error


def test_the_schema_is_made_of_the_settings() -> None:
    assert (CHART / "values.schema.json").read_text() == text(), REGENERATE


def test_the_chart_has_the_version_of_the_application() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == VERSION


@pytest.mark.parametrize("name", CASES)
def test_kubernetes_knows_every_field(name: str) -> None:
    for one in golden(name):
        if one["kind"] not in NOT_KUBERNETES:
            kubernetes_validate.validate(one, KUBERNETES, strict=True)


@pytest.mark.parametrize("name", CASES)
def test_every_pod_is_locked_down(name: str) -> None:
    specs = list(pod_specs(golden(name)))
    assert len(specs) >= 2
    for spec in specs:
        pod = spec["securityContext"]
        assert pod["runAsNonRoot"] is True
        assert pod["runAsUser"] == 10001
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["enableServiceLinks"] is False, "else a Service named lupus sets LUPUS_PORT"
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"]["cpu"]


@pytest.mark.parametrize("name", CASES)
def test_variables_are_settings_and_hold_no_secret(name: str) -> None:
    known = {f"LUPUS_{field.upper()}" for field in Settings.model_fields}
    secrets = {f"LUPUS_{field.upper()}" for field in secret_fields()}
    known |= {f"{secret}_FILE" for secret in secrets}
    for spec in pod_specs(golden(name)):
        for container in spec["containers"]:
            names = [variable["name"] for variable in container.get("env", ())]
            assert len(names) == len(set(names))
            assert {one for one in names if one.startswith("LUPUS_")} <= known - secrets
    for one in golden(name):
        assert one["kind"] != "Secret", "secrets are referred to, never made"


def test_large_numbers_arrive_as_they_were_written() -> None:
    env = kinds(golden("everything"), "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]
    values = {variable["name"]: variable.get("value") for variable in env["env"]}
    assert values["LUPUS_MAX_SERIES"] == "1000000"
    assert values["LUPUS_EGRESS_ALLOW"] == "10.20.0.0/16,fd00::/8"
    assert values["LUPUS_METRICS_PUBLIC"] == "false"


@pytest.mark.parametrize("name", ["production", "everything"])
def test_the_pod_file_is_one_that_the_service_takes(name: str) -> None:
    files = {file: text for one in kinds(golden(name), "ConfigMap")
             for file, text in one["data"].items()}  # fmt: skip
    content = yaml.safe_load(files["pods.yaml"])
    pods = pods_of(content)
    assert set(pods) == {"plan", "detect", "publish"}
    detect = {variable.name for variable in pods["detect"].many("env")}
    assert detect - {"TZ"} == {"LUPUS_S3_SECRET_ACCESS_KEY_FILE", "LUPUS_CA_BUNDLE"}
    told = str(content)
    assert "database" not in told
    assert "secret_key" not in told
    assert "admin" not in told


def test_the_rights_are_those_that_are_asked_for() -> None:
    roles = kinds(golden("production"), "Role")
    found = {role["metadata"]["name"]: role["rules"] for role in roles}
    assert found == {
        "lupus": [_plain(rule) for rule in SERVICE_RULES],
        "lupus-workflows": [_plain(rule) for rule in WORKER_RULES],
    }


def _plain(rule: Any) -> Object:
    return {word: list(values) for word, values in dict(rule).items()}


def test_a_changed_setting_makes_new_pods() -> None:
    sums = [
        kinds(golden(name), "Deployment")[0]["spec"]["template"]["metadata"]["annotations"]
        for name in ("embedded", "production", "everything")
    ]
    assert len({one["checksum/settings"] for one in sums}) == 3


def test_the_settings_of_the_chart_are_those_of_the_service() -> None:
    assert set(Settings.model_fields) >= CHART_OWNED
    for name in ("values.yaml", "values-embedded.yaml", "values-production.yaml"):
        values = yaml.safe_load((CHART / name).read_text())
        assert set(values.get("settings") or ()) <= set(Settings.model_fields) - CHART_OWNED


def test_the_dashboard_and_the_alerts_are_those_that_are_kept() -> None:
    found = golden("everything")
    shown = next(one for one in kinds(found, "ConfigMap") if "lupus.json" in one["data"])
    folder = CHART / "monitoring"
    kept = json.loads((folder / "grafana-dashboard.json").read_text())
    assert json.loads(shown["data"]["lupus.json"]) == kept
    assert shown["metadata"]["labels"]["grafana_dashboard"] == "1"
    (rule,) = kinds(found, "PrometheusRule")
    assert rule["spec"] == yaml.safe_load((folder / "prometheus-rules.yaml").read_text())


def test_prometheus_reaches_the_port_that_workers_open() -> None:
    found = golden("everything")
    (monitor,) = kinds(found, "PodMonitor")
    worker = next(
        one for one in kinds(found, "Deployment") if one["metadata"]["name"].endswith("-worker")
    )
    labels = worker["spec"]["template"]["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    assert [one["port"] for one in monitor["spec"]["podMetricsEndpoints"]] == [port["name"]]
    told = {one["name"]: one.get("value") for one in container["env"]}
    assert told["LUPUS_METRICS_PORT"] == str(port["containerPort"])


@needs_helm
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "replicas=2"), "replicas"),
        (("--set", "settings.publicurl=x"), "publicurl"),
        (("--set", "settings.port=1"), "port"),
        (("--set", "settings.database_password=x"), "database_password"),
        (("--set", "settings.max_series=many"), "integer"),
        (("--set", "settings.executor=nomad"), "executor"),
        (("--set", "service.replicas=two"), "integer"),
        (("--set", "service.resources.limit.cpu=1"), "limit"),
        (("--set", "secrets.admin_token.name=x"), "name"),
        (("--set", "secrets.admin_token.value=x"), "value"),
        (("--set", "image.tag=latest"), "tag"),
        (("--set", "argo.pods.plan.resource.limits.cpu=1"), "resource"),
        (("--set", "argo.pods.plans.env[0].name=A"), "plans"),
        (("--set", "argo.pods.plan.env[0].vaule=A"), "vaule"),
        (("--set", "service.affinity.nodeAfinity.x=A"), "nodeAfinity"),
        (("--set", "service.replicas=2"), "more than one pod needs PostgreSQL"),
        (("--set", "worker.enabled=true"), "more than one pod needs PostgreSQL"),
        (("--set", "settings.database=postgresql+psycopg://h/d"), "secrets.secret_key"),
        (("--set", "settings.executor=argo"), "set settings.archive"),
        (("--set", "ingress.enabled=true"), "name the host"),
        (("--set", "serviceMonitor.enabled=true"), "serviceMonitor.token"),
        (("--set", "secrets.admin_token=null"), "lps_"),
    ],
)
def test_what_is_wrong_is_refused_by_name(words: tuple[str, ...], said: str) -> None:
    answer = helm("template", "lupus", str(CHART), *NEEDED, *words)
    assert answer.code != 0, answer.out[:300]
    assert said in answer.error


@needs_helm
def test_notes_say_the_next_steps(tmp_path: Path) -> None:
    answer = helm(
        "install", "lupus", str(CHART), *CASES["embedded"], "--dry-run=client", namespace="n"
    )
    assert answer.code == 0, answer.error
    notes = answer.out.partition("NOTES:")[2]
    for step in (
        "rollout status deployment/lupus",
        "token create",
        "/v1/detectors",
        "base64decode",
    ):
        assert step in notes
    assert "{{ " not in notes


def test_the_guide_names_every_part_of_the_values() -> None:
    guide = (ROOT / "docs" / "kubernetes.md").read_text()
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for part in values:
        assert re.search(rf"`{part}[`.]", guide), part
