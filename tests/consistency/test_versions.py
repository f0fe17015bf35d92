"""Points over points: the newer ingest wins, whatever the clock and the retries do."""

from dataclasses import dataclass, replace
from typing import Any

from service.clock import HOUR_MS, SECOND_MS
from storage.archive import Archive
from storage.errors import UnreachableError
from storage.selector import Selector
from storage.source import SourceSpec
from tests.service.api.house import FIRST_MS, House, daily
from tests.service.clocks import TurnedClock
from tests.service.world import World


def values(house: House, source: str) -> list[float | None]:
    query = {"source": source, "metric": "*", "start": "2026-06-01", "end": "2026-07-01"}
    (chart,) = house.call("GET", "/v1/points", params=query)["items"]
    return [float(v) if v is not None else None for v in chart["values"]]


def stored(house: House, source: str) -> list[float | None]:
    """What a detection would read."""
    asked = Selector(("*",), FIRST_MS, FIRST_MS + 30 * 24 * HOUR_MS)
    scan = house.resources.stores.archive.scan(SourceSpec(source), asked)
    return [value for batch in scan.batches for value in batch.column("value").to_pylist()]


def test_the_last_ingest_wins_though_the_clock_stepped_back(
    turned: House, clock: TurnedClock
) -> None:
    source = turned.source("ver.back")
    turned.send(source, daily([1.0, 1.0]))
    clock.step(-3 * HOUR_MS)
    turned.send(source, daily([2.0]))
    clock.step(-3 * HOUR_MS)
    turned.send(source, daily([3.0]))
    assert values(turned, source) == stored(turned, source) == [3.0, 1.0]


def test_null_removes_a_point_and_a_newer_value_brings_it_back(turned: House) -> None:
    source = turned.source("ver.null")
    turned.send(source, daily([1.0, 2.0]))
    gone = daily([0.0])
    gone[0]["value"] = None
    turned.send(source, gone)
    assert stored(turned, source) == [None, 2.0]
    turned.send(source, daily([4.0]))
    assert values(turned, source) == stored(turned, source) == [4.0, 2.0]


@dataclass
class LostAnswer:
    """An archive that keeps the points, and whose first answer never comes."""

    archive: Archive
    asked: int = 0

    def write_points(self, *given: Any) -> int:
        written = self.archive.write_points(*given)
        self.asked += 1
        if self.asked == 1:
            raise UnreachableError("archive: the connection was lost")
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self.archive, name)


def test_a_retried_ingest_keeps_its_sequence(world: World) -> None:
    accepted = world.accept_points()
    lossy: Any = LostAnswer(world.parts.stores.archive)
    world.parts = replace(world.parts, stores=replace(world.parts.stores, archive=lossy))
    world.settle("ingest", seconds=60, ticks=3)
    found = world.ingest(accepted)
    assert (found.state, found.sequence, lossy.asked) == ("succeeded", accepted.sequence, 2)
    (entry,) = world.parts.stores.index.series("shop").items
    (day,) = world.parts.stores.index.points("shop", [entry.series], 0, 2 * world.clock.now_ms())
    assert day.sequence == accepted.sequence
    assert world.clock.now_ms() > accepted.accepted_ms + SECOND_MS
