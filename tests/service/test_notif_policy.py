"""What is told, to whom, and what is held back and why."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import finalize

import jsonschema
import pytest

from service.clock import DAY_MS, HOUR_MS, SECOND_MS
from service.database.deliveries import Delivery
from service.database.ledger import said_of_series
from service.database.metrics import learn_metrics
from service.database.runs import Run
from service.notifications.message import MOST_BYTES
from service.notifications.schema import events_schema
from service.notifications.speak import Ending, speak_of_end
from service.notifications.wording import (
    change_percent,
    date_text,
    days_since,
    number_text,
)
from storage.index import MetricSummary
from storage.series_key import anomaly_id
from tests.service.clocks import NOON
from tests.service.databases import KINDS
from tests.service.fake_launcher import finish
from tests.service.world import World
from tests.service.world import world as open_world
from workflows.report import COUNTS, Change, Report

TODAY = NOON - NOON % DAY_MS - 9 * HOUR_MS  # midnight in Tokyo


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, request.param) as world:
        for name in ("chat", "mail"):
            world.webhook("http://127.0.0.1:9/", name)
        yield world


def change(series: str = "s1", days_ago: int = 1, **changes: Any) -> Change:
    ts_ms = TODAY - days_ago * DAY_MS
    plain = Change(
        kind="new",
        anomaly=anomaly_id("shop", "daily", series, ts_ms),
        transition=1,
        cause=None,
        series=series,
        metric="ndcg",
        labels={"region": series},
        ts_ms=ts_ms,
        value=0.2,
        expected=0.4,
        lower=0.35,
        upper=0.45,
        score=4.0,
        severity="major",
        direction="down",
        reason="ok",
        episode_start_ms=ts_ms,
    )
    return replace(plain, **changes)


def told(
    world: World, changes: Sequence[Change], notify: dict[str, Any] | None = None, **counts: int
) -> tuple[dict[str, Delivery], dict[str, Any]]:
    """Run the rule with these changes; deliveries of the channel chat by event, and its notes."""
    run = end(world, changes, notify, **counts)
    sent = {one.event: one for one in world.deliveries(run=run.id, channel="chat")}
    assert run.notified is not None
    notes: dict[str, Any] = run.notified["chat"]
    assert {one["event"]: one["delivery"] for one in notes["sent"]} == {
        event: one.id for event, one in sent.items()
    }
    return sent, notes


def end(
    world: World, changes: Sequence[Change], notify: dict[str, Any] | None = None, **counts: int
) -> Run:
    world.launcher.script = ["run"]
    plain = {"channels": ["chat"], "on": ["anomaly", "withdrawn"]}
    run = world.accept(notify={**plain, **(notify or {})})
    world.tick("run")
    finish(world.parts.stores.objects, run.id, run.generation, changes, "succeeded", "", **counts)
    world.clock.advance(SECOND_MS)
    world.tick("run")
    found = world.run(run)
    assert found.ended
    return found


def held(notes: dict[str, Any]) -> dict[tuple[str, str], int]:
    """What was held back, by event and reason; that success was not asked for is left out."""
    found = {(one["event"], one["why"]): one["count"] for one in notes["held"]}
    found.pop(("succeeded", "not_asked_for"), None)
    return found


def body(delivery: Delivery) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(delivery.body)
    jsonschema.validate(content, events_schema())
    return content


def test_a_message_says_what_people_need(world: World) -> None:
    point = change(episode_start_ms=TODAY - 3 * DAY_MS)
    sent, _ = told(world, [point], series=42, insufficient_history=2)
    content = body(sent["anomaly"])
    data = content["data"]
    assert content["type"] == "lupus.anomaly.v1"
    assert data["severity"] == "major"
    assert data["text"] == (
        "Major: ndcg of shop is unusually low. "
        "1 of 42 series is unusual, most recently on Thu 20 Nov 2025."
    )
    (row,) = data["rows"]
    assert (row["series"], row["date"]) == ('ndcg{region="s1"}', "Thu 20 Nov 2025")
    assert (row["value_text"], row["expected_text"]) == ("0.2", "0.35 to 0.45")
    assert (row["change_percent"], row["day"], row["phase"]) == (-50.0, 3, "started")
    assert data["not_judged"]["insufficient_history"] == 2
    assert data["links"]["run"].startswith("https://lupus.example/v1/detections/")
    assert data["links"]["report"] == f"{data['links']['run']}/report"
    assert row["report"] == f"{data['links']['report']}#a-{point.anomaly}"
    assert row["link"] == f"https://lupus.example/v1/anomalies/{point.anomaly}"


def test_small_old_and_known_things_are_held_back_with_their_reason(world: World) -> None:
    changes = [
        change("s1"),
        change("s2", severity="warning"),
        change("s3", days_ago=5),
        change("s4", days_ago=300, severity="critical"),
    ]
    sent, notes = told(world, changes)
    assert [row["labels"]["region"] for row in body(sent["anomaly"])["data"]["rows"]] == ["s1"]
    assert held(notes) == {
        ("anomaly", "below_min_severity"): 1,
        ("anomaly", "older_than_max_age"): 2,
    }
    sent, notes = told(world, [change("s1")])
    assert sent == {}
    assert held(notes) == {("anomaly", "told_before"): 1}


def test_min_severity_and_max_age_are_the_requests(world: World) -> None:
    changes = [change("s2", severity="warning"), change("s3", days_ago=5)]
    sent, notes = told(world, changes, {"min_severity": "warning", "max_age": "7d"})
    assert len(body(sent["anomaly"])["data"]["rows"]) == 2
    assert held(notes) == {}


def lasting(days_ago: int, spread: int = 2, **more: Any) -> dict[str, Any]:
    """The change that an anomaly of so many days ago is, sure to some days."""
    dates = (TODAY - (days_ago + spread) * DAY_MS, TODAY - (days_ago - spread) * DAY_MS)
    said = {"kind": "level", "size": -0.2, "confidence": 0.9912}
    return {**said, **dict(zip(("earliest_ms", "latest_ms"), dates, strict=True)), **more}


def test_a_change_is_news_when_it_is_found_and_not_again_when_its_date_moves(world: World) -> None:
    found = change("s1", days_ago=20, change=lasting(20))
    sent, _ = told(world, [found])
    (row,) = body(sent["anomaly"])["data"]["rows"]
    assert row["sentence"] == (
        "level fell by 0.2 on Sat 1 Nov 2025 (between Thu 30 Oct and Mon 3 Nov), 99.1 % sure, new"
    )
    assert row["change"]["kind"] == "level"
    assert row["change"]["earliest"] == "2025-10-30T00:00:00+09:00"
    moved = change("s1", days_ago=19, change=lasting(19))
    _, notes = told(world, [moved])
    assert held(notes) == {("anomaly", "told_before"): 1}
    sent, _ = told(world, [change("s1", days_ago=9, change=lasting(9))])
    assert len(body(sent["anomaly"])["data"]["rows"]) == 1, "another one"


def test_two_steps_are_news_whatever_the_age_in_hours(world: World) -> None:
    with world.database.write() as tx:
        learn_metrics(tx, "shop", {"ndcg": MetricSummary(1, 7 * DAY_MS, 0, 1)}, NOON)
    sent, _ = told(world, [change("s1", days_ago=13)])
    assert "anomaly" in sent


def test_an_episode_is_told_at_its_start_and_when_it_gets_worse(world: World) -> None:
    start = TODAY - 2 * DAY_MS
    first = change(days_ago=2, episode_start_ms=start)
    sent, _ = told(world, [first], {"max_age": "9d"})
    assert [row["phase"] for row in body(sent["anomaly"])["data"]["rows"]] == ["started"]
    sent, notes = told(world, [change(days_ago=1, episode_start_ms=start)])
    assert (sent, held(notes)) == ({}, {("anomaly", "episode_told"): 1})
    worse = change(days_ago=0, episode_start_ms=start, severity="critical")
    sent, _ = told(world, [worse])
    data = body(sent["anomaly"])["data"]
    assert [(row["phase"], row["severity"]) for row in data["rows"]] == [("worse", "critical")]
    other = change("s2", days_ago=1)
    sent, _ = told(world, [other])
    assert "anomaly" in sent, "another series is another episode"


def test_repeat_always_tells_every_new_point_and_each_once(world: World) -> None:
    start = TODAY - 2 * DAY_MS
    first = change(days_ago=2, episode_start_ms=start)
    second = change(days_ago=1, episode_start_ms=start)
    always = {"repeat": "always", "max_age": "9d"}
    assert "anomaly" in told(world, [first], always)[0]
    sent, notes = told(world, [first, second], always)
    assert len(body(sent["anomaly"])["data"]["rows"]) == 1
    assert held(notes) == {("anomaly", "told_before"): 1}


def test_only_what_was_told_is_taken_back(world: World) -> None:
    known, unknown = change("s1"), change("s2", severity="warning")
    told(world, [known, unknown])
    gone: dict[str, Any] = {"kind": "withdrawn", "transition": 2, "cause": "data"}
    sent, notes = told(world, [replace(known, **gone), replace(unknown, **gone)])
    data = body(sent["withdrawn"])["data"]
    assert data["withdrawn"] == {"data": 1, "rule": 0}
    assert [row["anomaly"] for row in data["rows"]] == [known.anomaly]
    assert held(notes) == {("withdrawn", "never_told"): 1}
    sent, notes = told(world, [replace(known, **gone)])
    assert (sent, held(notes)) == ({}, {("withdrawn", "told_before"): 1})
    found_again = replace(known, transition=3)
    assert "anomaly" in told(world, [found_again])[0]


def test_a_changed_rule_is_one_summary_and_a_changed_baseline_is_silent(world: World) -> None:
    points = [change(f"s{number}") for number in range(5)]
    told(world, points)
    gone: dict[str, Any] = {"kind": "withdrawn", "transition": 2}
    by_rule = [replace(point, cause="rule", **gone) for point in points[:3]]
    by_baseline = [replace(point, cause="baseline", **gone) for point in points[3:]]
    sent, notes = told(world, [*by_rule, *by_baseline])
    data = body(sent["withdrawn"])["data"]
    assert data["withdrawn"] == {"data": 0, "rule": 3}
    assert data["rows"] == []
    assert held(notes) == {("withdrawn", "baseline_changed"): 2}


def test_what_changed_with_the_rule_is_no_storm(world: World) -> None:
    changed = change("s1", kind="changed", cause="rule", previous={"severity": "warning"})
    sent, notes = told(world, [changed])
    assert (sent, held(notes)) == ({}, {("anomaly", "rule_changed"): 1})
    risen = change("s1", kind="changed", cause="data", previous={"severity": "warning"})
    assert "anomaly" in told(world, [risen])[0]


def test_a_message_has_ten_rows_the_worst_first(world: World) -> None:
    points = [change(f"s{number:02d}", score=float(number)) for number in range(30)]
    points.append(change("worst", severity="critical", score=1.0))
    sent, notes = told(world, points)
    data = body(sent["anomaly"])["data"]
    assert data["severity"] == "critical"
    assert [row["labels"]["region"] for row in data["rows"][:3]] == ["worst", "s29", "s28"]
    assert (len(data["rows"]), data["more_rows"]) == (10, 21)
    assert notes["sent"][0]["count"] == 31
    assert held(told(world, points)[1]) == {("anomaly", "told_before"): 31}


def test_however_much_is_wrong_a_batch_is_held_at_a_time(world: World) -> None:
    """Ten thousand changes go by one after another; the message stays small."""
    gone: list[int] = []
    most = 0

    def flood() -> Iterator[Change]:
        nonlocal most
        for number in range(10_000):
            one = change(f"s{number:05}")
            finalize(one, gone.append, number)
            most = max(most, number - len(gone))
            yield one

    run = world.run(world.accept(notify={"channels": ["chat"], "on": ["anomaly"]}))
    report = Report(run.id, run.generation, "succeeded", {**dict.fromkeys(COUNTS, 0)})
    with world.database.write() as tx:
        ending = Ending("succeeded", report)
        notes = speak_of_end(tx, world.parts.reports, run, ending, flood(), NOON)
    assert notes["chat"]["sent"][0]["count"] == 10_000
    assert most < 2_500
    (delivery,) = world.deliveries(run=run.id)
    data = body(delivery)["data"]
    assert (len(data["rows"]), data["more_rows"]) == (10, 9_990)
    assert len(data["episodes"]) + data["more_episodes"] == 10_000
    assert data["closing"][0] == "The 10 worst are shown; 9,990 more in the report."


def test_a_message_is_at_most_64_kib_whatever_it_is_about(world: World) -> None:
    long = {f"label_{number:03}": "長" * 2_000 for number in range(32)}
    notify = {"channels": ["chat"], "on": ["anomaly", "failed"]}
    sent, _ = told(world, [replace(change(f"s{n}"), labels=long) for n in range(40)], notify)
    assert len(sent["anomaly"].body.encode()) <= MOST_BYTES
    data = body(sent["anomaly"])["data"]
    assert data["rows"], "one at least is shown"
    assert len(data["rows"]) + data["more_rows"] == 40
    assert len(data["episodes"]) + data["more_episodes"] == 40
    assert len(data["rows"][0]["labels_text"]) <= 300


def test_an_event_goes_out_only_if_request_and_channel_name_it(world: World) -> None:
    world.webhook("http://127.0.0.1:9/", "mail", ("failed", "anomaly"))
    notify = {"channels": ["chat", "mail"], "on": ["anomaly", "succeeded", "started", "no_data"]}
    run = end(world, [change()], notify, series_without_points=1)
    events: dict[str, list[str]] = {"chat": [], "mail": []}
    for delivery in world.deliveries(run=run.id):
        assert body(delivery)["type"] == f"lupus.{delivery.event}.v1"
        events[delivery.channel].append(delivery.event)
    assert sorted(events["chat"]) == ["anomaly", "no_data", "started", "succeeded"]
    assert events["mail"] == ["anomaly"]
    assert run.notified is not None
    assert held(run.notified["mail"]) == {
        ("no_data", "channel_does_not_take_it"): 1,
        ("succeeded", "channel_does_not_take_it"): 1,
    }
    run = end(world, [], {"on": ["anomaly"]})
    assert run.notified is not None
    assert run.notified["chat"]["held"] == [
        {
            "event": "succeeded",
            "why": "not_asked_for",
            "count": 1,
            "text": "not told: the request's notify.on does not name succeeded",
        }
    ]


def test_channels_are_told_apart_and_count_by_rule(world: World) -> None:
    told(world, [change("s1")])
    run = end(world, [change("s1")], {"channels": ["chat", "mail"]})
    (only,) = world.deliveries(run=run.id)
    assert (only.channel, only.counter) == ("mail", 1), "chat knew, mail did not"
    sent, _ = told(world, [change("s2")])
    assert sent["anomaly"].counter == 2


def test_a_failed_run_says_why(world: World) -> None:
    world.launcher.script = ["refuse"]
    run = world.accept(notify={"channels": ["chat"], "on": ["failed"]})
    world.settle()
    (delivery,) = world.deliveries(run=run.id)
    content = body(delivery)
    assert content["type"] == "lupus.failed.v1"
    assert content["data"]["error"] == "plan: no such table"


def test_what_a_run_says_is_queued_once_whatever_is_repeated(world: World) -> None:
    """A tick that lost its lease between reading and writing says nothing."""
    run = end(world, [change("s1")])
    with world.database.read() as tx:
        (said,) = said_of_series(tx, "chat", "shop", "daily", ["s1"])
    assert (said.run, said.status, said.transition) == (run.id, "found", 1)
    world.settle()
    assert len(world.deliveries(run=run.id)) == 1


@pytest.mark.parametrize(
    ("value", "pattern", "text"),
    [
        (0.41234, "0.000", "0.412"),
        (0.0731, "0.0%", "7.3%"),
        (1234567.0, "#,##0", "1,234,567"),
        (1234567.0, "", "1,234,567"),
        (0.000123456, "", "0.0001235"),
        (None, "0.0", "no data"),
        (float("inf"), "", "unbounded"),
    ],
)
def test_numbers_are_written_in_the_metrics_format(
    value: float | None, pattern: str, text: str
) -> None:
    assert number_text(value, pattern) == text


def test_dates_and_days_are_the_sources(world: World) -> None:
    midnight = TODAY
    assert date_text(midnight, "Asia/Tokyo", DAY_MS) == "Fri 21 Nov 2025"
    assert date_text(midnight, "UTC", DAY_MS) == "Thu 20 Nov 2025 15:00"
    assert days_since(midnight - DAY_MS, midnight + HOUR_MS, "Asia/Tokyo") == 2
    assert change_percent(0.5, 0.4) == 25.0
    assert change_percent(0.5, 0.0) is None
    assert change_percent(-3.0, -2.0) == -50.0


def test_the_schema_is_one_and_refuses_what_is_no_message() -> None:
    schema = events_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"type": "lupus.anomaly.v1", "data": {}}, schema)
