"""Slack over real HTTP, held to its limits: what is posted, where, how fast, and what fails."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from service.clock import DAY_MS, MINUTE_MS, SECOND_MS
from service.errors import RequestError
from service.notifications.kinds.catalog import kinds_of
from service.notifications.kinds.kind import Given, Kept
from service.notifications.kinds.slack import SlackKind
from service.notifications.replay import replay_delivery
from tests.service.channels.telling import change, tell, withdrawn
from tests.service.databases import KINDS
from tests.service.slack_server import CHANNEL, TOKEN, FakeSlack, slack
from tests.service.world import World
from tests.service.world import world as open_world

BOT = Given({"channel": CHANNEL}, {"bot_token": TOKEN})


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, request.param) as world:
        yield world


@pytest.fixture
def fake(world: World) -> Iterator[FakeSlack]:
    with slack(world.clock.now_ms) as fake:
        world.parts = replace(world.parts, kinds=kinds_of(fake.api))
        yield fake


def hook(fake: FakeSlack) -> Given:
    return Given({}, {"webhook_url": fake.hook})


def test_a_webhook_says_what_is_wrong_in_words(world: World, fake: FakeSlack) -> None:
    world.put_channel("slack", hook(fake))
    (queued,) = tell(world, [change()])
    world.settle("delivery")
    (posted,) = fake.posted
    row = json.loads(queued.body)["data"]["rows"][0]
    assert "Major" in posted.text
    assert "region jp" in posted.text
    for said in ("value_text", "expected_text", "change_text"):
        assert row[said] in posted.text
    assert posted.content["text"].startswith("Major: ")
    assert "<https://lupus.example/v1/detections/" in posted.text
    assert world.delivery(queued.id).state == "sent"


def test_what_follows_is_put_below_what_was_said(world: World, fake: FakeSlack) -> None:
    world.put_channel("slack", BOT)
    first = change(days_ago=2)
    worse = change(days_ago=1, severity="critical", episode_start_ms=first.ts_ms)
    tell(world, [first])
    world.settle("delivery")
    tell(world, [worse])
    world.settle("delivery")
    tell(world, [withdrawn(first), withdrawn(worse)])
    world.settle("delivery")
    began, grew, over = fake.posted
    assert "thread_ts" not in began.content
    assert (grew.content["thread_ts"], grew.content["reply_broadcast"]) == (began.ts, True)
    assert over.content["thread_ts"] == began.ts, "of a reply the thread is its parent's"
    assert "reply_broadcast" not in over.content
    receipts = [one.receipt for one in world.deliveries() if one.event == "anomaly"]
    assert {"ts": began.ts, "to": CHANNEL, "thread": None} in receipts


def test_a_message_with_something_new_is_for_everybody(world: World, fake: FakeSlack) -> None:
    world.put_channel("slack", BOT)
    first = change(days_ago=2)
    tell(world, [first])
    world.settle("delivery")
    worse = change(days_ago=1, severity="critical", episode_start_ms=first.ts_ms)
    tell(world, [worse, change("tw")])
    world.settle("delivery")
    assert "thread_ts" not in fake.posted[1].content
    tell(world, [withdrawn(change("tw"))])
    world.settle("delivery")
    assert fake.posted[2].content["thread_ts"] == fake.posted[1].ts


def test_what_began_a_thread_is_sent_again_outside_of_it(world: World, fake: FakeSlack) -> None:
    world.put_channel("slack", BOT)
    (first,) = tell(world, [change()])
    world.settle("delivery")
    tell(world, [withdrawn(change())])
    world.settle("delivery")
    with world.database.write() as tx:
        replay_delivery(tx, first.id, world.clock.now_ms())
    world.settle("delivery")
    assert fake.posted[2].raw == fake.posted[0].raw


def test_a_lost_thread_does_not_lose_the_message(world: World, fake: FakeSlack) -> None:
    world.put_channel("slack", BOT)
    tell(world, [change()])
    world.settle("delivery")
    (queued,) = tell(world, [withdrawn(change())])
    fake.answers = [(200, {}, '{"ok": false, "error": "thread_not_found"}')]
    world.clock.advance(2 * SECOND_MS)
    assert world.tick("delivery")
    assert world.delivery(queued.id).state == "sent"
    assert "thread_ts" not in fake.posted[1].content


def test_another_slack_channel_has_other_threads(world: World, fake: FakeSlack) -> None:
    world.put_channel("slack", BOT)
    tell(world, [change()])
    world.settle("delivery")
    world.put_channel("slack", Given({"channel": "#elsewhere"}))
    (queued,) = tell(world, [withdrawn(change())])
    world.settle("delivery")
    assert fake.refused == ["channel_not_found"], "the thread was not even tried"
    assert world.delivery(queued.id).state == "dead"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("invalid_auth", "token is not valid"),
        ("is_archived", "archived"),
        ("channel_not_found", "invite it"),
        ("missing_scope", "chat:write"),
    ],
)
def test_what_nobody_can_help_disables_the_channel(
    world: World, fake: FakeSlack, error: str, words: str
) -> None:
    world.put_channel("slack", BOT)
    (first,) = tell(world, [change()])
    fake.answers = [(200, {}, json.dumps({"ok": False, "error": error}))]
    world.settle("delivery")
    assert world.delivery(first.id).state == "dead"
    assert words in world.delivery(first.id).error
    assert words in world.channel().disabled_reason
    (second,) = tell(world, [change("tw")])
    world.settle("delivery")
    assert world.delivery(second.id).state == "held"
    world.put_channel("slack", BOT)
    world.settle("delivery")
    assert world.delivery(second.id).state == "sent"


@pytest.mark.parametrize(
    ("status", "word"),
    [(404, "no_service"), (403, "action_prohibited"), (410, "channel_is_archived")],
)
def test_a_webhook_that_is_gone_disables_the_channel(
    world: World, fake: FakeSlack, status: int, word: str
) -> None:
    world.put_channel("slack", hook(fake))
    (queued,) = tell(world, [change()])
    fake.answers = [(status, {}, word)]
    world.settle("delivery")
    assert world.delivery(queued.id).state == "dead"
    assert word in world.channel().disabled_reason


def test_a_message_that_is_refused_blocks_no_other(world: World, fake: FakeSlack) -> None:
    world.put_channel("slack", BOT)
    (first,) = tell(world, [change()])
    (second,) = tell(world, [change("tw")])
    fake.answers = [(200, {}, '{"ok": false, "error": "invalid_blocks"}')]
    world.settle("delivery")
    assert [world.delivery(one.id).state for one in (first, second)] == ["dead", "sent"]
    assert world.channel().disabled_reason == ""


def test_too_many_requests_wait_as_long_as_slack_asks(world: World, fake: FakeSlack) -> None:
    world.put_channel("slack", BOT)
    (first,) = tell(world, [change()])
    (second,) = tell(world, [change("tw")])
    said = '{"ok": false, "error": "ratelimited"}'
    fake.answers = [(429, {"retry-after": "300"}, said)]
    world.settle("delivery", seconds=10, ticks=29)
    assert fake.posted == []
    world.settle("delivery", seconds=10, ticks=20)
    assert [world.delivery(one.id).state for one in (first, second)] == ["sent", "sent"]


def test_an_answer_of_200_without_ok_is_no_success(world: World, fake: FakeSlack) -> None:
    world.put_channel("slack", BOT)
    (queued,) = tell(world, [change()])
    fake.answers = [(200, {}, "<html>a proxy's page</html>"), (200, {}, '{"ok": false}')]
    world.settle("delivery", seconds=60, ticks=5)
    sent = world.delivery(queued.id)
    assert (sent.state, sent.attempts, len(fake.posted)) == ("sent", 3, 1)


def test_an_answer_that_is_cut_off_is_a_success(world: World, fake: FakeSlack) -> None:
    world.put_channel("slack", BOT)
    (queued,) = tell(world, [change()])
    fake.answers = [(200, {}, '{"ok":true,"channel":"C0ALERTS","ts":"1.2","message":{"te')]
    world.settle("delivery")
    assert world.delivery(queued.id).state == "sent"


def test_one_message_a_second(world: World, fake: FakeSlack) -> None:
    world.put_channel("slack", hook(fake))
    world.put_channel("slack", hook(fake), "other")
    notify = {"channels": ["chat", "other"], "on": ["succeeded"]}
    for number in range(6):
        run = world.accept(rule=f"r{number}", notify=notify)
        while not world.run(run).ended:
            assert world.tick("run")
            world.clock.advance(SECOND_MS)
    world.settle("delivery", ticks=20)
    assert len(fake.posted) == 12, "two channels share the URL, and its pace"
    assert fake.refused == []


def test_secrets_stand_nowhere(
    world: World, fake: FakeSlack, caplog: pytest.LogCaptureFixture
) -> None:
    # The client's own log is quiet, see `service/logs.py`.
    caplog.set_level(logging.DEBUG, "service")
    world.put_channel("slack", hook(fake))
    world.put_channel("slack", BOT, "bot")
    fake.answers = [(500, {}, "no"), (404, {}, "no_service")]
    tell(world, [change()])
    world.settle("delivery", seconds=10)
    shown = f"{caplog.text} {world.deliveries()} {world.channel()} {world.channel('bot')}"
    assert "s3cr3t-path" not in shown
    assert TOKEN not in shown


def test_days_of_failure_end_what_waits(world: World, fake: FakeSlack) -> None:
    """Also a message that never had its try, because others were tried before it."""
    world.put_channel("slack", hook(fake))
    (first,) = tell(world, [change()])
    (second,) = tell(world, [change("tw")])
    fake.answers = [(503, {"retry-after": "86400"}, "away")] * 50
    for _ in range(6 * 12):
        world.clock.advance(120 * MINUTE_MS)
        while world.tick("delivery"):
            pass
    states = [world.delivery(one.id) for one in (first, second)]
    assert [one.state for one in states] == ["dead", "dead"]
    assert all("given up" in one.error for one in states)
    assert world.clock.now_ms() - first.created_ms > 5 * DAY_MS


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        (Given({}, {}), "/webhook_url"),
        (Given({"channel": "#a"}, {}), "/webhook_url"),
        (Given({"channel": "#a"}, {"webhook_url": "https://hooks.slack.com/x"}), "/webhook_url"),
        (Given({}, {"webhook_url": "ftp://hooks.slack.com/x"}), "/webhook_url"),
        (Given({}, {"bot_token": TOKEN}), "/channel"),
        (Given({"channel": "#a"}, {"bot_token": "s3cr3t"}), "/bot_token"),
    ],
)
def test_what_is_missing_is_named(given: Given, pointer: str) -> None:
    with pytest.raises(RequestError) as caught:
        SlackKind().keep(given, None, 0)
    assert caught.value.pointer == pointer
    assert "s3cr3t" not in str(caught.value)


def test_what_is_left_out_stays_and_the_way_can_change() -> None:
    kind = SlackKind()
    url = "https://hooks.slack.com/services/T0/B0/x"
    first = kind.keep(Given({}, {"webhook_url": url}), None, 0)
    assert first == Kept({"webhook_url": "https://hooks.slack.com/..."}, {"webhook_url": url})
    assert kind.keep(Given({}), first, 0) == first
    bot = kind.keep(BOT, first, 0)
    assert bot == Kept({"bot_token": "xoxb-...", "channel": CHANNEL}, {"bot_token": TOKEN})
    assert kind.keep(Given({"channel": "#b"}), bot, 0).settings["channel"] == "#b"
    assert kind.keep(Given({}, {"webhook_url": url}), bot, 0) == first
