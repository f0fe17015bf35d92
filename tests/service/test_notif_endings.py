"""The end of an episode is told once, when the series is normal again."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from service.accept import AskedDetection, Limits, accept_detection
from service.clock import DAY_MS, SECOND_MS
from service.database.runs import Run
from service.database.sources import put_source
from service.notifications.endings import LastVerdicts, ended_episodes, last_verdicts, series_told
from service.notifications.policy import standing
from service.ranges import AskedRange
from storage.source import SourceSpec
from tests.service.databases import KINDS
from tests.service.world import World
from tests.service.world import world as open_world
from tests.workflows.world import END, SOURCE, key, points
from workflows.plan import plan
from workflows.publish import publish

FIRST = END - 30 * DAY_MS


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, request.param) as world:
        world.webhook("http://127.0.0.1:9/")
        with world.database.write() as tx:
            put_source(tx, SOURCE, "managed", "UTC", {"kind": "managed"}, END)
        yield world


BOTH = ("anomaly", "withdrawn")


def judge(
    world: World, day: int, bad: dict[int, list[int]], on: Sequence[str] = ("anomaly",)
) -> Run:
    """Store the days before ``day`` of two series and judge the last three by the real steps."""
    tables = []
    for number, bad_days in bad.items():
        values = np.zeros(day)
        values[bad_days] = 9.0
        times = FIRST + np.arange(day, dtype=np.int64) * DAY_MS
        tables.append(points("ndcg", dict(key(number).labels), times, values))
    archive = world.parts.stores.archive
    archive.write_points(SOURCE, "all", pa.concat_tables(tables))
    now_ms = FIRST + day * DAY_MS
    world.clock.wall_ms = now_ms
    asked = AskedDetection(
        source=SourceSpec(SOURCE),
        metrics=("ndcg",),
        range=AskedRange(last="3d"),
        detector={"type": "threshold", "lower": -3.0, "upper": 3.0},
        body={},
        rule="daily",
        notify={"channels": ["chat"], "on": list(on), "min_severity": "warning"},
    )
    run = accept_detection(world.database, asked, "ann", now_ms, Limits()).run
    world.launcher.script = ["run"]
    world.tick("run")
    plan(world.parts.context, run.id)
    publish(world.parts.context, run.id)
    world.clock.advance(SECOND_MS)
    world.tick("run")
    found = world.run(run)
    assert found.state == "succeeded"
    return found


def phases(world: World, run: Run) -> dict[str, str]:
    """Phase by series, of what the run told."""
    return {
        row["series"]: row["phase"]
        for delivery in world.deliveries(run=run.id)
        for row in json.loads(delivery.body)["data"]["rows"]
    }


def test_an_end_is_told_once_and_only_of_what_was_told(world: World) -> None:
    one, two = str(key(1)), str(key(2))
    bad: dict[int, list[int]] = {1: [18, 19], 2: []}
    assert phases(world, judge(world, 20, bad)) == {one: "started"}
    assert phases(world, judge(world, 20, bad)) == {}, "it goes on"
    run = judge(world, 21, bad)
    assert phases(world, run) == {one: "ended"}
    (delivery,) = world.deliveries(run=run.id)
    data = json.loads(delivery.body)["data"]
    assert data["title"] == f"Back to normal: ndcg of {SOURCE}"
    assert (data["severity"], data["rows"][0]["value"]) == (None, 0.0)
    assert phases(world, judge(world, 21, bad)) == {}, "once"
    bad[2] = [21]
    assert phases(world, judge(world, 22, bad)) == {two: "started"}
    bad[1] += [22]
    assert phases(world, judge(world, 23, bad)) == {one: "started", two: "ended"}


def test_a_lasting_change_is_not_over_when_the_next_point_is_normal(world: World) -> None:
    run = judge(world, 20, {1: [18, 19], 2: []})
    with world.database.read() as tx:
        assert series_told(tx, run, FIRST) == {key(1).id}
        assert series_told(tx, replace(run, detector="trend_change"), FIRST) == set()


def test_what_is_withdrawn_in_the_same_run_has_no_end(world: World) -> None:
    run = judge(world, 20, {1: [19], 2: []}, BOTH)
    assert phases(world, run) == {str(key(1)): "started"}
    again = judge(world, 21, {1: [], 2: []}, BOTH)
    assert phases(world, again) == {str(key(1)): "withdrawn"}
    assert phases(world, judge(world, 22, {1: [], 2: []}, BOTH)) == {}


def test_who_wants_no_withdrawals_is_told_the_end_instead(world: World) -> None:
    judge(world, 20, {1: [19], 2: []})
    assert phases(world, judge(world, 21, {1: [], 2: []})) == {str(key(1)): "ended"}
    assert phases(world, judge(world, 22, {1: [], 2: []})) == {}


def test_an_episode_that_comes_back_after_its_end_is_told_again_and_ends_again(
    world: World,
) -> None:
    """Late data makes the normal point that ended it unusual: the same episode goes on."""
    one = str(key(1))
    assert phases(world, judge(world, 20, {1: [19]})) == {one: "started"}
    assert phases(world, judge(world, 21, {1: [19]})) == {one: "ended"}
    assert phases(world, judge(world, 21, {1: [19, 20]})) == {one: "started"}
    assert phases(world, judge(world, 22, {1: [19, 20]})) == {one: "ended"}
    assert phases(world, judge(world, 22, {1: [19, 20]})) == {}


def test_what_is_withdrawn_while_its_episode_goes_on_says_so(world: World) -> None:
    judge(world, 20, {1: [18, 19]}, BOTH)
    judge(world, 21, {1: [18, 19, 20]}, BOTH)
    run = judge(world, 21, {1: [19, 20]}, BOTH)
    (delivery,) = world.deliveries(run=run.id)
    (row,) = json.loads(delivery.body)["data"]["rows"]
    assert row["phase_text"] == (
        "withdrawn: the data was corrected (reported as 9); "
        "the series is still unusual on Tue 24 Sep 2024"
    )


def test_the_newest_judged_point_decides(world: World) -> None:
    run = judge(world, 20, {1: [19], 2: [18]})
    verdicts = last_verdicts(world.parts.stores.objects, run.id, {key(1).id, key(2).id, "x"})
    assert verdicts.normal() == [key(2).id]
    normal, unusual = verdicts.get(key(2).id), verdicts.get(key(1).id)
    assert normal is not None
    assert unusual is not None
    assert (normal.is_anomaly, normal.ts_ms) == (False, FIRST + 19 * DAY_MS)
    assert (unusual.is_anomaly, unusual.ts_ms) == (True, FIRST + 19 * DAY_MS)
    assert [one.id for one in verdicts.named([normal, unusual])] == [key(2).id, key(1).id]
    assert verdicts.unusual_since(key(1).id, FIRST) == FIRST + 19 * DAY_MS
    assert verdicts.unusual_since(key(1).id, FIRST + 19 * DAY_MS) is None
    assert verdicts.unusual_since(key(2).id, FIRST) is None
    assert last_verdicts(world.parts.stores.objects, run.id, set()).normal() == []
    assert last_verdicts(world.parts.stores.objects, "nope", {"x"}).normal() == []


def test_nothing_said_has_no_end() -> None:
    assert standing([]) == {}
    assert ended_episodes([], LastVerdicts(), 0, "run") == []
