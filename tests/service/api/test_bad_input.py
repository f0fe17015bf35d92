"""Bad input: one problem document that names the field and says what is allowed."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.auth.caller import VERBS
from tests.service.api.house import House, daily, detection

D = "/v1/detections"
S = "/v1/sources/bad.source"
POINT = daily([1.0])[0]
EXTERNAL = {
    "kind": "external",
    "connection": "warehouse",
    "table": "t",
    "time": {"columns": ["dt"], "format": "%Y%m%d"},
    "metric_column": "name",
    "value_column": "value",
}
WEBHOOK = {"kind": "webhook", "url": "https://example.com/hook"}


def _without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


def _range(**fields: Any) -> dict[str, Any]:
    return detection("bad.source", range=fields)


# method, path, body, status, the field (pointer or parameter), a word of what is allowed
CASES: list[tuple[str, str, Any, int, str, str]] = [
    ("POST", D, detection("bad.source", detectr={}), 422, "/detectr", "did you mean detector"),
    ("POST", D, detection("bad.source", nonsense=1), 422, "/nonsense", "Allowed are after"),
    ("POST", D, _without(detection("bad.source"), "source"), 422, "/source", "required"),
    ("POST", D, _without(detection("bad.source"), "rule"), 422, "/rule", "store false"),
    ("POST", D, detection("bad.source", metric=5), 422, "/metric", "list"),
    ("POST", D, detection("bad.source", metric=[]), 422, "/metric", "at least 1"),
    ("POST", D, detection("bad.source", metric=["a", 3]), 422, "/metric/1", "string"),
    ("POST", D, detection("bad.source", store="yes"), 422, "/store", "boolean"),
    ("POST", D, detection("bad.source", require_points="all"), 422, "/require_points", "'fail'"),
    ("POST", D, detection("bad.source", labels={"region": 5}), 422, "/labels/region", "null"),
    ("POST", D, detection("bad.source", labels=["a"]), 422, "/labels", "object"),
    (
        "POST",
        D,
        detection("bad.source", labels={"region": []}),
        422,
        "/labels/region",
        "empty list",
    ),
    ("POST", D, detection("bad.source", labels={"1x": "a"}), 422, "/labels/1x", "label name"),
    ("POST", D, detection("bad.source", detector="window"), 422, "/detector", '{"type":'),
    ("POST", D, detection("bad.source", detector=None), 422, "/detector", '{"type":'),
    ("POST", D, detection("bad.source", rule="a\x00b"), 422, "/rule", "printable"),
    (
        "POST",
        D,
        detection("bad.source", detector={"type": "window", "exclude": ["2026-01-01"]}),
        422,
        "/detector/exclude",
        '["2026-11-08", "2026-11-10"]',
    ),
    ("POST", D, _range(last="a week"), 422, "/range/last", "7d"),
    ("POST", D, _range(last="0d"), 422, "/range/last", "longer"),
    ("POST", D, _range(last="7d", start="2026-01-01"), 422, "/range", "last"),
    ("POST", D, _range(), 422, "/range", "start"),
    (
        "POST",
        D,
        _range(start="2026-01-01T00:00:00", end="2026-02-01"),
        422,
        "/range/start",
        "offset",
    ),
    ("POST", D, _range(start="2026-02-01", end="2026-01-01"), 422, "/range", "after start"),
    ("POST", D, _range(start="1980-01-01", end="2026-01-01"), 422, "/range", "3700"),
    ("POST", D, _range(last="7d", tomorrow=1), 422, "/range/tomorrow", "align"),
    ("POST", D, detection("bad.source", detector={}), 422, "/detector/type", "threshold"),
    (
        "POST",
        D,
        detection("bad.source", detector={"type": "magic"}),
        422,
        "/detector/type",
        "window",
    ),
    (
        "POST",
        D,
        detection("bad.source", detector={"type": "window", "k": -1}),
        422,
        "/detector/k",
        "",
    ),
    (
        "POST",
        D,
        detection("bad.source", detector={"type": "window", "kk": 1}),
        422,
        "/detector/kk",
        "",
    ),
    ("POST", D, detection("bad.source", after=["nothing"]), 422, "/after/0", "no ingest"),
    (
        "POST",
        D,
        detection("bad.source", notify={"channels": ["nowhere"]}),
        422,
        "/notify/channels/0",
        "no channel",
    ),
    (
        "POST",
        D,
        detection("bad.source", notify={"channels": ["a"], "on": ["always"]}),
        422,
        "/notify/on/0",
        "'anomaly'",
    ),
    ("POST", D, detection("bad.missing"), 404, "", "does not exist"),
    ("GET", f"{D}?limit=0", None, 422, "limit", "1"),
    ("GET", f"{D}?state=done", None, 422, "state", "'queued'"),
    ("GET", f"{D}?cursor=abc", None, 422, "cursor", "page before"),
    ("GET", f"{D}?stat=queued", None, 422, "stat", "Allowed are cursor, detector"),
    ("GET", "/v1/points?source=a&metric=a&max_point=5", None, 422, "max_point", "max_points"),
    ("GET", f"{D}/nothing", None, 404, "", "does not exist"),
    ("GET", f"{D}/nothing?wait=5", None, 422, "wait", "such as"),
    ("GET", f"{D}/nothing?wait=1h", None, 422, "wait", "120s"),
    ("PUT", S, {"kind": "magic"}, 422, "/kind", "managed"),
    ("PUT", S, {"kind": "managed", "timezone": "Mars/Olympus"}, 422, "/timezone", "Asia/Tokyo"),
    ("PUT", S, {"kind": "managed", "table": "t"}, 422, "/table", "Allowed"),
    ("PUT", S, {"metrics": {"a": {"good": "left"}}}, 422, "/metrics/a/good", "'up'"),
    ("PUT", S, {"metrics": {"a": {"clip": [1, 0]}}}, 422, "/metrics/a", "below"),
    ("PUT", S, {"metrics": {"a": {"step": "daily"}}}, 422, "/metrics/a/step", "duration"),
    ("PUT", S, {"links": {"runbook": "javascript:alert(1)"}}, 422, "/links/runbook", "https"),
    ("PUT", S, _without(EXTERNAL, "time"), 422, "/time", "required"),
    ("PUT", S, {**EXTERNAL, "value_columns": ["a"]}, 422, "", "one of them"),
    ("PUT", S, {**EXTERNAL, "metric": "m"}, 422, "", "one of them"),
    ("PUT", S, {**EXTERNAL, "label_columns": ["a b"]}, 422, "/label_columns/0", "pattern"),
    ("PUT", S, {**EXTERNAL, "time": {"columns": []}}, 422, "/time/columns", "at least 1"),
    ("PUT", "/v1/sources/Bad%20Name", {}, 422, "source", "pattern"),
    ("POST", f"{S}/points", {"points": [{**POINT, "value": "much"}]}, 422, "/points/0/value", ""),
    (
        "POST",
        f"{S}/points",
        {"points": [POINT, _without(POINT, "time")]},
        422,
        "/points/1",
        "'time' is missing",
    ),
    (
        "POST",
        f"{S}/points",
        {"points": [{**POINT, "time": "yesterday"}]},
        422,
        "/points/0/time",
        "",
    ),
    (
        "POST",
        f"{S}/points",
        {"points": [{**POINT, "labels": {"1": "x"}}]},
        422,
        "/points/0/labels",
        "",
    ),
    ("POST", f"{S}/points", {"points": [{**POINT, "colour": 1}]}, 422, "/points/0", "'colour'"),
    ("POST", f"{S}/points", {"points": [5]}, 422, "/points/0", "no object"),
    (
        "POST",
        f"{S}/points",
        {"points": [{**POINT, "labels": {f"l{n}": "x" for n in range(33)}}]},
        422,
        "/points/0/labels",
        "33 labels: allowed are 32",
    ),
    (
        "POST",
        f"{S}/points",
        {"points": [{**POINT, "labels": {"region": "x" * 257}}]},
        422,
        "/points/0/labels",
        "257 characters, allowed are 256",
    ),
    ("POST", f"{S}/points", [], 422, "/points", ""),
    ("GET", "/v1/points?metric=a", None, 422, "source", "required"),
    ("GET", "/v1/points?source=bad.source", None, 422, "metric", "required"),
    ("GET", "/v1/points?source=bad.source&metric=a&max_points=1", None, 422, "max_points", "4"),
    ("GET", "/v1/points?source=bad.source&metric=a&start=noon", None, 422, "start", "offset"),
    ("GET", "/v1/points?source=bad.source&metric=a&start=2999-01-01", None, 422, "start", "before"),
    ("GET", "/v1/anomalies?labels=region", None, 422, "labels", "name=value"),
    ("GET", "/v1/anomalies?labels={", None, 422, "labels", "JSON"),
    ("GET", "/v1/anomalies?cursor=zzz", None, 422, "", "cursor"),
    ("PATCH", "/v1/anomalies/none", {"verdict": "wrong"}, 422, "/verdict", "'expected'"),
    ("PATCH", "/v1/anomalies/none", {"comment": "a\x00b"}, 422, "/comment", "but NUL"),
    (
        "POST",
        "/v1/tokens",
        {"name": "a\x00b", "sources": ["a"], "verbs": ["read"]},
        422,
        "/name",
        "but NUL",
    ),
    ("PUT", "/v1/channels/hook", {"kind": "pager"}, 422, "/kind", "webhook"),
    ("PUT", "/v1/channels/hook", {**WEBHOOK, "url": "ftp://x/y"}, 422, "/url", "https://"),
    ("PUT", "/v1/channels/hook", {**WEBHOOK, "url": "https://u:p@x/y"}, 422, "/url", "secrets"),
    ("PUT", "/v1/channels/hook", {**WEBHOOK, "secret": "short"}, 422, "/secret", "whsec_"),
    ("PUT", "/v1/channels/hook", {**WEBHOOK, "events": []}, 422, "/events", "at least 1"),
    (
        "POST",
        "/v1/tokens",
        {"name": "t", "sources": ["A"], "verbs": ["read"]},
        422,
        "/sources/0",
        "",
    ),
    ("POST", "/v1/tokens", {"name": "t", "sources": ["a"], "verbs": ["own"]}, 422, "/verbs/0", ""),
    ("GET", "/v1/detectors/magic", None, 404, "", "window"),
    ("GET", "/v1/nothing", None, 404, "", ""),
    ("PUT", D, {}, 405, "", ""),
]


@pytest.fixture(scope="module", autouse=True)
def source(idle: House) -> str:
    return idle.source("bad.source")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field", "allowed"),
    CASES,
    ids=[f"{n}-{case[0]} {case[1]} {case[4]}" for n, case in enumerate(CASES)],
)
def test_the_problem_names_the_field_and_what_is_allowed(
    idle: House, method: str, path: str, body: Any, status: int, field: str, allowed: str
) -> None:
    answer = idle.http.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:lupus:problem:")
    errors = problem.get("errors", [])
    if field:
        assert field in [error.get("pointer") or error.get("parameter") for error in errors]
    assert allowed in answer.text.replace('\\"', '"')


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have_are_refused(idle: House, number: str) -> None:
    body = '{"kind": "managed", "metrics": {"a": {"clip": [0, NUMBER]}}}'.replace("NUMBER", number)
    answer = idle.http.put(
        "/v1/sources/bad.source", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422, answer.text
    points = '{"points": [{"metric": "a", "time": "2026-01-01", "value": NUMBER}]}'
    points = points.replace("NUMBER", number)
    answer = idle.http.post(
        "/v1/sources/bad.source/points",
        content=points,
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 422, answer.text


def test_a_body_that_is_not_json_or_has_another_media_type_is_refused(idle: House) -> None:
    bad = idle.http.post(D, content=b"{", headers={"content-type": "application/json"})
    assert (bad.status_code, bad.json()["type"]) == (422, "urn:lupus:problem:invalid-request")
    form = idle.http.post(D, data={"source": "bad.source"})
    assert form.status_code == 415
    assert "application/json" in form.json()["detail"]
    empty = idle.http.post(D)
    assert empty.status_code == 422


def test_points_without_columns_or_times_are_refused_with_what_is_needed(idle: House) -> None:
    path = "/v1/sources/bad.source/points"
    empty = idle.http.post(path, content=b"", headers={"content-type": "text/csv"})
    assert empty.status_code == 422
    assert "time and value are needed" in empty.json()["detail"]
    buffer = io.BytesIO()
    pq.write_table(pa.table({"time": [1_780_272_000_000], "value": [1.0]}), buffer)
    media = {"content-type": "application/vnd.apache.parquet"}
    answer = idle.http.post(path, content=buffer.getvalue(), headers=media)
    assert answer.json()["errors"][0]["pointer"] == "/time"
    assert "int64; allowed are columns of timestamps with a time zone" in answer.json()["detail"]


def test_a_body_above_the_limit_is_refused(idle: House) -> None:
    large = detection("bad.source", after=["x" * 100] * 20_000)
    answer = idle.http.post(D, json=large)
    assert answer.status_code == 413
    assert "LUPUS_MAX_REQUEST_KB" in answer.json()["detail"]


def test_nothing_of_a_refused_request_is_kept(idle: House) -> None:
    assert not idle.call("GET", D, params={"source": "bad.source"})["items"]
    assert not idle.call("GET", "/v1/sources/bad.source/metrics")["items"]


def test_too_many_runs_in_flight_say_when_to_come_back(idle: House) -> None:
    idle.source("bad.crowd")
    limit = idle.resources.settings.max_runs_in_flight
    for _ in range(limit):
        idle.call("POST", D, 202, json=detection("bad.crowd"))
    answer = idle.http.post(D, json=detection("bad.crowd"))
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["type"] == "urn:lupus:problem:limit"


def test_an_unknown_object_of_a_known_kind_is_a_problem_too(idle: House) -> None:
    for path in ("/v1/ingests/no", "/v1/deliveries/no", "/v1/anomalies/no", "/v1/channels/no"):
        assert idle.call("GET", path, 404)["type"] == "urn:lupus:problem:unknown"
    assert idle.client(idle.token(["*"], VERBS)).get("/v1/ingests/no").status_code == 404
