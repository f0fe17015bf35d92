"""Runs that tell something, in a worker's world."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from service.clock import DAY_MS, SECOND_MS
from service.database.deliveries import Delivery
from storage.series_key import SeriesKey, anomaly_id
from tests.service.clocks import NOON
from tests.service.world import World
from workflows.report import Change

TODAY = NOON // DAY_MS * DAY_MS
NOTIFY = {"channels": ["chat"], "max_age": "7d"}


def change(region: str = "jp", days_ago: int = 1, **changes: Any) -> Change:
    """An anomalous point of the source shop, and the first of its episode."""
    ts_ms = TODAY - days_ago * DAY_MS
    key = SeriesKey.of("shop", "ndcg", {"region": region})
    plain = Change(
        kind="new",
        anomaly=anomaly_id("shop", "daily", key.id, ts_ms),
        transition=1,
        cause=None,
        series=key.id,
        metric="ndcg",
        labels={"region": region},
        ts_ms=ts_ms,
        value=0.2,
        expected=0.4,
        lower=0.35,
        upper=0.45,
        score=4.0,
        severity="major",
        direction="down",
        reason="ok",
        episode_start_ms=ts_ms,
    )
    return replace(plain, **changes)


def withdrawn(before: Change) -> Change:
    """The same point, normal after its data changed."""
    return replace(
        before, kind="withdrawn", cause="data", value=0.39, transition=before.transition + 1
    )


def tell(
    world: World, changes: Sequence[Change] = (), on: Sequence[str] = ("anomaly", "withdrawn")
) -> list[Delivery]:
    """Let a run end with these changes; what it queued."""
    world.launcher.changes = list(changes)
    run = world.accept(rule="daily", notify={**NOTIFY, "on": list(on)})
    while not world.run(run).ended:
        assert world.tick("run")
        world.clock.advance(SECOND_MS)
    return world.deliveries(run=run.id)
