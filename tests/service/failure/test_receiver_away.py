"""A receiver that is away for hours: everything arrives once it is back, nothing is given up."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.clock import MINUTE_MS
from tests.service.databases import KINDS
from tests.service.receiver import Receiver, receiving
from tests.service.world import World, world

RUNS = 6


@pytest.fixture(params=KINDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, request.param) as made:
        yield made


def nobody() -> str:
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/hook"


@contextmanager
def back(house: World) -> Iterator[Receiver]:
    """The receiver listens again, at an address that the channel is given."""
    with receiving() as receiver:
        house.webhook(receiver.url)
        yield receiver


def run_all(house: World) -> None:
    for number in range(RUNS):
        house.accept(rule=f"rule-{number % 2}", notify={"channels": ["chat"], "on": ["succeeded"]})
        house.settle(seconds=1)


def work(house: World, hours: int) -> int:
    """Let time pass a quarter at a time; returns how many tries there were."""
    tries = 0
    for _ in range(hours * 4):
        while house.tick("delivery"):
            tries += 1
        house.clock.advance(15 * MINUTE_MS)
    return tries


def test_what_was_said_meanwhile_arrives_when_it_is_back(house: World) -> None:
    house.webhook(nobody())
    run_all(house)
    work(house, hours=30)
    waiting = house.deliveries()
    assert {one.state for one in waiting} == {"pending"}
    assert all(3 < one.attempts <= 10 for one in waiting), "rarer and rarer"
    assert all(one.error for one in waiting)
    with back(house) as receiver:
        work(house, hours=20)
        assert {one.state for one in house.deliveries()} == {"sent"}
        queued = {one.id: one.body.encode() for one in house.deliveries()}
        assert {got.id: got.body for got in receiver.got} == queued
        assert len(receiver.got) == RUNS


def test_it_is_asked_no_more_often_than_it_wants(house: World) -> None:
    with receiving() as receiver:
        house.webhook(receiver.url)
        receiver.answers = [(503, {"Retry-After": str(6 * 3600)})]
        run_all(house)
        work(house, hours=5)
        assert len(receiver.got) == 1, "the circuit holds the other messages back, too"
        work(house, hours=6)
        assert {one.state for one in house.deliveries()} == {"sent"}
        assert len(receiver.got) == RUNS + 1


def test_a_disabled_channel_holds_and_releases(house: World) -> None:
    with receiving() as receiver:
        house.webhook(receiver.url)
        receiver.answers = [(410, {})]
        run_all(house)
        work(house, hours=2)
        states = sorted(one.state for one in house.deliveries())
        assert states == ["dead"] + ["held"] * (RUNS - 1)
        assert len(receiver.got) == 1
    with back(house) as receiver:
        work(house, hours=2)
        assert sorted(one.state for one in house.deliveries()) == ["dead"] + ["sent"] * (RUNS - 1)
        assert len(receiver.got) == RUNS - 1
