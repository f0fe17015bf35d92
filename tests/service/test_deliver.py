"""Deliveries to a real receiver: retries, the dead, the gone, replay; always the same message."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from service.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from service.database.channels import delete_channel
from service.database.deliveries import Delivery
from service.errors import ConflictError, UnknownError
from service.notifications.kinds.webhook import ROTATION_MS
from service.notifications.replay import replay_delivery
from service.notifications.signing import new_secret
from service.notifications.turns import jittered
from service.secret_box import SecretBox
from service.worker.delivery_tick import RETRY_MS
from tests.service.clocks import NOON
from tests.service.databases import KINDS
from tests.service.hooks import put_webhook
from tests.service.receiver import Receiver, receiving
from tests.service.world import World
from tests.service.world import world as open_world

NOTIFY = {"channels": ["chat"], "on": ["succeeded"]}


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, request.param) as world:
        yield world


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def queue(world: World, rule: str = "daily") -> Delivery:
    """Let a run end, which says that it succeeded."""
    run = world.accept(rule=rule, notify=NOTIFY)
    while not world.run(run).ended:
        assert world.tick("run")
        world.clock.advance(SECOND_MS)
    (delivery,) = world.deliveries(run=run.id)
    return delivery


def test_a_message_is_signed_and_sent_once(world: World, receiver: Receiver) -> None:
    secret = world.webhook(receiver.url)
    queued = queue(world)
    world.settle("delivery")
    (got,) = receiver.got
    assert got.signed(secret)
    assert (got.id, got.body.decode()) == (queued.id, queued.body)
    assert got.headers["content-type"] == "application/json"
    sent = world.delivery(queued.id)
    assert (sent.state, sent.status_code, sent.attempts) == ("sent", 204, 1)
    assert got.content["type"] == "lupus.succeeded.v1"
    assert (got.content["id"], got.content["counter"]) == (queued.id, 1)
    assert queue(world).counter == 2


def test_a_failed_attempt_is_repeated_with_the_same_id_and_body(
    world: World, receiver: Receiver
) -> None:
    secret = world.webhook(receiver.url)
    queued = queue(world)
    receiver.answers = [(500, {}), (429, {}), (302, {"location": receiver.url}), (404, {})]
    world.settle("delivery", seconds=60, ticks=200)
    assert len(receiver.got) == 5
    assert {(got.id, got.body) for got in receiver.got} == {(queued.id, queued.body.encode())}
    assert all(got.signed(secret) for got in receiver.got)
    sent = world.delivery(queued.id)
    assert (sent.state, sent.attempts) == ("sent", 5)


def test_a_receiver_says_when_to_come_back(world: World, receiver: Receiver) -> None:
    world.webhook(receiver.url)
    queued = queue(world)
    receiver.answers = [(503, {"retry-after": "3600"})]
    assert world.tick("delivery")
    again = world.delivery(queued.id).next_try_ms
    assert again is not None
    assert HOUR_MS <= again - world.clock.now_ms() <= HOUR_MS * 1.21
    other = queue(world, "other")
    world.settle("delivery", seconds=60, ticks=50)
    assert len(receiver.got) == 1, "the endpoint's other messages wait too"
    world.settle("delivery", seconds=60, ticks=40)
    assert {got.id for got in receiver.got} == {queued.id, other.id}


def test_an_endpoint_that_is_gone_is_left_alone_until_it_is_put_again(
    world: World, receiver: Receiver
) -> None:
    world.webhook(receiver.url)
    first = queue(world)
    receiver.answers = [(410, {})]
    world.settle("delivery")
    assert world.delivery(first.id).state == "dead"
    assert "410" in world.channel().disabled_reason
    second = queue(world)
    world.settle("delivery")
    held = world.delivery(second.id)
    assert (held.state, held.attempts, len(receiver.got)) == ("held", 0, 1)
    assert "disabled" in held.error
    world.webhook(receiver.url)
    assert world.channel().disabled_reason == ""
    world.settle("delivery")
    assert world.delivery(second.id).state == "sent"
    assert [got.id for got in receiver.got] == [first.id, second.id]


def test_after_days_a_delivery_is_dead_and_can_be_replayed(
    world: World, receiver: Receiver
) -> None:
    world.webhook(receiver.url)
    queued = queue(world)
    receiver.answers = [(500, {})] * (len(RETRY_MS) + 1)
    began = world.clock.now_ms()
    world.settle("delivery", seconds=1800, ticks=320)
    dead = world.delivery(queued.id)
    assert (dead.state, dead.attempts) == ("dead", len(RETRY_MS) + 1)
    assert "given up: the receiver answered 500" in dead.error
    assert world.clock.now_ms() - began > 4 * DAY_MS
    with world.database.write() as tx:
        assert replay_delivery(tx, queued.id, world.clock.now_ms()).state == "pending"
        with pytest.raises(ConflictError):
            replay_delivery(tx, queued.id, world.clock.now_ms())
        with pytest.raises(UnknownError):
            replay_delivery(tx, "msg_nope", world.clock.now_ms())
    world.settle("delivery", seconds=60)
    assert world.delivery(queued.id).state == "sent"
    assert len({(got.id, got.body) for got in receiver.got}) == 1


def test_what_was_sent_can_be_sent_again(world: World, receiver: Receiver) -> None:
    world.webhook(receiver.url)
    queued = queue(world)
    world.settle("delivery")
    with world.database.write() as tx:
        replay_delivery(tx, queued.id, world.clock.now_ms())
    world.settle("delivery")
    assert [got.id for got in receiver.got] == [queued.id] * 2
    assert receiver.got[0].body == receiver.got[1].body


def test_nobody_listening_is_tried_again_and_a_refused_address_is_not(world: World) -> None:
    world.webhook("http://127.0.0.1:9/hook")
    world.webhook("http://10.1.2.3/hook", "inside")
    run = world.accept(notify={"channels": ["chat", "inside"], "on": ["succeeded"]})
    world.settle(ticks=2)
    world.tick("delivery")
    world.tick("delivery")
    states = {one.channel: one for one in world.deliveries(run=run.id)}
    assert states["chat"].state == "pending"
    assert "Connect" in states["chat"].error
    assert states["inside"].state == "dead"
    assert "not a public address" in states["inside"].error


def test_a_clock_that_steps_back_delays_no_message_for_long(
    world: World, receiver: Receiver
) -> None:
    world.webhook(receiver.url)
    queued = queue(world)
    receiver.answers = [(500, {})] * 6
    world.settle("delivery", seconds=600, ticks=6)
    assert world.delivery(queued.id).state == "pending"
    receiver.answers = []
    world.clock.step(-30 * DAY_MS)
    world.settle("delivery", seconds=60, ticks=5)
    assert world.delivery(queued.id).state == "sent"


def test_while_a_secret_is_rotated_both_sign(world: World, receiver: Receiver) -> None:
    old = world.webhook(receiver.url)
    fresh = new_secret()
    with world.database.write() as tx:
        saved = put_webhook(tx, world.parts.box, receiver.url, world.clock.now_ms(), secret=fresh)
        assert saved.secret is None
    queue(world)
    world.settle("delivery")
    assert receiver.got[0].signed(old)
    assert receiver.got[0].signed(fresh)
    world.clock.advance(ROTATION_MS)
    queue(world)
    world.settle("delivery")
    assert receiver.got[1].signed(fresh)
    assert not receiver.got[1].signed(old)


def test_secrets_stand_in_no_log_no_row_and_no_error(
    world: World, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = world.webhook(receiver.url)
    receiver.answers = [(500, {}), (410, {})]
    queue(world)
    world.settle("delivery", seconds=60)
    channel = world.channel()
    key = secret.removeprefix("whsec_")
    assert key not in caplog.text
    assert key not in str(world.deliveries())
    assert key not in str(channel)
    assert "webhook-signature" not in caplog.text


def test_a_secret_of_another_key_or_a_deleted_channel_ends_the_delivery(
    world: World, receiver: Receiver
) -> None:
    world.webhook(receiver.url)
    first, second = queue(world), queue(world)
    box = world.parts.box
    world.parts = replace(world.parts, box=SecretBox("another" * 8))
    world.tick("delivery")
    world.parts = replace(world.parts, box=box)
    with world.database.write() as tx:
        delete_channel(tx, "chat", NOON)
    world.settle("delivery")
    errors = sorted(world.delivery(one.id).error for one in (first, second))
    assert [world.delivery(one.id).state for one in (first, second)] == ["dead", "dead"]
    assert "LUPUS_SECRET_KEY" in errors[0]
    assert errors[1] == "the channel was deleted"
    assert receiver.got == []


def test_jitter_only_delays() -> None:
    waits = [jittered(10 * MINUTE_MS) for _ in range(200)]
    assert min(waits) >= 10 * MINUTE_MS
    assert max(waits) <= 12 * MINUTE_MS
    assert len(set(waits)) > 100
    assert jittered(0) == 0
