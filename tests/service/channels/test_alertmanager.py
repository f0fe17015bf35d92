"""Alerts: what they are called, when they begin and end; held against a real Alertmanager."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.clock import DAY_MS, HOUR_MS, SystemClock
from service.egress.egress import Egress
from service.egress.transport import open_client
from service.errors import RequestError
from service.notifications.events import EVENTS
from service.notifications.example import example_body
from service.notifications.examples import example
from service.notifications.kinds.alertmanager import PATH, Alertmanager, AlertmanagerKind
from service.notifications.kinds.alerts import OURS, Alerting, alerts_of
from service.notifications.kinds.kind import Given, Kept, Message
from service.notifications.send import send
from tests.real import own_name, server
from tests.service.channels.telling import change, tell, withdrawn
from tests.service.receiver import Receiver, receiving
from tests.service.world import World
from tests.service.world import world as open_world
from tests.waiting import until

NOW = 1_794_300_000_000  # 2026-11-10T08:40:00Z, after the examples


# The server of the tests listens inside.
INSIDE = Egress(allow=(ip_network("10.0.0.0/8"), ip_network("172.16.0.0/12")), loopback=True)


def message(event: str, **data: Any) -> Message:
    """A real message, with some of its data changed."""
    body = example(event)  # type: ignore[arg-type]
    body["data"] = {**body["data"], **data}
    return Message(body["id"], json.dumps(body))


def episode(
    was: str | None, now: str | None, phase: str = "worse", **labels: str
) -> dict[str, Any]:
    return {
        "series_id": "5" * 32,
        "metric": "ndcg@10",
        "labels": {"region": "jp", **labels},
        "since": "2026-11-08T00:00:00+09:00",
        "phase": phase,
        "anomaly": "a" * 32,
        "was": was,
        "now": now,
    }


def alerts(*episodes: dict[str, Any], **alerting: Any) -> list[dict[str, Any]]:
    told = message("anomaly", episodes=list(episodes), rows=[])
    return alerts_of(Alerting(**alerting), told, NOW)


def test_labels_are_what_never_changes_and_the_severity() -> None:
    (found,) = alerts(episode(None, "major"), labels={"team": "rec"})
    assert found["labels"] == {
        "alertname": "LupusAnomaly",
        "source": "job.service1-recommend",
        "rule": "ranking-daily",
        "metric": "ndcg@10",
        "severity": "major",
        "series": "5" * 32,
        "region": "jp",
        "team": "rec",
    }
    assert found["startsAt"] == "2026-11-07T15:00:00.000Z", "the first anomalous time"
    (over,) = alerts(episode("major", None, "withdrawn"), labels={"team": "rec"})
    assert over["labels"] == found["labels"], "or it would never be over"
    assert over["endsAt"] == "2026-11-10T08:40:00.000Z"


def test_another_severity_is_another_alert_and_ends_the_one_before() -> None:
    before, after = alerts(episode("major", "critical"))
    assert [before["labels"]["severity"], after["labels"]["severity"]] == ["major", "critical"]
    assert before["endsAt"] == "2026-11-10T08:40:00.000Z" < after["endsAt"]
    assert len(alerts(episode("major", "major"))) == 1
    assert alerts(episode(None, None, "withdrawn")) == [], "what was never told is not over"


@pytest.mark.parametrize(
    ("phase", "hold_ms", "held_ms"),
    [
        ("started", None, 7 * DAY_MS),
        ("new", None, 25 * HOUR_MS),
        ("started", HOUR_MS, HOUR_MS),
        ("new", HOUR_MS, HOUR_MS),
    ],
)
def test_how_long_an_alert_holds_by_itself(phase: str, hold_ms: int | None, held_ms: int) -> None:
    (found,) = alerts(episode(None, "major", phase), hold_ms=hold_ms)
    (over,) = alerts(episode("major", None))
    later = alerts_of(
        Alerting(hold_ms=hold_ms),
        message("anomaly", episodes=[episode("major", None)], rows=[]),
        NOW + held_ms,
    )
    assert found["endsAt"] == later[0]["endsAt"] > over["endsAt"]


def test_labels_of_a_series_cannot_pass_for_ours() -> None:
    labels = {
        "severity": "none",
        "source": "x",
        "a-b": "1",
        "__a": "2",
        "0": "3",
        "long": "v" * 900,
    }
    (found,) = alerts(episode(None, "major", **labels))
    said = found["labels"]
    assert (said["severity"], said["source"]) == ("major", "job.service1-recommend")
    assert (said["label_severity"], said["label_source"], said["a_b"]) == ("none", "x", "1")
    assert (said["label___a"], said["label_0"], len(said["long"])) == ("2", "3", 250)


def test_numbers_and_texts_are_annotations() -> None:
    told = message("anomaly")
    found = alerts_of(Alerting(), told, NOW)
    assert len(found) == 5, "four episodes, one of them with two severities"
    row = told.data["rows"][0]
    said = found[0]["annotations"]
    assert said["summary"] == row["name_text"]
    assert said["description"] == row["sentence"]
    assert (said["value"], said["expected"]) == (row["value_text"], row["expected_text"])
    assert said["link_runbook"] == "https://wiki.example.com/ranking"
    assert said["owner"] == "@rec-oncall"
    assert found[0]["generatorURL"] == told.data["links"]["report"]


def test_rows_are_enough_for_a_message_of_the_version_before() -> None:
    now = alerts_of(Alerting(), message("anomaly"), NOW)
    before = message("anomaly")
    data = {name: value for name, value in before.data.items() if name != "episodes"}
    old = alerts_of(Alerting(), Message("m", json.dumps({**before.content, "data": data})), NOW)
    fired = [one["labels"] for one in now if one["endsAt"] > "2026-11-11"]
    assert [one["labels"] for one in old if one["endsAt"] > "2026-11-11"] == fired


def test_a_run_that_failed_is_an_alert_that_success_ends() -> None:
    failed = alerts_of(Alerting(), message("failed"), NOW)[0]
    partial = alerts_of(Alerting(), message("partial"), NOW)[0]
    over = alerts_of(Alerting(), message("succeeded"), NOW)[0]
    assert failed["labels"] == partial["labels"] == over["labels"]
    assert failed["labels"]["alertname"] == "LupusRunIncomplete"
    assert failed["annotations"]["outcome"] == "failed"
    assert over["endsAt"] == "2026-11-10T08:40:00.000Z" < failed["endsAt"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path) as world:
        yield world


@pytest.fixture
def receivers() -> Iterator[tuple[Receiver, Receiver]]:
    with receiving() as first, receiving() as second:
        yield first, second


def test_every_server_of_a_cluster_gets_it_and_one_is_enough(
    world: World, receivers: tuple[Receiver, Receiver]
) -> None:
    first, second = receivers
    urls = [one.url.removesuffix("/hook") for one in receivers]
    given = Given({"urls": urls}, {"bearer_token": "s3cr3t"})
    world.put_channel("alertmanager", given)
    first.answers = [(500, {})]
    (queued,) = tell(world, [change()])
    world.settle("delivery")
    sent = world.delivery(queued.id)
    assert (sent.state, sent.attempts) == ("sent", 1)
    assert "500" in sent.error, "who did not take it is told"
    assert first.got[0].body == second.got[0].body
    assert {one.got[0].headers["authorization"] for one in receivers} == {"Bearer s3cr3t"}
    first.answers, second.answers = [(500, {})], [(503, {})]
    (queued,) = tell(world, [withdrawn(change())])
    world.settle("delivery", seconds=30, ticks=4)
    assert (world.delivery(queued.id).state, world.delivery(queued.id).attempts) == ("sent", 2)
    assert "s3cr3t" not in str(world.deliveries())


def test_alerts_that_are_refused_block_no_other(
    world: World, receivers: tuple[Receiver, Receiver]
) -> None:
    world.put_channel("alertmanager", Given({"url": receivers[0].url.removesuffix("/hook")}))
    (first,) = tell(world, [change()])
    (second,) = tell(world, [change("tw")])
    receivers[0].answers = [(400, {})]
    world.settle("delivery")
    assert [world.delivery(one.id).state for one in (first, second)] == ["dead", "sent"]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        (Given({}), "/url"),
        (Given({"url": "https://a.example", "urls": ["https://b.example"]}), "/url"),
        (Given({"urls": ["https://a.example", "ftp://b"]}), "/urls/1"),
        (Given({"url": "https://a.example/api/v2/alerts"}), "/url"),
        (Given({"url": "https://a.example/?x=1"}), "/url"),
        (Given({"url": "https://a.example", "labels": {"severity": "x"}}), "/labels/severity"),
        (Given({"url": "https://a.example", "labels": {"a/b": "x"}}), "/labels/a~1b"),
        (Given({"url": "https://a.example", "hold": "soon"}), "/hold"),
        (Given({"url": "https://a.example", "hold": "1s"}), "/hold"),
        (Given({"url": "https://a.example", "user": "u"}), "/password"),
        (Given({"url": "https://a.example"}, {"password": "p"}), "/user"),
        (Given({"url": "https://a.example", "user": "u"}, {"bearer_token": "t"}), "/bearer_token"),
    ],
)
def test_what_is_not_allowed_is_named(given: Given, pointer: str) -> None:
    with pytest.raises(RequestError) as caught:
        AlertmanagerKind().keep(given, None, 0)
    assert caught.value.pointer == pointer


def test_secrets_stay_until_another_way_is_given() -> None:
    kind = AlertmanagerKind()
    place = {"url": "https://a.example"}
    first = kind.keep(Given(place, {"bearer_token": "t"}), None, 0)
    assert kind.keep(Given(place), first, 0) == first
    second = kind.keep(Given({**place, "user": "u"}, {"password": "p"}), first, 0)
    assert second == Kept({"urls": ["https://a.example"], "user": "u"}, {"password": "p"})
    assert kind.open(second).authorization == "Basic dTpw"
    assert kind.keep(Given({**place, "user": "v"}), second, 0).secrets == {"password": "p"}
    assert kind.keep(Given(place), second, 0).secrets == {}
    assert "t" not in json.dumps(dict(kind.shown(first.settings))).replace("https", "")


@pytest.mark.real
class TestRealAlertmanager:
    """The real one says what is active, by the labels of this test."""

    @pytest.fixture
    def mark(self) -> str:
        return own_name("alerts")

    @pytest.fixture
    def url(self) -> str:
        return server("LUPUS_TEST_ALERTMANAGER_URL").rstrip("/")

    @pytest.fixture
    def post(self, url: str, mark: str) -> Callable[[Message], None]:
        alerting = Alerting({"test": mark, "cluster": "eu-1"})
        manager = Alertmanager((url,), alerting=alerting)

        def post(told: Message) -> None:
            with open_client(INSIDE) as client:
                answer = send(client, manager, told, SystemClock().now_ms())
            assert (answer.verdict, answer.error) == ("sent", "")

        return post

    @pytest.fixture
    def active(self, url: str, mark: str) -> Callable[[], dict[str, dict[str, Any]]]:
        def active() -> dict[str, dict[str, Any]]:
            answer = httpx2.get(url + PATH, params={"filter": f'test="{mark}"'}).json()
            return {one["labels"].get("severity", ""): one for one in answer}

        return active

    def test_it_takes_every_message(self, post: Any, mark: str) -> None:
        for event in EVENTS:
            if event not in ("started", "no_data"):
                post(message(event))
        now_ms = SystemClock().now_ms()
        post(Message("msg_test", example_body("msg_test", "am", "", now_ms)))

    def test_an_episode_becomes_active_worse_and_is_over(self, post: Any, active: Any) -> None:
        def told(was: str | None, now: str | None) -> Message:
            labels = {"source": "x", "Zürich": "ü", "nul": 'a\\b"c\nd'}
            return message("anomaly", episodes=[episode(was, now, **labels)])

        post(told(None, "major"))
        until(lambda: set(active()) == {"major"})
        found = active()["major"]
        assert found["labels"]["cluster"] == "eu-1"
        assert (
            found["startsAt"].startswith("2026-11-07T15:00:00")
            or found["startsAt"] < found["endsAt"]
        )
        assert set(OURS) <= set(found["labels"])
        post(told("major", "critical"))
        until(lambda: set(active()) == {"critical"})
        post(told("critical", None))
        until(lambda: not active())

    def test_a_failed_run_is_active_until_one_succeeds(self, post: Any, active: Any) -> None:
        post(message("partial"))
        until(lambda: set(active()) == {"major"})
        post(message("failed"))
        until(lambda: active()["major"]["annotations"].get("outcome") == "failed")
        post(message("succeeded"))
        until(lambda: not active())

    def test_what_it_refuses_is_said_in_its_words(self, url: str) -> None:
        told = message("anomaly", episodes=[episode(None, "major", region="\ud800")])
        manager = replace(Alertmanager((url,)), alerting=Alerting({"bad-name": "x"}))
        with open_client(INSIDE) as client:
            answer = send(client, manager, told, SystemClock().now_ms())
        assert (answer.verdict, answer.status) == ("refused", 400)
        assert "bad-name" in answer.error
