"""The points and the verdict of one series of a run, cut out of its commits or read again."""

import numpy as np
import pyarrow as pa
import pytest

from detectors import detector_from_dict
from tests.workflows.world import (
    DAY,
    END,
    SOURCE,
    START,
    World,
    daily,
    key,
    noise,
    points,
    write_daily,
)
from workflows.commits import Commit, create_commit
from workflows.detect import detect
from workflows.judged_point import KeptRun, points_of_now
from workflows.plan import plan
from workflows.publish import publish
from workflows.request import RunRequest

SERIES = 23
ROWS = 35  # what a run of a week reads: four weeks before it, too


def kept(world: World, asked: RunRequest) -> KeptRun:
    found = KeptRun.of(world.stores.objects, asked)
    assert found is not None
    return found


@pytest.mark.parametrize("settings", [{}, {"group_points": 70, "local_chunk_seconds": 1e-9}])
def test_every_series_is_found_among_many_row_groups_and_chunks(
    world: World, settings: dict[str, float]
) -> None:
    write_daily(world.stores, SERIES, ROWS)
    asked, context = world.ask(), world.context(**settings)
    made = plan(context, asked.run)
    for chunk in made.chunks:
        detect(context, asked.run, chunk.number)
    publish(context, asked.run)
    found = kept(world, asked)
    detector = detector_from_dict(dict(asked.detector))
    for number in range(SERIES):
        series = found.series(key(number).id)
        assert series is not None
        read, now = found.points(series), points_of_now(context.archive, asked, key(number))
        assert now is not None
        for one in (read, now):
            np.testing.assert_array_equal(one.series.epoch_ms, daily(ROWS))
            np.testing.assert_array_equal(one.series.values, noise(number, ROWS))
        time = int(daily(ROWS)[-1 - number % 7])
        row = found.row(series, time)
        assert row is not None
        assert row.row["is_anomaly"] is True
        told = detector.explain(read.series, time, START, END).step("verdict")
        assert told.fact("score") == row.row["score"]
        assert found.row(series, START - DAY) is None
    groups = sum(part.count for chunk in made.chunks for part in chunk.parts)
    if settings:
        assert groups > 4 * len(made.chunks) > 4


def test_what_the_plan_does_not_have_is_not_found(world: World) -> None:
    asked = world.ask()
    assert KeptRun.of(world.stores.objects, asked) is None, "there is no plan"
    write_daily(world.stores, 2)
    context = world.context()
    plan(context, asked.run)
    found = kept(world, asked)
    assert found.series(key(7).id) is None
    assert points_of_now(context.archive, asked, key(7)) is None


def test_a_removed_point_is_known_as_removed(world: World) -> None:
    write_daily(world.stores, 1)
    gone = int(daily(40)[-2])
    removed = points("ndcg", dict(key(0).labels), [gone], [None], sequence=2)
    world.stores.archive.write_points(SOURCE, "removal", pa.concat_tables([removed]))
    asked, context = world.ask(), world.context()
    plan(context, asked.run)
    found = kept(world, asked)
    series = found.series(key(0).id)
    assert series is not None
    read = found.points(series)
    assert read.gone_ms.tolist() == [gone]
    assert gone not in read.series.epoch_ms.tolist()


def test_a_failed_series_has_its_error_and_a_chunk_that_was_not_used_no_row(world: World) -> None:
    write_daily(world.stores, 1)
    lacking = {"type": "window", "window": "60d", "min_points": 59, "on_insufficient": "error"}
    asked, context = world.ask(detector=lacking), world.context()
    plan(context, asked.run)
    found = kept(world, asked)
    series = found.series(key(0).id)
    assert series is not None
    assert "too little history" in (found.error(series) or "")
    assert found.row(series, int(daily(40)[-1])) is None
    asked = world.ask("r2")
    plan(context, "r2")
    body = {"run": "r2", "generation": 1, "outcome": "failed", "counts": {}, "chunks": []}
    create_commit(world.stores.objects, "runs/r2/publish.json", Commit("publish", "n", {}, body))
    late = kept(world, asked)
    assert late.row(series, int(daily(40)[-1])) is None, "publish did not use it"
