"""A real Prometheus writes, and a job pushes over the network: all is there, point by point."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway
from prometheus_client.exposition import basic_auth_handler

from tests.monitoring.test_monitoring import Prometheus
from tests.service.served import Served, served
from tests.waiting import until

SOURCE = "job.metrics"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    more = {"LUPUS_METRICS_PUBLIC": "true", "LUPUS_LOCAL_ADMIN": "false", "LUPUS_PROCESSES": "1"}
    more["LUPUS_ADMIN_TOKEN"] = "lps_" + "a" * 40
    with served(tmp_path / "data", more) as service:
        service.http.headers["authorization"] = f"Bearer {more['LUPUS_ADMIN_TOKEN']}"
        service.http.put(f"/v1/sources/{SOURCE}", json={"kind": "managed"}).raise_for_status()
        yield service


def token(service: Served) -> str:
    wanted = {"name": "writer", "sources": [SOURCE], "verbs": ["ingest"]}
    return str(service.post("/v1/tokens", json=wanted)["token"])


def points(service: Served, metric: str) -> dict[int, float]:
    query = {"source": SOURCE, "metric": metric, "start": "2020-01-01", "end": "2126-07-01"}
    items = service.http.get("/v1/points", params=query).json().get("items", [])
    return {
        ts: value for one in items for ts, value in zip(one["times_ms"], one["values"], strict=True)
    }


@pytest.mark.real
def test_a_prometheus_writes_through_a_kill_and_loses_nothing(
    tmp_path: Path, service: Served
) -> None:
    url = f"{service.http.base_url}".rstrip("/")
    there = {
        "url": f"{url}/v1/sources/{SOURCE}/prometheus/write",
        "authorization": {"credentials": token(service)},
        "write_relabel_configs": [
            {"source_labels": ["__name__"], "regex": "scrape_samples_scraped", "action": "keep"}
        ],
        "queue_config": {"batch_send_deadline": "1s", "min_backoff": "100ms"},
    }
    address = url.removeprefix("http://")
    prometheus = Prometheus(tmp_path / "prometheus", address, remote_write=[there])
    try:
        until(lambda: len(points(service, "scrape_samples_scraped")) >= 5, 120)
        service.end(signal.SIGKILL)
        time.sleep(2)  # what is scraped meanwhile fails; what is written meanwhile waits
        service.start()
        killed_ms = int(time.time() * 1000)
        until(lambda: max(points(service, "scrape_samples_scraped")) > killed_ms + 3000, 120)
        stored = points(service, "scrape_samples_scraped")
        (seen,) = prometheus.value("scrape_samples_scraped[1h]")
    finally:
        prometheus.close()
    scraped = {round(at * 1000): float(value) for at, value in seen["values"]}
    last = max(stored)
    assert {at: value for at, value in scraped.items() if at <= last} == stored
    assert {value == 0 for value in stored.values()} == {False, True}, "it was away for a while"


@pytest.mark.real
def test_a_job_pushes_with_a_token_as_its_password(service: Served) -> None:
    """Needs no server of others; the whole way is that of a Pushgateway's client."""
    secret, registry = token(service), CollectorRegistry()
    Gauge("rows", "Rows.", registry=registry).set(1204)

    def login(url: str, method: str, timeout: Any, headers: Any, data: bytes) -> Any:
        return basic_auth_handler(url, method, timeout, headers, data, "lupus", secret)

    gateway = f"{service.http.base_url}".rstrip("/") + f"/v1/sources/{SOURCE}"
    push_to_gateway(gateway, "nightly", registry, {"__time__": "2026-11-08"}, handler=login)
    assert list(points(service, "rows").values()) == [1204.0]
    with pytest.raises(OSError, match="401"):
        push_to_gateway(gateway, "nightly", registry)
