"""When messages may go: rest after failures, and turns at a paced endpoint."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, update

from service.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from service.database import tables
from service.database.deliveries import Delivery, DeliveryFilter, insert_delivery
from service.database.endpoints import Endpoint, forget_endpoints, get_endpoint
from service.database.engine import Database
from service.notifications.kinds.catalog import kinds_of
from service.notifications.kinds.kind import Given
from service.notifications.replay import replay_all
from service.notifications.turns import (
    LONGEST_REST_MS,
    PROBE_MS,
    after_failure,
    after_success,
    is_free,
    take_turn,
)
from tests.service.clocks import NOON
from tests.service.databases import KINDS
from tests.service.receiver import receiving
from tests.service.slack_server import slack
from tests.service.world import World
from tests.service.world import world as open_world

NEW = Endpoint("e")


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, request.param) as world:
        yield world


def rest_ms(endpoint: Endpoint, now_ms: int) -> int:
    return (endpoint.failing_until_ms or now_ms) - now_ms


def test_rest_doubles_up_to_ten_minutes_and_ends_with_success() -> None:
    endpoint, rests = NEW, []
    for _ in range(12):
        endpoint = after_failure(endpoint, endpoint.failures, 0, NOON)
        rests.append(rest_ms(endpoint, NOON))
    for number, rest in enumerate(rests):
        least = min(5 * SECOND_MS * 2**number, LONGEST_REST_MS)
        assert least <= rest <= least * 1.2
    well = after_success(endpoint)
    assert is_free(well, 0)
    assert rest_ms(after_failure(well, 0, 0, NOON), NOON) <= 6 * SECOND_MS


def test_of_several_that_fail_together_one_counts() -> None:
    endpoint = NEW
    for _ in range(20):
        endpoint = after_failure(endpoint, NEW.failures, 0, NOON)
    assert endpoint.failures == 1
    assert rest_ms(endpoint, NOON) <= 6 * SECOND_MS
    asked = after_failure(endpoint, NEW.failures, HOUR_MS, NOON)
    assert rest_ms(asked, NOON) == HOUR_MS, "what it asks for counts always"


def test_after_the_rest_one_tries_and_the_others_wait_a_little() -> None:
    endpoint = after_failure(NEW, 0, MINUTE_MS, NOON)
    resting = take_turn(endpoint, 0, None, NOON + MINUTE_MS - 1)
    assert (resting.wait_ms, resting.resting) == (1, True)
    first = take_turn(endpoint, 0, None, NOON + MINUTE_MS)
    assert first.wait_ms == 0
    second = take_turn(first.endpoint, 0, None, NOON + MINUTE_MS)
    assert PROBE_MS <= second.wait_ms <= PROBE_MS * 1.2


def test_a_clock_that_steps_back_prolongs_nothing() -> None:
    endpoint = after_failure(NEW, 0, DAY_MS, NOON)
    assert take_turn(endpoint, 0, None, NOON - HOUR_MS).wait_ms == 0
    busy = NEW
    for _ in range(100):
        busy = take_turn(busy, SECOND_MS, None, NOON).endpoint
    turn = take_turn(busy, SECOND_MS, NOON + 50 * SECOND_MS, NOON - HOUR_MS)
    assert turn.wait_ms == 0
    other = take_turn(turn.endpoint, SECOND_MS, NOON + 51 * SECOND_MS, NOON - HOUR_MS)
    assert other.wait_ms <= SECOND_MS


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 40),
    late_ms=st.sampled_from([0, 10, 400, 3000]),
    fails=st.sampled_from([0.0, 0.2]),
)
def test_turns_are_a_pace_apart_and_come_to_everybody(
    seed: int, count: int, late_ms: int, fails: float
) -> None:
    """Workers come late by chance; now and then the endpoint fails."""
    chance, pace_ms, now_ms = random.Random(seed), SECOND_MS, NOON
    endpoint, went = NEW, []
    due = dict.fromkeys(range(count), (now_ms, None))
    while due:
        number, (at_ms, slot_ms) = min(due.items(), key=lambda one: one[1][0])
        now_ms = max(now_ms, at_ms + chance.randint(0, late_ms))
        turn = take_turn(endpoint, pace_ms, slot_ms, now_ms)
        endpoint = turn.endpoint
        if turn.wait_ms:
            due[number] = (now_ms + turn.wait_ms, turn.slot_ms)  # type: ignore[assignment]
            continue
        went.append(now_ms)
        if chance.random() < fails and len(went) < 3 * count:
            endpoint = after_failure(endpoint, endpoint.failures, 0, now_ms)
            due[number] = (now_ms + 5 * SECOND_MS, None)
        else:
            endpoint = after_success(endpoint)
            del due[number]
    assert all(later - earlier >= pace_ms for earlier, later in pairwise(went))
    if fails == 0:
        assert went[-1] - NOON <= count * (pace_ms + late_ms), "and nobody waits for nothing"


def test_two_workers_keep_one_message_a_second(world: World) -> None:
    """Time passes only when both are idle, so the order is measured and not the machine."""
    with slack(world.clock.now_ms) as fake, ThreadPoolExecutor(2) as threads:
        world.parts = replace(world.parts, kinds=kinds_of(fake.api))
        for name in ("a", "b", "c"):
            world.put_channel("slack", Given({}, {"webhook_url": fake.hook}), name)
        for number in range(4):
            notify = {"channels": ["a", "b", "c"], "on": ["succeeded"]}
            run = world.accept(rule=f"r{number}", notify=notify)
            while not world.run(run).ended:
                assert world.tick("run")
                world.clock.advance(SECOND_MS)
        workers = [replace(world), replace(world)]
        workers[1].name = "w2"
        for _ in range(80):
            list(threads.map(_work, workers))
            world.clock.advance(250)
    at_ms = [one.at_ms for one in fake.posted]
    assert len(at_ms) == 12
    assert fake.refused == []
    assert len({(one.state, one.attempts) for one in world.deliveries()}) == 1


def _work(world: World) -> None:
    while world.tick("delivery"):
        pass


def test_channels_of_one_receiver_rest_together_and_others_do_not(world: World) -> None:
    with receiving() as broken, receiving() as well:
        broken.answers = [(503, {})] * 100
        world.webhook(broken.url, "a")
        world.webhook(broken.url, "b")
        world.webhook(well.url, "c")
        for number in range(5):
            notify = {"channels": ["a", "b", "c"], "on": ["succeeded"]}
            run = world.accept(rule=f"r{number}", notify=notify)
            while not world.run(run).ended:
                assert world.tick("run")
                world.clock.advance(SECOND_MS)
        while world.tick("delivery"):
            pass
        assert len(broken.got) == 1, "nine of ten wait for the one that failed"
        assert len(well.got) == 5
        world.settle("delivery", seconds=1, ticks=60)
        assert len(broken.got) <= 6, "one after 5, 10, 20, ... seconds, not ten each second"
        broken.answers = []
        world.settle("delivery", seconds=10, ticks=30)
        assert {one.state for one in world.deliveries()} == {"sent"}


def test_a_message_that_is_not_liked_keeps_no_other_waiting(world: World) -> None:
    with receiving() as receiver:
        receiver.answers = [(422, {})]
        world.webhook(receiver.url)
        for number in range(2):
            run = world.accept(
                rule=f"r{number}", notify={"channels": ["chat"], "on": ["succeeded"]}
            )
            while not world.run(run).ended:
                assert world.tick("run")
                world.clock.advance(SECOND_MS)
        while world.tick("delivery"):
            pass
        assert sorted(one.state for one in world.deliveries()) == ["pending", "sent"]


class WithBusyWorker:
    """A database whose worker gives everything up again at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.writes = 0

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self.writes += 1
        assert self.writes < 10, "it does not end"
        with self._database.write() as tx:
            yield tx
            tx.execute(update(tables.deliveries).values(state="dead"))


