"""What a pipeline says of its runs becomes points, and messages to separate channels, once."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from service.notifications.events import JOB_EVENTS
from service.notifications.kinds.alerts import Alerting, alerts_of
from service.notifications.kinds.kind import Message
from service.notifications.schema import events_schema
from tests.service.api.house import House
from tests.service.receiver import Receiver, receiving
from tests.waiting import until

AT = "2026-06-08T03:00:00Z"
AT_MS = 1_780_887_600_000


@pytest.fixture
def receivers() -> Iterator[tuple[Receiver, Receiver]]:
    with receiving() as pager, receiving() as diary:
        yield pager, diary


@pytest.fixture
def channels(working: House, receivers: tuple[Receiver, Receiver]) -> dict[str, Any]:
    for name, receiver, event in (
        ("pager", receivers[0], "job_failed"),
        ("diary", receivers[1], "job_succeeded"),
    ):
        body = {"kind": "webhook", "url": receiver.url, "events": [event]}
        assert working.http.put(f"/v1/channels/{name}", json=body).status_code in (200, 201)
    return {"notify": {"channels": ["pager", "diary"]}}


def tell(house: House, source: str, status: int = 200, **body: Any) -> dict[str, Any]:
    body = {"pipeline": "train", "run": "r1", "state": "failed", "time": AT, **body}
    return house.call("POST", f"/v1/sources/{source}/pipelines", status, json=body)


def stored(house: House, source: str) -> dict[str, list[tuple[int, float]]]:
    query = {"source": source, "metric": "*", "start": "2026-06-01", "end": "2126-07-01"}
    return {
        one["name"]: list(zip(one["times_ms"], one["values"], strict=True))
        for one in house.call("GET", "/v1/points", params=query)["items"]
    }


def test_runs_become_points_with_their_duration(working: House) -> None:
    source = working.source("pipe.points")
    tell(working, source, state="started", time="2026-06-08T01:59:30+00:00")
    tell(working, source, state="succeeded", labels={"region": "jp"})
    tell(working, source, run="r2", time="2026-06-09T03:00:00Z", duration_seconds=5)
    tell(working, source, run="r3", time="2026-06-10T03:00:00Z", state="succeeded")
    day = 86_400_000
    assert stored(working, source) == {
        'pipeline.started{pipeline="train"}': [(AT_MS - 3_630_000, 1.0)],
        'pipeline.succeeded{pipeline="train",region="jp"}': [(AT_MS, 1.0)],
        'pipeline.duration_seconds{pipeline="train",region="jp"}': [(AT_MS, 3630.0)],
        'pipeline.succeeded{pipeline="train"}': [(AT_MS + day, 0.0), (AT_MS + 2 * day, 1.0)],
        'pipeline.duration_seconds{pipeline="train"}': [(AT_MS + day, 5.0)],
    }


def test_failures_and_successes_reach_their_own_channels_once(
    working: House, receivers: tuple[Receiver, Receiver], channels: dict[str, Any]
) -> None:
    source = working.source("pipe.told", timezone="Asia/Tokyo", display_name="Ranking")
    pager, diary = receivers
    said = {"message": "exit code 137", "links": {"log": "https://ci.example.com/1"}, **channels}
    first = tell(working, source, **said)
    again = tell(working, source, **said | {"message": "told otherwise", "time": None})
    assert again["id"] == first["id"]
    tell(working, source, run="r2", state="succeeded", **channels)
    tell(working, source, run="r2", state="started", **channels)
    until(lambda: pager.got and diary.got)
    query = {"source": source}
    until(
        lambda: (
            {one["state"] for one in working.call("GET", "/v1/deliveries", params=query)["items"]}
            == {"sent"}
        )
    )
    assert (len(pager.got), len(diary.got)) == (1, 1)
    content = pager.got[0].content
    assert content["type"] == "lupus.job_failed.v1"
    assert content["data"]["title"] == "Failed: pipeline train of Ranking"
    assert content["data"]["sentences"] == [
        "Run r1: failed at 12:00 on Mon 8 Jun 2026.", "exit code 137",
    ]  # fmt: skip
    assert content["data"]["links"] == {"log": "https://ci.example.com/1"}
    assert diary.got[0].content["data"]["pipeline"]["run"] == "r2"
    validator = Draft202012Validator(events_schema())
    for got in (*pager.got, *diary.got):
        validator.validate(got.content)


def test_a_run_may_fail_and_then_succeed(working: House) -> None:
    source = working.source("pipe.both")
    ids = [tell(working, source, state=state)["id"] for state in ("failed", "succeeded", "failed")]
    assert ids[0] == ids[2] != ids[1]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"state": "done"}, "/state"),
        ({"run": ""}, "/run"),
        ({"time": "yesterday"}, "/time"),
        ({"time": "1850-01-01T00:00:00Z"}, "/time"),
        ({"labels": {"pipeline": "x"}}, "/labels/pipeline"),
        ({"labels": {"1b": "x"}}, "/labels"),
        ({"links": {"log": "javascript:x"}}, "/links/log"),
        ({"duration_seconds": -1}, "/duration_seconds"),
        ({"notify": {"channels": ["nobody"]}}, "/notify/channels/0"),
        ({"notify": {"channels": ["a"], "on": ["anomaly"]}}, "/notify/on/0"),
        ({"job": "x"}, "/job"),
    ],
)
def test_what_is_wrong_is_named_and_binds_nothing(
    working: House, wrong: dict[str, Any], pointer: str
) -> None:
    source = working.source("pipe.wrong")
    problem = tell(working, source, 422, **{"run": "w", **wrong})
    assert problem["errors"][0]["pointer"] == pointer
    assert "pipeline.succeeded" not in stored(working, source)


def test_who_only_sends_points_tells_nobody(working: House, channels: dict[str, Any]) -> None:
    source = working.source("pipe.verbs")
    job = working.client(working.token([source], ["ingest"]))
    body = {"pipeline": "train", "run": "r1", "state": "failed"}
    path = f"/v1/sources/{source}/pipelines"
    assert job.post(path, json=body | channels).status_code == 403
    assert job.post(path, json=body).status_code == 200


def test_a_failure_is_an_alert_until_a_run_succeeds() -> None:
    examples = {
        one["type"]: one
        for one in events_schema()["examples"]
        if one["type"].startswith("lupus.job")
    }
    assert list(examples) == [f"lupus.{event}.v1" for event in JOB_EVENTS]
    now_ms = AT_MS + 400 * 86_400_000

    def alerts(event: str) -> list[dict[str, Any]]:
        return alerts_of(Alerting(), Message("id", json.dumps(examples[event])), now_ms)

    (failed,), (over,) = alerts("lupus.job_failed.v1"), alerts("lupus.job_succeeded.v1")
    assert failed["labels"] == over["labels"]
    assert failed["labels"]["alertname"] == "LupusPipelineFailed"
    assert failed["endsAt"] > over["endsAt"]
    assert "exit code 137" in failed["annotations"]["description"]
    assert alerts("lupus.job_started.v1") == []


def test_the_examples_are_what_the_schema_says() -> None:
    validator = Draft202012Validator(events_schema())
    for example in events_schema()["examples"]:
        validator.validate(example)
