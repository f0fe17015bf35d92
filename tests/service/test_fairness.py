"""Sources take turns, whatever was asked for first."""

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from service.clock import SystemClock
from service.database.engine import Database
from service.database.queue import Leaser, NewJob, add_job, finish, lease
from service.worker.loop import Worker
from service.worker.settings import WorkerSettings
from storage.source import SourceSpec
from tests.service.clocks import NOON
from tests.service.databases import KINDS, add_source, opened
from tests.service.world import World
from tests.service.world import world as open_world

SOURCES = [f"source-{number:02}" for number in range(20)]


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        yield database


@pytest.mark.parametrize(("arrival", "each"), [("in order", 5), ("shuffled", 50)])
def test_a_thousand_detections_of_twenty_sources_are_served_in_turns(
    database: Database, arrival: str, each: int
) -> None:
    asked = [(source, number) for source in SOURCES for number in range(each)]
    if arrival == "shuffled":
        random.Random(5).shuffle(asked)
    served: list[tuple[str, str]] = []
    with database.write() as tx:
        for place, (source, number) in enumerate(asked):
            add_job(tx, NewJob(f"{source}/{number}", "run", source), NOON + place)
        source = ""
        leaser = Leaser("w", "pool")
        while job := lease(tx, leaser, ("run",), NOON + 10_000, 30_000, source, carried=False):
            source = job.source
            served.append((source, job.dedupe_key))
            finish(tx, job)
    assert [source for source, _ in served] == SOURCES * each
    for source in SOURCES:
        mine = [f"{one}/{number}" for one, number in asked if one == source]
        assert [key for one, key in served if one == source] == mine, "of one source in its order"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A worker of four slots that is awake all the time."""
    pace = WorkerSettings(poll_ms=20, look_ms=20, slots=4)
    with open_world(tmp_path, pace=pace) as world:
        world.clock.wall_ms = SystemClock().now_ms()
        world.parts = replace(world.parts, clock=SystemClock())
        yield world


def test_looks_at_what_runs_give_no_turn_away(world: World) -> None:
    """A worker looks at each run again and again; that must not let its source start the next."""
    sources, each = SOURCES[:8], 3
    names = {}
    for source in sources:
        add_source(world.database, source)
        for number in range(each):
            run = world.accept(source=SourceSpec(source, "UTC"), rule=f"rule-{number}")
            names[run.id] = source
    worker = Worker(world.parts)
    worker.start()
    try:
        give_up = time.monotonic() + 120
        while len(world.launcher.launched) < len(names):
            assert time.monotonic() < give_up, "not all of them were started"
            time.sleep(0.05)
    finally:
        worker.stop()
    started = [names[run] for run, _ in world.launcher.launched]
    assert started == sources * each
