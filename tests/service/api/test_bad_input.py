"""Bad input: one problem document that names the field and says what is allowed."""

import asyncio
import gzip
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.app import open_app
from service.auth.caller import VERBS
from service.settings import MIB
from tests.service.api.bad_bodies import BODIES
from tests.service.api.bad_requests import CASES, D
from tests.service.api.house import URL, House, daily, detection, idle_settings

ROWS = [
    *((f"{m} {path[:60]} {field}", m, path, {"json": body}, *rest, field, word)
      for m, path, body, *rest, field, word in CASES),
    *((name, "POST", path, {"headers": headers, "content": content}, *rest)
      for name, path, headers, content, *rest in BODIES),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def source(idle: House) -> str:
    return idle.source("bad.source")


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "field", "allowed"),
    [row[1:] for row in ROWS],
    ids=[f"{number}-{row[0]}" for number, row in enumerate(ROWS)],
)
def test_the_problem_names_the_field_and_what_is_allowed(
    idle: House,
    method: str,
    path: str,
    sent: dict[str, Any],
    status: int,
    field: str,
    allowed: str,
) -> None:
    answer = idle.http.request(method, path, **sent)
    problem = refused(answer, status)
    if field:
        named = [error.get("pointer") or error.get("parameter") for error in problem["errors"]]
        assert field in named
    assert allowed in answer.text.replace('\\"', '"')


def refused(answer: httpx2.Response, status: int) -> dict[str, Any]:
    """The problem document of an answer, whatever it is about."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:lupus:problem:")
    assert problem["title"]
    assert problem["detail"]
    assert len(answer.content) < 20_000  # what was sent is not sent back whole
    return problem


def test_a_known_key_with_another_body_is_refused(idle: House) -> None:
    key = {"idempotency-key": "bad-input-1"}
    idle.source("bad.keys")
    first = idle.http.post(D, json=detection("bad.keys"), headers=key)
    assert first.status_code == 202
    other = idle.http.post(D, json=detection("bad.keys", rule="other"), headers=key)
    assert refused(other, 422)["type"] == "urn:lupus:problem:idempotency-key-reused"
    path = "/v1/sources/bad.keys/points"
    assert idle.http.post(path, json={"points": daily([1.0])}, headers=key).status_code == 200
    other = idle.http.post(path, json={"points": daily([2.0])}, headers=key)
    assert refused(other, 422)["type"] == "urn:lupus:problem:idempotency-key-reused"


def test_a_run_that_finds_no_such_metric_or_too_many_series_says_which(working: House) -> None:
    """These need the source: they are found by plan, and the run's error names them."""
    working.source("bad.runs")
    users = [{**daily([1.0])[0], "labels": {"user": str(n), "region": "jp"}} for n in range(30)]
    working.send("bad.runs", users)
    run = working.detect(detection("bad.runs", metric=["nothing-like-it", "nor*this"]))
    assert (run["state"], run["counts"]["judged"]) == ("partial", 0)
    assert "no series with points matches nothing-like-it, nor*this" in run["error"]


class Flow(httpx2.AsyncByteStream):
    """A piece sent many times, and what the service holds meanwhile."""

    def __init__(self, piece: bytes, times: int) -> None:
        self.sent = self.most_memory = 0
        self._piece, self._times = piece, times

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self._times):
            self.sent += len(self._piece)
            yield self._piece
            self.most_memory = max(self.most_memory, psutil.Process().memory_info().rss)


ZEROS = bytes(MIB)
BOMB = gzip.compress(bytes(16 * MIB), 1)  # gzip files may be joined


@pytest.mark.parametrize(
    ("path", "piece", "times", "status", "most_sent"),
    [
        ("/v1/sources/big/points", ZEROS, 100, 202, 100 * MIB),
        ("/v1/sources/big/points", ZEROS, 300, 413, 131 * MIB),
        ("/v1/sources/big/points", BOMB, 64, 413, 2 * MIB),
        (D, ZEROS, 100, 413, 3 * MIB),
    ],
    ids=["100 MB", "300 MB above the limit", "zip bomb of 1 GB", "100 MB where JSON belongs"],
)
def test_a_large_body_is_never_in_memory_and_not_read_past_the_limit(
    tmp_path: Path, path: str, piece: bytes, times: int, status: int, most_sent: int
) -> None:
    """Nobody's 100 MB may cost the service 100 MB."""
    flow = Flow(piece, times)
    headers = {"content-type": "application/json" if path == D else "text/csv"}
    headers |= {"content-encoding": "gzip"} if piece is BOMB else {}

    async def send(house: House) -> httpx2.Response:
        transport = httpx2.ASGITransport(house.app, client=("127.0.0.1", 50000))
        async with httpx2.AsyncClient(transport=transport, base_url=URL) as client:
            return await client.post(path, content=flow, headers=headers)

    with open_app(idle_settings(tmp_path, max_body_mb=128)) as app:
        house = House(app)
        house.source("big")
        before = psutil.Process().memory_info().rss
        answer = asyncio.run(send(house))
    assert answer.status_code == status, answer.text
    assert flow.sent <= most_sent
    assert flow.most_memory - before < 40 * MIB
    if status == 413:
        assert "LUPUS_MAX_" in refused(answer, 413)["detail"]


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
