"""Channels of every kind over HTTP: put, masked, tried, changed; and what was given up."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from service.app import open_app
from service.database.channels import Channel, put_channel
from service.database.deliveries import Delivery, get_delivery, insert_delivery
from service.notifications.signing import new_secret
from service.settings import Settings
from tests.service.api.house import FIRST_MS, House
from tests.service.receiver import receiving
from tests.service.slack_server import CHANNEL, TOKEN, FakeSlack, slack

HOOK = "https://hooks.slack.com/services/T0/B0/s3cr3t-path"
SLACK = {"kind": "slack", "webhook_url": HOOK}
BOT = {"kind": "slack", "bot_token": TOKEN, "channel": CHANNEL}
ALERTS = {"kind": "alertmanager", "url": "https://alerts.example.com/am"}


def test_secrets_of_every_kind_are_masked(idle: House) -> None:
    given = {
        "k-slack": SLACK,
        "k-bot": BOT,
        "k-alerts": {**ALERTS, "bearer_token": "s3cr3t-token"},
        "k-login": {**ALERTS, "user": "lupus", "password": "s3cr3t-word"},
    }
    for name, body in given.items():
        idle.call("PUT", f"/v1/channels/{name}", 201, json=body)
        idle.call("PUT", f"/v1/channels/{name}", 200, json={**body, "events": ["anomaly"]})
    texts = [idle.http.get(f"/v1/channels/{name}").text for name in given]
    shown = "".join([*texts, idle.http.get("/v1/channels").text])
    for secret in ("s3cr3t", TOKEN):
        assert secret not in shown
    assert json.loads(texts[0])["webhook_url"] == "https://hooks.slack.com/..."
    assert json.loads(texts[1])["channel"] == CHANNEL
    assert json.loads(texts[2])["urls"] == ["https://alerts.example.com/am"]
    assert json.loads(texts[3])["user"] == "lupus"
    for name in given:
        idle.call("DELETE", f"/v1/channels/{name}", 204)


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({}, "/kind", "required"),
        ({"kind": "pager"}, "/kind", "slack"),
        ({"kind": "slack"}, "/webhook_url", "bot_token and channel"),
        ({**SLACK, "url": "https://a.example"}, "/url", "webhook_url"),
        ({**SLACK, "webhook_url": "https://u:p@hooks.slack.com/x"}, "/webhook_url", "secrets"),
        ({**BOT, "bot_token": "s3cr3t"}, "/bot_token", "xoxb"),
        ({"kind": "slack", "bot_token": TOKEN}, "/channel", "#name"),
        ({"kind": "alertmanager"}, "/url", "urls"),
        ({**ALERTS, "events": ["started"]}, "/events/0", "'anomaly'"),
        ({**ALERTS, "labels": {"severity": "x"}}, "/labels/severity", "alertname"),
        ({**ALERTS, "labels": {"team": 1}}, "/labels/team", "string"),
        ({**ALERTS, "hold": "long"}, "/hold", "7d"),
        ({**ALERTS, "bearer_token": "a\nb"}, "/bearer_token", "pattern"),
        ({**ALERTS, "user": "a:b", "password": "p"}, "/user", "pattern"),
        ({**ALERTS, "tokn": "x"}, "/tokn", "bearer_token"),
    ],
)
def test_what_is_wrong_is_named(
    idle: House, body: dict[str, Any], pointer: str, words: str
) -> None:
    problem = idle.call("PUT", "/v1/channels/k-wrong", 422, json=body)
    assert problem["errors"][0]["pointer"] == pointer
    assert words in problem["errors"][0]["detail"]
    assert "s3cr3t" not in json.dumps(problem)
    idle.call("GET", "/v1/channels/k-wrong", 404)


def test_a_channel_keeps_its_kind_until_it_is_deleted(idle: House) -> None:
    idle.call("PUT", "/v1/channels/k-kind", 201, json=SLACK)
    problem = idle.call("PUT", "/v1/channels/k-kind", 409, json=ALERTS)
    assert "is a slack: delete it first" in problem["detail"]
    idle.call("DELETE", "/v1/channels/k-kind", 204)
    idle.call("PUT", "/v1/channels/k-kind", 201, json=ALERTS)


def test_a_webhook_of_the_version_before_is_read_and_kept(idle: House) -> None:
    secret = new_secret()
    stored = {"current": secret, "previous": None, "previous_until_ms": 0}
    old = Channel(
        name="k-old",
        kind="webhook",
        body={"url": "https://example.com/hook"},
        secret=idle.resources.box.lock(json.dumps(stored)),
        events=["anomaly"],
        created_ms=FIRST_MS,
        updated_ms=FIRST_MS,
    )
    with idle.resources.database.write() as tx:
        put_channel(tx, old)
    shown = idle.call("GET", "/v1/channels/k-old")
    assert (shown["url"], shown["secret"]) == ("https://example.com/...", "whsec_...")
    body = {"kind": "webhook", "url": "https://example.com/hook"}
    assert idle.call("PUT", "/v1/channels/k-old", json=body)["new_secret"] is None


@pytest.fixture
def fake(settings: Settings) -> Iterator[tuple[House, FakeSlack]]:
    times = iter(range(0, 10**9, 5000))
    with (
        slack(lambda: next(times)) as fake,
        open_app(settings.model_copy(update={"slack_api": fake.api})) as app,
    ):
        yield House(app), fake


def test_each_kind_is_tried_with_a_message_that_says_so(fake: tuple[House, FakeSlack]) -> None:
    house, server = fake
    house.call("PUT", "/v1/channels/bot", 201, json=BOT)
    house.call("PUT", "/v1/channels/hook", 201, json={**SLACK, "webhook_url": server.hook})
    for name in ("bot", "hook"):
        previewed = house.call("POST", f"/v1/channels/{name}/test?preview=true")
        assert previewed["verdict"] == "preview"
        assert "s3cr3t" not in json.dumps(previewed)
        assert TOKEN not in json.dumps(previewed)
        assert server.posted == []
        told = house.call("POST", f"/v1/channels/{name}/test")
        assert (told["verdict"], told["error"]) == ("sent", "")
        posted = server.posted.pop()
        blocks = previewed["requests"][0]["body"]["blocks"]
        assert posted.content["blocks"] == blocks, "the preview is what is sent"
        assert "This is a test of the channel" in posted.text
        assert "<@" not in posted.text
    with receiving() as manager:
        url = manager.url.removesuffix("/hook")
        house.call("PUT", "/v1/channels/am", 201, json={**ALERTS, "url": url})
        assert house.call("POST", "/v1/channels/am/test")["verdict"] == "sent"
    assert {one["annotations"]["summary"] for one in json.loads(manager.got[0].body)}


def test_a_test_says_what_slack_does_not_like(fake: tuple[House, FakeSlack]) -> None:
    house, _ = fake
    house.call("PUT", "/v1/channels/bot", 201, json={**BOT, "channel": "#nowhere"})
    told = house.call("POST", "/v1/channels/bot/test")
    assert told["verdict"] == "gone"
    assert "invite it" in told["error"]
    assert house.call("GET", "/v1/channels/bot")["disabled_reason"] == "", "a test changes nothing"


def dead(house: House, id_: str, source: str, channel: str, state: str = "dead") -> None:
    made = Delivery(
        id=id_,
        run=f"run {id_}",
        source=source,
        channel=channel,
        event="anomaly",
        counter=1,
        body="{}",
        state=state,
        created_ms=FIRST_MS,
        attempts=13,
        error="given up",
    )
    with house.resources.database.write() as tx:
        insert_delivery(tx, made)


def test_all_that_was_given_up_is_sent_again_in_one_call(settings: Settings) -> None:
    with open_app(settings) as app:
        house = House(app)
        for source in ("re.seen", "re.hidden"):
            house.source(source)
        for number in range(450):
            dead(house, f"msg_{number}", "re.seen", "one")
        dead(house, "msg_other", "re.seen", "two")
        dead(house, "msg_hidden", "re.hidden", "one")
        dead(house, "msg_held", "re.seen", "one", "held")
        mine = house.client(house.token(["re.seen"], ["manage"]))
        answer = mine.post("/v1/deliveries/replay", json={"channel": "one"})
        assert (answer.status_code, answer.json()) == (202, {"replayed": 450})
        assert mine.post("/v1/deliveries/replay", json={"channel": "one"}).json()["replayed"] == 0
        held = mine.post("/v1/deliveries/replay", json={"state": "held", "source": "re.seen"})
        assert held.json()["replayed"] == 1
        assert mine.post("/v1/deliveries/replay", json={"source": "re.hidden"}).status_code == 404
        assert mine.post("/v1/deliveries/replay", json={"state": "sent"}).status_code == 422
        with house.resources.database.read() as tx:
            states = [get_delivery(tx, f"msg_{one}") for one in ("7", "other", "hidden", "held")]
        assert [one.state if one else "" for one in states] == [
            "pending",
            "dead",
            "dead",
            "pending",
        ]