def test_sending_all_again_ends_although_they_fail_at_once(world: World) -> None:
    with world.database.write() as tx:
        for number in range(450):
            made = Delivery(
                id=f"msg_{number}",
                run=str(number),
                source="shop",
                channel="chat",
                event="anomaly",
                counter=1,
                body="{}",
                state="dead",
                created_ms=NOON,
            )
            insert_delivery(tx, made)
    busy = WithBusyWorker(world.database)
    which = DeliveryFilter(state="dead", channel="chat")
    assert replay_all(busy, which, NOON, "ann") == 450  # type: ignore[arg-type]


def test_a_channel_that_is_put_again_is_tried_at_once(world: World) -> None:
    with receiving() as broken:
        world.webhook(broken.url)
        broken.answers = [(503, {"retry-after": "80000"})]
        run = world.accept(notify={"channels": ["chat"], "on": ["succeeded"]})
        while not world.run(run).ended:
            assert world.tick("run")
            world.clock.advance(SECOND_MS)
        world.settle("delivery")
        assert len(broken.got) == 1
        world.webhook(broken.url)
        assert world.tick("delivery")
    assert len(broken.got) == 2


def test_endpoints_that_nobody_uses_are_forgotten(world: World) -> None:
    with receiving() as broken:
        broken.answers = [(503, {})]
        world.webhook(broken.url)
        run = world.accept(notify={"channels": ["chat"], "on": ["succeeded"]})
        while not world.run(run).ended:
            assert world.tick("run")
            world.clock.advance(SECOND_MS)
        world.settle("delivery", seconds=10, ticks=5)
    with world.database.write() as tx:
        assert forget_endpoints(tx, world.clock.now_ms() - HOUR_MS) == 0
        assert forget_endpoints(tx, world.clock.now_ms() + 1) == 1
        assert get_endpoint(tx, "e") == NEW
