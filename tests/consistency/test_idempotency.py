"""Idempotency-Key: who asks twice in one week gets one thing."""

import threading
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from service.api.idempotency import hash_of
from service.clock import DAY_MS
from service.database.ingests import get_ingest
from service.database.runs import RunFilter, list_runs
from tests.service.api.house import House, daily, detection
from tests.service.clocks import TurnedClock

TWINS = 6
REPLAYED = "idempotency-replayed"


def keyed(key: str) -> dict[str, str]:
    return {"idempotency-key": key}


def at_once(ask: Callable[[], httpx2.Response]) -> list[httpx2.Response]:
    gate = threading.Barrier(TWINS)
    answers: list[httpx2.Response] = []

    def twin() -> None:
        gate.wait()
        answers.append(ask())

    threads = [threading.Thread(target=twin) for _ in range(TWINS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def runs_of(house: House, source: str) -> int:
    with house.resources.database.read() as tx:
        return len(list_runs(tx, RunFilter(None, source), 100))


def test_twins_that_race_make_one_run(idle: House) -> None:
    source = idle.source("key.twins")
    answers = at_once(
        lambda: idle.client().post("/v1/detections", json=detection(source), headers=keyed("t"))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [answer.headers.get(REPLAYED) for answer in answers].count("true") == TWINS - 1
    assert runs_of(idle, source) == 1


def test_twins_that_race_store_points_once(idle: House) -> None:
    source = idle.source("key.points")
    body = {"points": daily([1.0, 2.0])}
    answers = at_once(
        lambda: idle.client().post(f"/v1/sources/{source}/points", json=body, headers=keyed("p"))
    )
    assert {answer.status_code for answer in answers} <= {200, 202}
    ids = {answer.json()["id"] for answer in answers}
    assert len(ids) == 1
    with idle.resources.database.read() as tx:
        found = get_ingest(tx, ids.pop())
    assert found is not None
    assert (found.state, found.points) == ("succeeded", 2)


def test_twins_that_race_rerun_once(idle: House) -> None:
    source = idle.source("key.rerun")
    run = idle.call("POST", "/v1/detections", 202, json=detection(source))
    path = f"/v1/detections/{run['id']}/rerun"
    answers = at_once(lambda: idle.client().post(path, headers=keyed("r")))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert runs_of(idle, source) == 2
    other = idle.call("POST", "/v1/detections", 202, json=detection(source, rule="other"))
    refused = idle.http.post(f"/v1/detections/{other['id']}/rerun", headers=keyed("r"))
    assert refused.status_code == 422, "another run is another body"


def test_the_same_key_with_another_body_is_refused_and_makes_nothing(idle: House) -> None:
    source = idle.source("key.body")
    body = detection(source)
    first = idle.http.post("/v1/detections", json=body, headers=keyed("b"))
    other = idle.http.post("/v1/detections", json={**body, "rule": "other"}, headers=keyed("b"))
    assert (first.status_code, other.status_code) == (202, 422)
    assert other.json()["type"] == "urn:lupus:problem:idempotency-key-reused"
    assert runs_of(idle, source) == 1


def test_the_body_counts_as_it_was_sent(idle: House) -> None:
    """Before defaults: then a version that adds a default still knows what was sent before it."""
    source = idle.source("key.defaults")
    body = detection(source)
    first = idle.http.post("/v1/detections", json=body, headers=keyed("d"))
    again = idle.http.post("/v1/detections", json=dict(reversed(body.items())), headers=keyed("d"))
    assert again.json()["id"] == first.json()["id"]
    assert again.headers[REPLAYED] == "true"
    spelled = idle.http.post("/v1/detections", json={**body, "store": True}, headers=keyed("d"))
    assert spelled.status_code == 422


def test_a_replay_outlives_an_upgrade_that_adds_defaults(
    idle: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = idle.source("key.upgrade")
    body = detection(source)
    first = idle.call("POST", "/v1/detections", 202, json=body, headers=keyed("u"))

    def newer(detector: dict[str, Any], *_: Any) -> dict[str, Any]:
        return {**detector, "direction": "down", "min_abs_change": 0.5}

    monkeypatch.setattr("service.accept.detector_with_defaults", newer)
    monkeypatch.setattr("service.api.detection_body._EVENTS_ON", ["failed"])
    again = idle.http.post("/v1/detections", json=body, headers=keyed("u"))
    assert again.json()["id"] == first["id"]
    assert again.json()["detector"] == first["detector"], "as it was accepted"
    assert hash_of(body) == hash_of(dict(reversed(body.items())))


def test_a_key_belongs_to_its_caller_and_its_route(idle: House) -> None:
    source = idle.source("key.scope")
    body = detection(source)
    callers = [idle.http, idle.client(idle.token()), idle.client(idle.token())]
    ids = {c.post("/v1/detections", json=body, headers=keyed("s")).json()["id"] for c in callers}
    assert len(ids) == 3
    path = f"/v1/detections/{min(ids)}/rerun"
    assert idle.http.post(path, headers=keyed("s")).json()["id"] not in ids
    other = idle.source("key.scope2")
    points = {"points": daily([1.0])}
    stored = [
        idle.http.post(f"/v1/sources/{name}/points", json=points, headers=keyed("s")).json()["id"]
        for name in (source, other)
    ]
    assert len({*stored}) == 2


def test_a_key_lives_seven_days(turned: House, clock: TurnedClock) -> None:
    source = turned.source("key.life")
    body = detection(source)

    def ask() -> str:
        return str(turned.call("POST", "/v1/detections", 202, json=body, headers=keyed("l"))["id"])

    first = ask()
    clock.advance(7 * DAY_MS - 1000)
    assert ask() == first
    clock.advance(2000)
    assert ask() != first


def test_what_was_refused_binds_no_key(idle: House) -> None:
    source = idle.source("key.refused")
    wrong = detection(source, detector={"type": "windov"})
    assert idle.http.post("/v1/detections", json=wrong, headers=keyed("w")).status_code == 422
    right = idle.http.post("/v1/detections", json=detection(source), headers=keyed("w"))
    assert right.status_code == 202
    assert REPLAYED not in right.headers
