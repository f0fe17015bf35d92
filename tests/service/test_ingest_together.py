"""Small ingests that wait behind one another are done together, each still by itself."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from service.accept_ingest import accept_ingest, new_payload
from service.database import tables
from service.database.ingests import Ingest
from service.errors import LeaseLostError
from service.ingest_now import ingest_now
from service.settings import MIB
from service.worker import ingest_tick
from storage.archive import Archive
from storage.errors import InvalidError, UnreachableError
from storage.selector import Selector
from storage.series_key import SeriesKey
from storage.source import SourceSpec
from tests.service.databases import KINDS
from tests.service.world import World
from tests.service.world import world as open_world
from workflows.settings import WorkflowSettings

Points = Mapping[str, float | str | None]  # value by day


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, request.param) as world:
        yield world


def accept(world: World, points: Points, text_bytes: int = 0) -> Ingest:
    rows = [
        {"metric": "ndcg", "time": f"2025-11-{day}", "value": value}
        for day, value in points.items()
    ]
    now_ms = world.clock.now_ms()
    payload = replace(new_payload(now_ms, "json"), text_bytes=text_bytes)
    world.parts.stores.objects.put(payload.name, json.dumps({"points": rows}).encode())
    return accept_ingest(world.database, "shop", payload, "ann", now_ms).ingest


def states(world: World, ingests: list[Ingest]) -> list[str]:
    return [world.ingest(one).state for one in ingests]


def stored(world: World) -> list[tuple[int, float | None]]:
    scan = world.parts.stores.archive.scan(SourceSpec("shop"), Selector(("*",), 0, 2**50))
    return [(row["ts"], row["value"]) for batch in scan.batches for row in batch.to_pylist()]


def shown(world: World) -> list[tuple[int, float | None]]:
    series = SeriesKey.of("shop", "ndcg").id
    days = world.parts.stores.index.points("shop", [series], 0, 2**50)
    return [pair for day in days for pair in zip(day.ts_ms, day.values, strict=True)]


def files(tmp_path: Path) -> int:
    return len(list((tmp_path / "archive").rglob("*.parquet")))


def test_all_that_wait_are_one_file_and_the_last_wins(world: World, tmp_path: Path) -> None:
    every = [accept(world, {"01": float(n)}) for n in range(5)]
    other = accept(world, {"02": 7.0, "01": None})
    last = accept(world, {"01": 9.0})
    assert world.tick("ingest") == f"ingest:{every[0].id}"
    assert set(states(world, [*every, other, last])) == {"succeeded"}
    assert [world.ingest(one).points for one in (every[0], other)] == [1, 2]
    assert [value for _, value in stored(world)] == [9.0, 7.0]
    assert shown(world) == stored(world)
    assert files(tmp_path) == 2  # one for each day
    assert world.tick("ingest") is None


def test_rows_at_fault_refuse_their_own_ingest_alone(world: World) -> None:
    given: list[Points] = [{"01": 1.0}, {"02": 2.0, "03": "high"}, {}, {"04": 4.0}]
    fine, bad, empty, late = (accept(world, points) for points in given)
    world.tick("ingest")
    assert states(world, [fine, bad, empty, late]) == [
        "succeeded", "failed", "succeeded", "succeeded",
    ]  # fmt: skip
    assert world.ingest(bad).errors[0]["row"] == 2
    assert [value for _, value in stored(world)] == [1.0, 4.0]


def test_who_waits_for_an_answer_does_what_waits_behind_too(world: World) -> None:
    first, second, third = (accept(world, {"01": float(n)}) for n in range(3))
    steps = WorkflowSettings()
    done = ingest_now(world.database, world.parts.stores, steps, first.id, world.clock)
    assert done.state == "succeeded"
    assert states(world, [second, third]) == ["succeeded", "succeeded"]


def test_one_that_somebody_may_have_died_over_is_done_alone(world: World) -> None:
    every = [accept(world, {"01": float(n)}) for n in range(5)]
    with world.database.write() as tx:
        died = tables.jobs.c.dedupe_key == f"ingest:{every[2].id}"
        tx.execute(update(tables.jobs).where(died).values(attempts=1))
    seen = []
    while world.tick("ingest"):
        seen.append(states(world, every).count("succeeded"))
    assert seen == [2, 3, 5]


def test_they_are_no_more_than_so_many_bytes(world: World) -> None:
    every = [accept(world, {"01": float(n)}, 6 * MIB) for n in range(5)]
    seen = []
    while world.tick("ingest"):
        seen.append(states(world, every).count("succeeded"))
    assert seen == [2, 4, 5]


@dataclass
class Odd:
    """An archive that does something before it writes."""

    archive: Archive
    before: Callable[[int], None]

    def write_points(self, source: str, job: str, points: Any) -> int:
        self.before(points.num_rows)
        return self.archive.write_points(source, job, points)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.archive, name)


def make_odd(world: World, before: Callable[[int], None]) -> None:
    archive: Any = Odd(world.parts.stores.archive, before)
    world.parts = replace(world.parts, stores=replace(world.parts.stores, archive=archive))


def test_a_store_that_is_away_puts_all_of_them_off(world: World) -> None:
    every = [accept(world, {"01": float(n)}) for n in range(3)]
    away = [True]

    def before(_: int) -> None:
        if away:
            raise UnreachableError("archive: no route to host")

    make_odd(world, before)
    world.tick("ingest")
    assert states(world, every) == ["queued"] * 3
    assert world.tick("ingest") is None
    world.clock.advance(2_000)
    away.clear()
    world.tick("ingest")
    assert states(world, every) == ["succeeded"] * 3


@pytest.mark.parametrize("error", [InvalidError("no such rows"), ValueError("a defect")])
def test_what_fails_for_good_together_is_tried_alone(world: World, error: Exception) -> None:
    every = [accept(world, {"01": float(n)}) for n in range(3)]

    def before(rows: int) -> None:
        if rows > 1:
            raise error

    make_odd(world, before)
    world.tick("ingest")
    assert states(world, every) == ["succeeded"] * 3
    assert [value for _, value in stored(world)] == [2.0]


def test_a_lost_lease_of_one_leaves_all_to_who_has_them(world: World) -> None:
    every = [accept(world, {"01": float(n)}) for n in range(3)]

    def before(_: int) -> None:
        with world.database.write() as tx:
            lost = tables.jobs.c.dedupe_key == f"ingest:{every[1].id}"
            tx.execute(update(tables.jobs).where(lost).values(owner="another"))

    make_odd(world, before)
    with pytest.raises(LeaseLostError):
        world.tick("ingest")
    assert "succeeded" not in states(world, every)


class KilledError(BaseException):
    """kill -9."""


def test_after_a_kill_in_between_nothing_is_lost_or_doubled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = [accept(world, {f"0{n + 1}": float(n), "09": float(n)}) for n in range(4)]

    def kill(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(ingest_tick, "end_ingests", kill)
        with pytest.raises(KilledError):
            world.tick("ingest")
    with world.database.write() as tx:
        tx.execute(update(tables.jobs).values(state="queued", owner=None, lease_until_ms=None))
    ticks = 0
    while world.tick("ingest"):
        ticks += 1
    assert (ticks, set(states(world, every))) == (4, {"succeeded"})
    assert [value for _, value in stored(world)] == [0.0, 1.0, 2.0, 3.0, 3.0]
    assert shown(world) == stored(world)
