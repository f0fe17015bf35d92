"""The dashboard and the alerts ask for what there is, and promtool and a Prometheus agree."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from service.demo.process import free_port
from service.metrics_endpoint import Measures
from tests.conftest import ROOT
from tests.real import server
from tests.service.api.house import daily, detection
from tests.service.receiver import receiving
from tests.service.served import Served, served
from tests.service.test_metrics import house
from tests.service.world import world as open_world

FOLDER = ROOT / "helm" / "lupus" / "monitoring"
RULES = FOLDER / "prometheus-rules.yaml"
_NAME = re.compile(r"\b(?:lupus|process)_\w+")


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    return found


def panel_queries() -> list[str]:
    return [
        target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())
    ]


def alerts() -> list[dict[str, Any]]:
    read = yaml.safe_load(RULES.read_text())
    return [rule for group in read["groups"] for rule in group["rules"]]


def test_they_name_only_metrics_that_are_exported(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        shown = Measures(lambda: house(world), {"data": tmp_path}).text().decode()
    exported = set()
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", shown, re.MULTILINE):
        endings = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        exported |= {name + ending for ending in endings}
    expressions = panel_queries() + [alert["expr"] for alert in alerts()]
    asked = {name for one in expressions for name in _NAME.findall(one)}
    assert asked - exported == set()
    assert len(asked) > 30


def test_every_alert_has_its_place_in_the_handbook() -> None:
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    assert headings == [alert["alert"] for alert in alerts()], "the same, in the same order"
    for alert in alerts():
        anchor = alert["alert"].lower()
        assert alert["annotations"]["runbook"] == f"docs/operations.md#{anchor}"


def test_the_dashboard_can_be_imported_anywhere() -> None:
    read = dashboard()
    (variable,) = read["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    panels = [panel for panel in read["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
    ids = [panel["id"] for panel in read["panels"]]
    assert len(set(ids)) == len(ids)
    rows = [panel["title"] for panel in read["panels"] if panel["type"] == "row"]
    assert rows[:6] == [
        "Service", "Runs", "Queue and workers", "Deliveries", "Ingest", "Rules",
    ]  # fmt: skip


def promtool(*arguments: str | Path, folder: Path = ROOT) -> str:
    done = subprocess.run(
        [server("LUPUS_TEST_PROMTOOL"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.real
def test_promtool_takes_the_alerts_and_every_query_of_the_dashboard(tmp_path: Path) -> None:
    promtool("check", "rules", RULES)
    records = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(panel_queries())
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": records}]}))
    promtool("check", "rules", file)
    # What is no PromQL is refused here, so the check above can fail.
    file.write_text(file.read_text().replace("sum(", "sum((", 1))
    with pytest.raises(AssertionError):
        promtool("check", "rules", file)


@pytest.mark.real
def test_each_alert_fires_and_is_quiet(tmp_path: Path) -> None:
    shutil.copy(RULES, tmp_path)
    shutil.copy(Path(__file__).parent / "rules_test.yaml", tmp_path)
    promtool("test", "rules", "rules_test.yaml", folder=tmp_path)
    told = (tmp_path / "rules_test.yaml").read_text()
    for alert in alerts():
        assert re.search(rf"alertname: {alert['alert']}\n\s+exp_alerts", told), alert["alert"]


class NotReadyError(Exception):
    """It listens and does not answer yet."""


class Prometheus:
    """One of a test's own, which scrapes what it is told to every second."""

    def __init__(self, folder: Path, *targets: str, **more: Any) -> None:
        folder.mkdir()
        jobs = [{"targets": list(targets)}]
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "lupus", "static_configs": jobs}],
            **more,
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._log = folder / "log"
        address = f"127.0.0.1:{free_port()}"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    server("LUPUS_TEST_PROMETHEUS"),
                    f"--config.file={folder}/prometheus.yml",
                    f"--storage.tsdb.path={folder}/data",
                    f"--web.listen-address={address}",
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        self._http = httpx2.Client(base_url=f"http://{address}", timeout=60, trust_env=False)

    def ask(self, path: str, **parameters: str) -> Any:
        answer = self._http.get(f"/api/v1/{path}", params=parameters)
        if answer.status_code == 503:
            raise NotReadyError(answer.text)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def value(self, query: str) -> list[Any]:
        found: list[Any] = self.ask("query", query=query)["result"]
        return found

    def wait_for(self, query: str) -> list[Any]:
        """The answer of a query once it has one."""
        give_up = time.monotonic() + 120
        while True:
            try:
                if found := self.value(query):
                    return found
            except (httpx2.TransportError, NotReadyError):
                assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < give_up, f"{query}: {self._log.read_text()[-2000:]}"
            time.sleep(0.2)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._http.close()


@pytest.fixture
def worker_port() -> int:
    return free_port()


@pytest.fixture
def service(tmp_path: Path, worker_port: int) -> Iterator[Served]:
    """A service whose work is done by a worker beside it."""
    more = {
        "LUPUS_METRICS_PUBLIC": "true",
        "LUPUS_METRICS_PORT": str(worker_port),
        "LUPUS_PROCESSES": "1",
        "LUPUS_WORKER": "false",
    }
    with served(tmp_path / "data", more) as service:
        environment = {name: value for name, value in os.environ.items() if "LUPUS_" not in name}
        environment |= more | {"LUPUS_DATA": str(tmp_path / "data"), "PYTHONPATH": str(ROOT)}
        with (tmp_path / "worker.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "service.cli", "worker"],
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        try:
            yield service
        finally:
            worker.terminate()
            worker.wait(60)


@pytest.mark.real
def test_a_prometheus_that_scrapes_a_service_has_what_the_dashboard_asks_for(
    service: Served, worker_port: int, tmp_path: Path
) -> None:
    prometheus = Prometheus(tmp_path / "prometheus", service.http.base_url.netloc.decode(),
                            f"127.0.0.1:{worker_port}")  # fmt: skip
    try:
        prometheus.wait_for("count(lupus_build_info) == 2")
        with receiving() as receiver:
            service.http.put("/v1/sources/shop", json={"kind": "managed"})
            channel = {"kind": "webhook", "url": receiver.url, "events": ["succeeded"]}
            assert service.http.put("/v1/channels/hook", json=channel).is_success
            service.post("/v1/sources/shop/points", json={"points": daily([1.0] * 20)})
            for _ in range(2):
                notify = {"channels": ["hook"], "on": ["succeeded"]}
                days = {"start": "2026-06-05", "end": "2026-06-15"}
                body = detection("shop", rule="nightly", notify=notify, range=days)
                run = service.post("/v1/detections", json=body)
                service.wait_for(
                    f"/v1/detections/{run['id']}?wait=30s",
                    lambda answer: answer.json()["state"] == "succeeded",
                )
            prometheus.wait_for('sum(lupus_delivery_attempts_total{outcome="sent"}) == 2')
        prometheus.wait_for('lupus_rule_interval_seconds{source="shop", rule="nightly"}')
        prometheus.wait_for('sum(lupus_runs_ended_total{outcome="succeeded"}) == 2')
        assert {alert["name"] for alert in prometheus.ask("rules")["groups"][0]["rules"]} == {
            alert["alert"] for alert in alerts()
        }
        firing = [a for a in prometheus.ask("alerts")["alerts"] if a["state"] == "firing"]
        assert firing == []
        empty = [
            query
            for query in panel_queries()
            if not prometheus.value(query.replace("$__rate_interval", "5m"))
        ]
        # Nothing was refused, so these have nothing to say.
        assert [query for query in empty if "[45].." not in query] == []
    finally:
        prometheus.close()
