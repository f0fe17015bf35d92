"""Releases over HTTP: recorded once, drawn, told, and a baseline that they restart."""

from typing import Any

import pytest

from tests.service.api.house import House, daily, detection

LEVELS = [0.4 + 0.004 * (day % 5) for day in range(60)]
LEVELS[45:] = [value - 0.2 for value in LEVELS[45:]]
NEW = {"name": "ranker v10", "time": "2026-07-16", "link": "https://ci.example.com/v10"}
WEEKS = {"start": "2026-07-06", "end": "2026-07-31"}


@pytest.fixture(scope="module")
def source(working: House) -> str:
    name = working.source("ev.rank", timezone="UTC")
    working.send(name, daily(LEVELS, labels={"region": "jp"}))
    return name


def record(working: House, source: str, status: int = 201, **more: Any) -> dict[str, Any]:
    return working.call("POST", f"/v1/sources/{source}/events", status, json={**NEW, **more})


def check(working: House, source: str, rule: str) -> dict[str, Any]:
    body = detection(source, rule=rule, range=WEEKS, detector={"type": "window"})
    return working.detect(body)


def test_a_release_is_recorded_once_and_replaced_by_its_name(working: House) -> None:
    name = working.source("ev.once", timezone="Asia/Tokyo")
    first = record(working, name)
    assert (first["time"], first["baseline"]) == ("2026-07-15T15:00:00Z", "kept")
    again = record(working, name, 200, baseline="restarted", labels={"model": ["v10"]})
    listed = working.call("GET", f"/v1/sources/{name}/events")["items"]
    assert listed == [again]
    assert listed[0]["labels"] == {"model": ["v10"]}
    early = {"end": "2026-07-16"}
    assert working.call("GET", f"/v1/sources/{name}/events", params=early)["items"] == []
    working.call("DELETE", f"/v1/sources/{name}/events/ranker v10", 204)
    working.call("DELETE", f"/v1/sources/{name}/events/ranker v10", 404)
    done = [
        one["action"] for one in working.call("GET", "/v1/audit", params={"object": name})["items"]
    ]
    assert done.count("event.put") == 2
    assert done.count("event.delete") == 1


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"time": "yesterday"}, "/time"),
        ({"time": "2026-07-16T00:00:00"}, "/time"),
        ({"time": "1600-01-01"}, "/time"),
        ({"baseline": "new"}, "/baseline"),
        ({"name": ""}, "/name"),
        ({"labels": {"my model": "v10"}}, "/labels/my model"),
        ({"link": "javascript:alert(1)"}, "/link"),
        ({"kind": "party"}, "/kind"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(
    working: House, source: str, change: dict[str, Any], pointer: str
) -> None:
    refused = record(working, source, 422, **change)
    assert [one["pointer"] for one in refused["errors"]] == [pointer]


def test_a_release_is_drawn_told_and_restarts_a_baseline(working: House, source: str) -> None:
    before = check(working, source, "before")
    assert before["counts"]["anomalous"] > 0
    record(working, source, baseline="restarted")
    after = check(working, source, "after")
    assert (after["counts"]["anomalous"], after["state"]) == (0, "succeeded")
    assert after["counts"]["insufficient_history"] > 0
    again = working.call("POST", f"/v1/detections/{before['id']}/rerun", 202)
    ended = working.call("GET", f"/v1/detections/{again['id']}", params={"wait": "60s"})
    assert ended["counts"]["anomalous"] == 0, "a rerun knows what was recorded since"
    report = working.http.get(f"/v1/detections/{after['id']}/report").text
    assert "release ranker v10, its baseline begins anew" in report
    asked = {"source": source, "metric": "ndcg@10", **WEEKS}
    drawn = working.call("GET", "/v1/points", params=asked)["events"]
    assert [(one["name"], one["time"]) for one in drawn] == [("ranker v10", "2026-07-16T00:00:00Z")]
    point = {"series": 'ndcg@10{region="jp"}', "time": "2026-07-16T00:00:00Z"}
    why = working.call("GET", f"/v1/detections/{after['id']}/explain", params=point)
    assert why["agrees"] is True
    assert "A release restarted the baseline at 2026-07-16" in str(why["steps"])


def test_a_token_of_another_source_may_not_record(working: House, source: str) -> None:
    other = working.token(["ev.other"], ["ingest"])
    answer = working.http.post(
        f"/v1/sources/{source}/events", json=NEW, headers={"Authorization": f"Bearer {other}"}
    )
    assert answer.status_code == 404
