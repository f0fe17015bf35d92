"""Batch jobs that push to a Pushgateway push here unchanged: with prometheus_client's own calls."""

import urllib.error
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import (
    delete_from_gateway,
    push_to_gateway,
    pushadd_to_gateway,
)

from tests.service.api.house import House

DAY = "2026-06-03"
Handler = Callable[..., Callable[[], None]]


def handler(client: httpx2.Client) -> Handler:
    """How prometheus_client sends, through a client in this process."""

    def through(
        url: str, method: str, timeout: Any, headers: list[tuple[str, str]], data: bytes
    ) -> Callable[[], None]:
        def send() -> None:
            answer = client.request(method, url, headers=dict(headers), content=data)
            if answer.is_error:
                raise urllib.error.HTTPError(url, answer.status_code, answer.text, None, None)  # type: ignore[arg-type]

        return send

    return through


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge("rows", "Rows.", ["table"], registry=registry).labels('us"ers\n').set(1204)
    Counter("done", "Done.", registry=registry).inc(3)
    Histogram("seconds", "Time.", buckets=(1.0,), registry=registry).observe(0.5)
    Gauge("empty", "Nothing measured.", registry=registry).set(float("nan"))
    return registry


def gateway(source: str) -> str:
    return f"http://127.0.0.1:8700/v1/sources/{source}"


def stored(house: House, source: str) -> Iterator[tuple[str, list[float]]]:
    query = {"source": source, "metric": "*", "start": "2026-06-01", "end": "2126-07-01"}
    for series in house.call("GET", "/v1/points", params=query)["items"]:
        yield series["name"], series["values"]


def test_what_a_job_pushes_is_stored(idle: House, registry: CollectorRegistry) -> None:
    source = idle.source("push.plain")
    to: dict[str, Any] = {
        "gateway": gateway(source),
        "registry": registry,
        "handler": handler(idle.http),
    }
    push_to_gateway(job="nightly", grouping_key={"path": "a/b", "zone": "x y"}, **to)
    labels = 'job="nightly",path="a/b",zone="x y"'
    assert dict(stored(idle, source)) == {
        'rows{job="nightly",path="a/b",table="us\\"ers\\n",zone="x y"}': [1204.0],
        f"done_total{{{labels}}}": [3.0],
        'seconds_bucket{job="nightly",le="1.0",path="a/b",zone="x y"}': [1.0],
        'seconds_bucket{job="nightly",le="+Inf",path="a/b",zone="x y"}': [1.0],
        f"seconds_count{{{labels}}}": [1.0],
        f"seconds_sum{{{labels}}}": [0.5],
    }


def test_each_push_is_a_point_and_ending_removes_none(
    idle: House, registry: CollectorRegistry
) -> None:
    source = idle.source("push.twice")
    to: dict[str, Any] = {
        "gateway": gateway(source),
        "registry": registry,
        "handler": handler(idle.http),
    }
    push_to_gateway(job="a", grouping_key={"__time__": DAY}, **to)
    pushadd_to_gateway(job="a", grouping_key={"__time__": "2026-06-04"}, **to)
    pushadd_to_gateway(job="a", grouping_key={"__time__": "2026-06-04"}, **to)
    delete_from_gateway(gateway(source), "a", handler=handler(idle.http))
    assert dict(stored(idle, source))['done_total{job="a"}'] == [3.0, 3.0]


def test_a_token_may_come_as_the_password_of_basic(idle: House) -> None:
    source = idle.source("push.basic")
    stranger = idle.client(None, client=("10.1.2.3", 4000))
    path = f"/v1/sources/{source}/metrics/job/a"
    token = idle.token([source], ["ingest"])
    assert stranger.put(path, content=b"a 1", auth=("lupus", token)).status_code == 200
    for password in ("lps_wrong", "", token[:-1]):
        assert stranger.put(path, content=b"a 1", auth=("lupus", password)).status_code == 401
    broken = {"authorization": "Basic ***"}
    assert stranger.put(path, content=b"a 1", headers=broken).status_code == 401


def test_lines_at_fault_are_named_and_nothing_is_stored(idle: House) -> None:
    source = idle.source("push.bad")
    text = "fine 1\n# TYPE x counter\nx{a=b} 1\nno value\n\nendless +Inf\n" + "1x 1\n" * 200
    path = f"/v1/sources/{source}/metrics/job/a"
    answer = idle.http.put(path, content=text.encode(), headers={"content-type": "text/plain"})
    said = answer.json()
    assert (answer.status_code, said["type"]) == (422, "urn:lupus:problem:invalid-points")
    assert [one["detail"].split(":")[0] for one in said["errors"][:3]] == [
        "line 3", "line 4", "line 6",
    ]  # fmt: skip
    assert len(said["errors"]) == 100
    assert "and 202 more" in said["detail"]
    assert "finite" in said["errors"][2]["detail"]
    assert list(stored(idle, source)) == []
    twice = idle.http.post(path, content=b"a 1\na 2\n")
    assert (twice.status_code, "same series and time" in twice.text) == (422, True)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a/b", "pairs of LABEL/VALUE"),
        ("a/b/c/b/d", "twice"),
        ("a/b@base64/***", "not base64url"),
        ("a/__time__/yesterday", "yesterday"),
        ("a/1b/c", "label name"),
    ],
)
def test_a_path_that_is_none_is_refused(idle: House, path: str, said: str) -> None:
    source = idle.source("push.path")
    answer = idle.http.put(f"/v1/sources/{source}/metrics/job/{path}", content=b"a 1\n")
    assert (answer.status_code, said in answer.text) == (422, True), answer.text


def test_other_formats_are_refused(idle: House) -> None:
    source = idle.source("push.format")
    answer = idle.http.put(
        f"/v1/sources/{source}/metrics/job/a",
        content=b"a 1\n",
        headers={"content-type": "application/openmetrics-text"},
    )
    assert (answer.status_code, "text/plain" in answer.text) == (415, True)


def test_a_sample_may_have_a_time_of_its_own(idle: House) -> None:
    source = idle.source("push.timed")
    path = f"/v1/sources/{source}/metrics/job/a/__time__/{DAY}"
    idle.call("PUT", path, content=b"a 1 1780272000123\nb 2\n")
    query = {"source": source, "metric": "*", "start": "2026-06-01", "end": "2026-07-01"}
    items = idle.call("GET", "/v1/points", params=query)["items"]
    times = {one["metric"]: one["times_ms"] for one in items}
    assert times == {"a": [1780272000123], "b": [1780444800000]}
