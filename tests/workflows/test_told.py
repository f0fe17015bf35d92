"""What runs told of days, folded, is what the index made of it."""

import random

import pytest

from storage.index import PointsDay
from storage.local_time import DAY_MS
from tests.workflows.world import World, request
from workflows import told as module
from workflows.points_days import day_name, merged
from workflows.told import Telling, read_points

HOUR = DAY_MS // 24
DAY = 20_000


def test_days_folded_are_the_days_merged(world: World) -> None:
    draw = random.Random(3)
    index, context = world.stores.index, world.context()
    for generation in range(1, 15):
        start, end = sorted(draw.sample(range(49), 2))
        start_ms, end_ms = (DAY * DAY_MS + hour * HOUR for hour in (start, end))
        days = []
        for day in (DAY, DAY + 1):
            hours = range(max(day * DAY_MS, start_ms), min((day + 1) * DAY_MS, end_ms), HOUR)
            times = [ms for ms in hours if draw.random() < 0.7]
            if hours:
                values = [draw.choice([None, draw.random()]) for _ in times]
                days.append(PointsDay("s", "q", day_name(day), times, values, generation))
        asked = request(f"r{generation}", generation=generation, start_ms=start_ms, end_ms=end_ms)
        telling = Telling(context, asked)
        index.put_points(merged(index, telling.points(days), start_ms, end_ms))
        telling.flush()
    stories: dict[str, list[str]] = {}
    source = request().source.name
    for batch in world.stores.archive.documents(source, 0, 10**14):
        for row in batch.to_pylist():
            stories.setdefault(row["key"], []).append(row["document"])
    assert len(stories) == 2
    assert max(map(len, stories.values())) > 5
    folded = [read_points(stories[key]) for key in sorted(stories)]
    assert folded == list(index.points("s", ["q"], 0, 10**14))


def test_a_long_story_is_written_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DOCUMENTS_PER_PART", 10)
    telling = Telling(world.context(), request())
    days = [PointsDay("s", f"q{n:02}", day_name(DAY + n), [1], [2.0], 1) for n in range(25)]
    assert list(telling.points(days)) == days
    assert len(telling.rows) == 5, "what is over is waited with"
    telling.flush()
    source = request().source.name
    found = list(world.stores.archive.documents(source, 0, 10**14))
    rows = [row for batch in found for row in batch.to_pylist()]
    assert [row["key"].split()[0] for row in rows] == [f"q{n:02}" for n in range(25)]
    assert {row["run"] for row in rows} == {"r1"}
