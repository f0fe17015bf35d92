"""What a run may take back, and what stays whatever it says."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from detectors.result import Reason
from service.database.ledger import said_of_series
from tests.service.api.house import FIRST_MS, House, daily, detection, rfc3339
from tests.service.receiver import Receiver, receiving
from tests.workflows.publishing import DAY, SOURCE, START, flat, key
from tests.workflows.publishing import House as Steps
from workflows.reconcile import NORMAL

DAYS = 40
SPIKE = 35
WHEN = FIRST_MS + SPIKE * DAY
RANGE = {"start": "2026-07-01", "end": "2026-07-10"}
NOTIFY = {"on": ["anomaly", "withdrawn"], "min_severity": "warning", "max_age": "3650d"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def point(value: float | None) -> list[dict[str, Any]]:
    return [{"metric": "ndcg@10", "time": rfc3339(WHEN), "value": value}]


class Story:
    """One source, one rule, one point that changes, and who is told."""

    def __init__(self, house: House, source: str, receiver: Receiver) -> None:
        self.house, self.source, self.receiver = house, source, receiver
        house.source(source)
        house.send(source, daily([1.0] * SPIKE + [0.1] + [1.0] * (DAYS - SPIKE - 1)))
        house.call(
            "PUT", f"/v1/channels/{source}", 201, json={"kind": "webhook", "url": receiver.url}
        )
        first = house.detect(
            detection(source, range=RANGE, notify={"channels": [source], **NOTIFY})
        )
        self.run = str(first["id"])

    def rerun(self) -> dict[str, Any]:
        again = self.house.call("POST", f"/v1/detections/{self.run}/rerun", 202)
        ended = self.house.call("GET", f"/v1/detections/{again['id']}", params={"wait": "60s"})
        assert ended["state"] == "succeeded", ended
        return ended

    def anomaly(self) -> dict[str, Any]:
        (found,) = self.house.call("GET", "/v1/anomalies", params={"source": self.source})["items"]
        anomaly: dict[str, Any] = found
        return anomaly

    def facts(self) -> tuple[Any, ...]:
        anomaly = self.anomaly()
        return tuple(anomaly[name] for name in ("status", "transition", "cause", "reason", "value"))

    def told(self, count: int) -> Sequence[str]:
        """The events that were received, once so many have come."""
        query = {"source": self.source, "state": "sent"}
        for _ in range(200):
            if len(self.house.call("GET", "/v1/deliveries", params=query)["items"]) >= count:
                break
            self.house.resources.stopping.wait(0.05)
        return [got.content["type"] for got in self.receiver.got]


def test_a_removed_point_is_taken_back_and_a_new_value_is_a_new_transition(
    working: House, receiver: Receiver
) -> None:
    story = Story(working, "cha.removed", receiver)
    assert story.facts() == ("found", 1, None, "ok", 0.1)
    path = f"/v1/anomalies/{story.anomaly()['id']}"
    working.call("PATCH", path, json={"verdict": "acknowledged", "comment": "looking"})

    working.send(story.source, point(None))
    ended = story.rerun()
    assert (ended["counts"]["withdrawn"], ended["counts"]["unverified"]) == (1, 0)
    assert story.facts() == ("withdrawn", 2, "data", "point_removed", None)
    again = story.rerun()
    assert again["counts"]["withdrawn"] == 0, "what is taken back is taken back once"
    assert story.facts() == ("withdrawn", 2, "data", "point_removed", None)

    working.send(story.source, point(0.05))
    assert story.rerun()["counts"]["new"] == 1
    assert story.facts() == ("found", 3, "data", "ok", 0.05)
    working.send(story.source, point(1.0))
    assert story.rerun()["counts"]["withdrawn"] == 1
    assert story.facts() == ("withdrawn", 4, "data", "ok", 1.0)
    anomaly = story.anomaly()
    assert (anomaly["verdict"], anomaly["comment"]) == ("acknowledged", "looking")

    types = [f"lupus.{event}.v1" for event in ("anomaly", "withdrawn") * 2]
    assert story.told(4) == types
    assert len({got.id for got in receiver.got}) == 4
    with working.resources.database.read() as tx:
        series = [str(anomaly["series"])]
        said = said_of_series(tx, story.source, story.source, "check", series)
    assert [(one.transition, one.status) for one in said] == [
        (1, "found"), (2, "withdrawn"), (3, "found"), (4, "withdrawn"),
    ]  # fmt: skip


def test_a_verdict_survives_every_kind_of_change(working: House, receiver: Receiver) -> None:
    story = Story(working, "cha.verdict", receiver)
    path = f"/v1/anomalies/{story.anomaly()['id']}"
    said = {"verdict": "expected", "comment": "a release"}
    working.call("PATCH", path, json=said)
    before = working.call("GET", path)
    people = ("verdict", "comment", "verdict_by", "verdict_at")
    for value in (0.1, 0.15, None, 0.1):
        working.send(story.source, point(value))
        story.rerun()
        after = working.call("GET", path)
        assert {name: after[name] for name in people} == {name: before[name] for name in people}
    working.call("PATCH", path, json={"verdict": "none", "comment": ""})
    after = working.call("GET", path)
    assert (after["status"], after["transition"], after["value"]) == ("found", 3, 0.1)


def test_an_anomaly_is_told_once_and_its_end_once(working: House, receiver: Receiver) -> None:
    story = Story(working, "cha.once", receiver)
    for _ in range(3):
        assert story.rerun()["counts"]["unchanged"] == 1
    assert story.told(2) == ["lupus.anomaly.v1"] * 2
    phases = [[row["phase"] for row in got.content["data"]["rows"]] for got in receiver.got]
    assert phases == [["started"], ["ended"]]


def test_four_reasons_are_normal_and_no_other() -> None:
    names = {reason.name for reason in NORMAL}
    assert names == {"OK", "ZERO_VARIANCE", "BELOW_MIN_CHANGE", "NOT_CONSECUTIVE"}
    assert {reason.name for reason in Reason} - names == {"NO_DATA", "INSUFFICIENT_HISTORY"}


def test_found_again_is_told_as_new(steps: Steps) -> None:
    series = key("ndcg")
    kinds = []
    for value in (50.0, 1.0, 50.0, 1.0):
        steps.put(flat(series, 5) | {(series, START + 3 * DAY): value})
        (change,) = steps.changes(steps.run(5))
        kinds.append((change.kind, change.transition, change.cause))
    assert kinds == [
        ("new", 1, None), ("withdrawn", 2, "data"), ("new", 3, "data"), ("withdrawn", 4, "data"),
    ]  # fmt: skip


def test_a_series_seen_28_days_before_is_expected_and_an_older_one_is_not(steps: Steps) -> None:
    early, late, always = key("ndcg", k="early"), key("ndcg", k="late"), key("ndcg", k="always")
    steps.put(flat(always, 34) | {(early, START + DAY): 1.0, (late, START + 2 * DAY): 1.0})
    report = steps.run(34, start_ms=START + 30 * DAY)
    assert (report.outcome, report.counts["series"]) == ("partial", 2)
    assert report.counts["series_without_points"] == 1
    # Every slot of it is a row.
    rows = steps.stores.archive.read_results(SOURCE, "daily", START, START + 34 * DAY).to_pylist()
    absent = [(row["ts"] - START) // DAY for row in rows if row["series"] == late.id]
    assert absent == [30, 31, 32, 33]
    assert report.counts["no_data"] == 4


def test_every_missing_slot_is_a_row(steps: Steps) -> None:
    series = key("ndcg")
    steps.put(
        {at: v for at, v in flat(series, 20).items() if (at[1] - START) // DAY not in (12, 15)}
    )
    report = steps.run(20, start_ms=START + 10 * DAY)
    assert (report.counts["judged"], report.counts["no_data"]) == (8, 2)
    rows = steps.stores.archive.read_results(SOURCE, "daily", START, START + 20 * DAY).to_pylist()
    missing = [(row["ts"] - START) // DAY for row in rows if row["reason"] == Reason.NO_DATA]
    assert missing == [12, 15]
