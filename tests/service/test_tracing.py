"""One trace goes through a request, its run, the steps in other processes and the message."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from service.app import open_app
from tests.conftest import ROOT
from tests.service.api.house import House, daily, detection, idle_settings
from tests.service.collector import spans_of
from tests.service.receiver import Receiver, receiving
from tests.service.served import Served, served
from workflows import tracing

CALLERS = "00-11111111111111111111111111111111-2222222222222222-01"
TRACE, CALLERS_SPAN = CALLERS.split("-")[1:3]


def _traced(folder: Path, collector: Receiver) -> AbstractContextManager[Served]:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.rsplit("/", 1)[0],
        "LUPUS_PROCESSES": "1",
        "LUPUS_LOG_FORMAT": "json",
    }
    return served(folder, environment)


@pytest.mark.slow
def test_one_trace_from_the_request_to_the_message(tmp_path: Path) -> None:
    with receiving() as collector, receiving() as hook:
        with _traced(tmp_path / "data", collector) as service:
            service.http.put("/v1/sources/shop", json={"kind": "managed"}).raise_for_status()
            service.post("/v1/sources/shop/points", json={"points": daily([0.4, 0.1, 0.4])})
            channel = {"kind": "webhook", "url": hook.url}
            service.http.put("/v1/channels/chat", json=channel).raise_for_status()
            body = detection(
                "shop",
                range={"start": "2026-06-01", "end": "2026-06-04"},
                notify={"channels": ["chat"], "on": ["succeeded"], "min_severity": "warning"},
            )
            run = service.post("/v1/detections", json=body, headers={"traceparent": CALLERS})
            ended = f"/v1/detections/{run['id']}"
            service.wait_for(ended, lambda answer: answer.json()["state"] == "succeeded")
            _until(lambda: bool(hook.got))
            said = [json.loads(line) for line in service.log.splitlines() if line.startswith("{")]
        # The service has sent what it had when it ended.
        mine = [span for span in spans_of(collector) if span.trace == TRACE]
    by_name = {span.name: span for span in mine}
    request = by_name["POST /v1/detections"]
    assert request.parent == CALLERS_SPAN
    steps = {"step plan", "step detect", "step publish"}
    assert set(by_name) >= {"run launch", "run close", "deliver"} | (steps - {"step detect"})
    for span in mine:
        assert span.service == "lupus"
        assert span is request or span.parent == request.id, span
        assert span.told.get("lupus.run", run["id"]) == run["id"]
    assert by_name["step plan"].begin_ns >= by_name["run launch"].begin_ns
    assert by_name["step publish"].begin_ns >= by_name["step plan"].end_ns
    assert by_name["run close"].begin_ns >= by_name["step publish"].end_ns
    assert by_name["deliver"].told["lupus.channel"] == "chat"
    sent = hook.got[-1].headers["traceparent"].split("-")
    assert sent[1:3] == [TRACE, by_name["deliver"].id], "the receiver goes on with the trace"
    traced = [line for line in said if line.get("trace_id") == TRACE]
    assert "request" in {line["event"] for line in traced}
    assert any(f"run {run['id']}" in line["event"] for line in traced), "the worker's lines too"


def test_a_request_without_a_trace_begins_one_that_its_run_belongs_to(tmp_path: Path) -> None:
    exporter = InMemorySpanExporter()
    with _sending_to(exporter), open_app(idle_settings(tmp_path)) as app:
        house = House(app)
        house.source("a")
        run = house.call("POST", "/v1/detections", 202, json=detection("a"))
        house.call("POST", f"/v1/detections/{run['id']}/rerun", 202)
        house.call("GET", "/readyz")
        house.http.get(f"/v1/detections/{run['id']}/report?key=secret")
        from service.database.runs import RunFilter, list_runs

        with house.resources.database.read() as tx:
            again, first = list_runs(tx, RunFilter(), 10)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    for name, one in (
        ("POST /v1/detections", first),
        ("POST /v1/detections/{detection}/rerun", again),
    ):
        context = spans[name].context
        assert context is not None
        should = f"00-{context.trace_id:032x}-{context.span_id:016x}-"
        assert one.request["traceparent"].startswith(should)
    assert not [name for name in spans if "readyz" in name or "report" in name]
    assert "secret" not in str([dict(span.attributes or {}) for span in spans.values()])


def test_without_a_collector_named_nothing_of_it_is_loaded() -> None:
    code = (
        "import sys, service.app, service.serving, workflows.step_entry\n"
        "from workflows import tracing\n"
        "tracing.start()\n"
        "with tracing.span('a', '', {'b': 1}):\n"
        "    assert tracing.here() == tracing.trace_id() == ''\n"
        "assert tracing.provider() is None\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry.sdk')]\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry.exporter')]\n"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}
    )


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_standard_variables_decide(environment: dict[str, str], wanted: bool) -> None:
    assert tracing.wanted(environment) is wanted


@pytest.mark.slow
def test_a_collector_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    with receiving() as collector:
        pass  # its port is closed from here on
    with _traced(tmp_path / "data", collector) as service:
        service.http.put("/v1/sources/shop", json={"kind": "managed"}).raise_for_status()
        service.post("/v1/sources/shop/points", json={"points": daily([0.4, 0.1, 0.4])})
        body = detection("shop", range={"start": "2026-06-01", "end": "2026-06-04"})
        run = service.post("/v1/detections", json=body)
        path = f"/v1/detections/{run['id']}"
        service.wait_for(path, lambda answer: answer.json()["state"] == "succeeded")


@contextmanager
def _sending_to(exporter: InMemorySpanExporter) -> Iterator[None]:
    tracing.start(exporter)
    try:
        yield
    finally:
        tracing.stop()


def _until(is_over: Any) -> None:
    deadline = time.monotonic() + 90
    while not is_over():
        assert time.monotonic() < deadline
        time.sleep(0.05)
