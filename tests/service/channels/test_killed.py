"""A worker that dies between sending and settling: the same message once more, and no third."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from service.database.leases import release, sightings
from service.egress.egress import Egress
from service.egress.transport import open_client
from service.notifications.kinds.catalog import kinds_of
from service.notifications.kinds.kind import Given
from tests.service.channels.telling import change, tell
from tests.service.databases import KINDS
from tests.service.receiver import receiving
from tests.service.slack_server import CHANNEL, TOKEN, slack
from tests.service.world import World
from tests.service.world import world as open_world


class Killed(BaseException):
    """The process is gone: nobody catches that."""


class KilledAfterSending(httpx2.BaseTransport):
    """The receiver has the message and answers; nobody is there any more to hear it."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self._client.send(request)
        raise Killed


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, request.param) as world:
        yield world


def die_and_go_on(world: World) -> None:
    """One tick of a worker that dies, and what another one does then."""
    alive = world.parts
    with open_client(Egress(loopback=True)) as client:
        dying = httpx2.Client(transport=KilledAfterSending(client))
        world.parts = replace(alive, client=dying)
        with pytest.raises(Killed):
            world.tick("delivery")
    world.parts = alive
    world.clock.advance(60_000)
    with world.database.write() as tx:
        for seen in sightings(tx):
            assert release(tx, seen, world.clock.now_ms())
    world.settle("delivery", ticks=5)


def test_slack_gets_the_same_twice_at_most(world: World) -> None:
    with slack(world.clock.now_ms) as fake:
        world.parts = replace(world.parts, kinds=kinds_of(fake.api))
        world.put_channel("slack", Given({"channel": CHANNEL}, {"bot_token": TOKEN}))
        (queued,) = tell(world, [change()])
        die_and_go_on(world)
    first, second = fake.posted
    assert first.raw == second.raw, "also its id, in the metadata"
    assert first.content["metadata"]["event_payload"]["id"] == queued.id
    sent = world.delivery(queued.id)
    assert (sent.state, sent.attempts) == ("sent", 1)
    assert sent.receipt is not None
    assert sent.receipt["ts"] == second.ts


def test_a_webhook_and_an_alertmanager_get_the_same_twice_at_most(world: World) -> None:
    with receiving() as hook, receiving() as manager:
        world.webhook(hook.url)
        world.put_channel(
            "alertmanager", Given({"url": manager.url.removesuffix("/hook")}), "alerts"
        )
        world.launcher.changes = [change()]
        notify = {"channels": ["chat", "alerts"], "on": ["anomaly"], "max_age": "7d"}
        run = world.accept(rule="daily", notify=notify)
        while not world.run(run).ended:
            assert world.tick("run")
            world.clock.advance(1000)
        die_and_go_on(world)
        bodies = [{one.body for one in got.got} for got in (hook, manager)]
    assert len(hook.got) + len(manager.got) == 3
    assert len({one.id for one in hook.got}) == 1
    assert len(bodies[0]) == 1
    assert {one.state for one in world.deliveries()} == {"sent"}
