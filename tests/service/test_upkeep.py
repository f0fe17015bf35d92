"""Archive and index are kept small by themselves, also after a restart."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.clock import DAY_MS, MINUTE_MS
from service.worker.settings import WorkerSettings
from service.worker.upkeep import queue_expiry
from storage.index import AnomalyQuery, Index
from tests.service.databases import KINDS
from tests.service.world import World
from tests.service.world import world as open_world
from tests.storage.documents import anomaly, new


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, request.param) as world:
        yield world


class Counting:
    """An archive that notes what it is to fold."""

    def __init__(self) -> None:
        self.folded: list[str] = []

    def compact(self, source: str) -> int:
        self.folded.append(source)
        return 1


def with_archive(world: World) -> Counting:
    archive: Any = Counting()
    world.parts = replace(world.parts, stores=replace(world.parts.stores, archive=archive))
    counting: Counting = archive
    return counting


def test_results_are_folded_once_some_time_after_the_runs_that_wrote_them(world: World) -> None:
    archive = with_archive(world)
    for rule in ("one", "two"):
        world.accept(rule=rule)
    world.settle()
    assert world.tick("compact") is None, "not yet"
    world.clock.advance(10 * MINUTE_MS)
    assert world.tick("compact") == "compact:shop"
    assert world.tick("compact") is None, "one fold serves both"
    assert archive.folded == ["shop"]
    world.accept(rule="one")
    world.settle()
    world.clock.advance(10 * MINUTE_MS)
    assert world.tick("compact") == "compact:shop"


def test_a_run_that_stores_nothing_leaves_nothing_to_fold(world: World) -> None:
    archive = with_archive(world)
    world.accept(rule=None, store=False)
    world.settle()
    world.clock.advance(DAY_MS)
    assert world.tick("compact") is None
    assert archive.folded == []


def months_kept(world: World, months: int) -> list[int]:
    """Times of the anomalies that are left, after every worker of the house has started."""
    index: Index = world.parts.stores.index
    pace = WorkerSettings(retention_index_months=months)
    world.parts = replace(world.parts, settings=pace)
    with world.database.write() as tx:
        queue_expiry(tx, world.clock.now_ms())
        queue_expiry(tx, world.clock.now_ms())
    assert world.tick("expire") == "expire-index"
    assert world.tick("expire") is None, "once a day for all"
    return sorted(found.ts_ms for found in index.search_anomalies(AnomalyQuery(), 10).items)


def test_old_months_of_the_index_go_by_themselves_if_that_is_wanted(world: World) -> None:
    now_ms = world.clock.now_ms()
    old_ms, older_ms = now_ms - 60 * DAY_MS, now_ms - 400 * DAY_MS
    times = [now_ms, old_ms, older_ms]
    world.parts.stores.index.write_anomalies([new(anomaly(time_ms)) for time_ms in times])
    assert months_kept(world, 0) == sorted(times)
    world.clock.advance(DAY_MS)
    assert months_kept(world, 12) == [old_ms, now_ms]
    world.clock.advance(DAY_MS)
    assert months_kept(world, 1) == [now_ms]
