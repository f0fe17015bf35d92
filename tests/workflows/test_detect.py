"""detect: the detector's own answers, one bad series at a time, committed once."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from detectors import Result, Series, Threshold, detector_from_dict
from detectors.instants import Instant
from storage.archive import SCAN_SCHEMA
from storage.source import ExternalMapping, SourceSpec, TimeColumns
from tests.workflows.world import (
    DAY,
    END,
    SOURCE,
    START,
    THRESHOLD,
    World,
    daily,
    noise,
    points,
    write_daily,
)
from workflows.chunk import (
    CHUNK_RESULT_SCHEMA,
    CHUNK_SERIES_SCHEMA,
    ChunkRecord,
    chunk_marker,
    committed_chunks,
    read_chunk,
    read_plan,
)
from workflows.commits import Attempt
from workflows.context import StepContext
from workflows.detect import ChunkInputs, detect
from workflows.errors import CancelledError, CommitError, StoppedError, WorkerLostError
from workflows.inputs import split
from workflows.plan import plan
from workflows.readiness import Readiness
from workflows.status import cancel
from workflows.verdicts import Judge

WINDOW = {"type": "window", "min_rel_change": 0.01}


def tables_of(world: World, run: str = "r1", chunk: int = 0) -> tuple[pa.Table, pa.Table]:
    """Results and series of a committed chunk."""
    found = read_chunk(world.stores.objects, run, chunk)
    assert found is not None
    record, commit = found
    return (
        pq.read_table(commit.path(world.stores.objects, record.results)),
        pq.read_table(commit.path(world.stores.objects, record.series)),
    )


def names_of(world: World, run: str = "r1") -> list[str]:
    """The label k of each number."""
    found = read_plan(world.stores.objects, run)
    assert found is not None
    assert found[0].keys is not None
    labels = pq.read_table(world.stores.objects.local_path(found[0].keys)).column("labels")
    return [dict(pairs)["k"] for pairs in labels.to_pylist()]


def write(world: World, series: Mapping[str, tuple[Any, Any]]) -> None:
    tables = [points("ndcg", {"k": name}, ts, values) for name, (ts, values) in series.items()]
    world.stores.archive.write_points(SOURCE, "job", pa.concat_tables(tables))


def run_one(world: World, **changes: Any) -> ChunkRecord:
    """A run of one chunk."""
    world.ask(**changes)
    plan(world.context(), "r1")
    found = read_chunk(world.stores.objects, "r1", 0)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("description", [THRESHOLD, WINDOW])
@pytest.mark.parametrize("attempt", [0, 1, 8])
def test_results_are_the_detectors_own(
    world: World, description: dict[str, Any], attempt: int
) -> None:
    write_daily(world.stores, 12)
    world.ask(detector=description)
    context = world.context(group_points=150, processes=2, local_chunk_seconds=1e-9)
    made = plan(context, "r1")
    names = names_of(world)
    detector = detector_from_dict(description)
    for chunk in made.chunks:
        detect(context, "r1", chunk.number, attempt)
        results, series = tables_of(world, "r1", chunk.number)
        assert results.schema == CHUNK_RESULT_SCHEMA
        assert series.schema == CHUNK_SERIES_SCHEMA
        numbers = range(chunk.first, chunk.first + chunk.series)
        assert series.column("number").to_pylist() == list(numbers)
        for number in numbers:
            one = Series(daily(40)[-35:], noise(int(names[number]), 40)[-35:])
            expected = detector.detect(one, START, END)
            mine = results.filter(pc.equal(results.column("number"), number))
            assert mine.column("ts").to_pylist() == expected.times.astype(np.int64).tolist()
            for name in ("expected", "lower", "upper", "score"):
                found = mine.column(name).fill_null(np.nan).to_numpy()
                np.testing.assert_allclose(found, getattr(expected, name), rtol=1e-9)
            for name in ("is_anomaly", "severity", "direction", "reason"):
                assert mine.column(name).to_pylist() == getattr(expected, name).tolist()
            assert not any(mine.column("tombstone").to_pylist())


def test_processes_of_a_step_give_the_same_answers_in_order(
    world: World, fork_server: None
) -> None:
    write_daily(world.stores, 12)
    world.ask(detector=WINDOW)
    context = world.context(group_points=70)
    plan(context, "r1")
    alone = tables_of(world)
    context.objects.delete_prefix("runs/r1/chunk/")
    detect(replace(context, processes=3), "r1", 0)
    assert [table.equals(other) for table, other in zip(tables_of(world), alone, strict=True)] == [
        True,
        True,
    ]


def test_a_lost_process_of_a_step_is_worth_another_try(
    world: World, fork_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_daily(world.stores, 12)
    world.ask()
    context = world.context(group_points=70)
    plan(context, "r1")
    context.objects.delete_prefix("runs/r1/chunk/")
    monkeypatch.setattr("workflows.detect.Judge", Deadly)
    with pytest.raises(WorkerLostError, match="exit code 137"):
        detect(replace(context, processes=2), "r1", 0)
    assert committed_chunks(context.objects, "r1") == frozenset()


def test_counts_are_rows_and_series(world: World) -> None:
    gap = daily(40)[[*range(36), 38]]  # the last week has four points of seven
    write(
        world,
        {
            "full": (daily(40), noise(1, 40)),
            "gap": (gap, np.zeros(37)),
            "late": (daily(40)[:30], np.zeros(30)),
        },
    )
    record = run_one(world)
    assert record.counts == {
        "series": 3,
        "judged": 7 + 4,
        "anomalous": 1,
        "no_data": 3 + 7,
        "insufficient_history": 0,
        "failed": 0,
        "series_without_points": 1,
    }
    assert record.seconds > 0
    assert record.peak_memory_mb > 10
    _, series = tables_of(world)
    told = dict(zip(names_of(world), series.column("points").to_pylist(), strict=True))
    assert told == {"full": 7, "gap": 4, "late": 0}


def test_a_tombstone_is_marked_wherever_it_stands(world: World) -> None:
    """At a slot of the grid, off the grid, of a series without any point left."""
    with_gone: list[float | None] = [1.0] * 40
    with_gone[-3] = None
    off_grid = np.append(daily(40), END - 3 * DAY + 5)
    order = np.argsort(off_grid)
    values: list[float | None] = [*[1.0] * 40, None]
    write(
        world,
        {
            "grid": (daily(40), with_gone),
            "off": (off_grid[order], [values[i] for i in order]),
            "gone": (daily(3), [None, None, None]),
            "before": ([START - DAY, START], [None, 1.0]),
        },
    )
    record = run_one(world)
    results, _ = tables_of(world)
    names = names_of(world)
    marked = [
        (names[row["number"]], (row["ts"] - END) / DAY, row["value"], row["reason"])
        for row in results.to_pylist()
        if row["tombstone"]
    ]
    assert sorted(marked) == [
        ("gone", -3, None, 1),
        ("gone", -2, None, 1),
        ("gone", -1, None, 1),
        ("grid", -3, None, 1),
        ("off", pytest.approx(-3 + 5 / DAY), None, 1),
    ]
    order_of = list(
        zip(results.column("number").to_pylist(), results.column("ts").to_pylist(), strict=True)
    )
    assert order_of == sorted(order_of)
    assert len(set(order_of)) == len(order_of)
    assert record.counts["series_without_points"] == 1


class Deadly(Judge):
    """As a judge that the kernel kills for want of memory."""

    def judge(self, block: Any, step_ms: int | None) -> Any:
        os._exit(137)


class Picky(Threshold):
    """Fails on values it does not like: with an unexpected error above 100."""

    def detect_many(self, *given: Any, **named: Any) -> list[Result]:
        raise AssertionError("not used by steps")

    def try_many(
        self,
        series: Sequence[Series],
        start: Instant | None = None,
        end: Instant | None = None,
        **named: Any,
    ) -> list[Any]:
        if any((one.values > 100).any() for one in series):
            raise ZeroDivisionError("cannot bear it")
        return super().try_many(series, start, end, **named)

    def detect(self, series: Series, *given: Any, **named: Any) -> Result:
        if (series.values > 100).any():
            raise ZeroDivisionError("cannot bear it")
        return Threshold(upper=3.0).detect(series, *given, **named)


def test_a_bad_series_costs_only_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        world,
        {
            "good": (daily(40), noise(1, 40)),
            "bad": (daily(40), [*[1.0] * 39, 1000.0]),
            "fine": (daily(40), noise(2, 40)),
        },
    )
    monkeypatch.setattr("workflows.detect.detector_from_stored", lambda _: Picky(upper=3.0))
    record = run_one(world)
    assert (record.counts["series"], record.counts["failed"]) == (3, 1)
    assert (record.counts["judged"], record.counts["anomalous"]) == (14, 2)
    results, series = tables_of(world)
    errors = dict(zip(names_of(world), series.column("error").to_pylist(), strict=True))
    assert errors == {"good": None, "bad": "ZeroDivisionError: cannot bear it", "fine": None}
    bad = names_of(world).index("bad")
    assert bad not in results.column("number").to_pylist()


def test_too_little_history_tells_when_there_will_be_enough(world: World) -> None:
    """A window asks for ten points: three are there, so the eleventh is the first judged."""
    write(world, {"new": (daily(3), [1.0, 2.0, 1.5]), "old": (daily(40), noise(1, 40))})
    record = run_one(world, detector=WINDOW)
    assert record.counts["insufficient_history"] == 3
    _, series = tables_of(world)
    ready = dict(zip(names_of(world), series.column("ready_at").to_pylist(), strict=True))
    assert ready == {"new": END + 7 * DAY, "old": None}
    detector = detector_from_dict(WINDOW)
    for points_, judged in ((10, False), (11, True)):
        one = Series(np.arange(points_) * DAY, noise(3, points_))
        assert detector.detect(one).judged[-1] == judged


def test_a_declared_step_is_the_grid_of_an_external_series(world: World) -> None:
    """Two-day gaps are missing days when the source declares daily points."""
    write(world, {"sparse": (daily(40)[::2], np.zeros(20))})
    mapping = ExternalMapping("c", "t", TimeColumns(("ts",)), value_column="v", metric="ndcg")
    asked = world.ask()
    plan(world.context(), "r1")
    _, own = tables_of(world)
    assert own.column("no_data").to_pylist() == [0]
    declared = SourceSpec(SOURCE, mapping=mapping, steps_ms={"ndcg": DAY, "other": 5})
    inputs = ChunkInputs.of(world.stores.objects, "r1", 0)
    steps = [step for _, step in inputs.blocks(1000, declared.steps_ms)]
    assert steps == [DAY]
    world.stores.objects.delete_prefix("runs/r1/chunk/")
    world.ask(source=replace(asked.source, mapping=mapping, steps_ms={"ndcg": DAY}))
    detect(world.context(), "r1", 0)
    _, series = tables_of(world)
    assert series.column("no_data").to_pylist() == [4]


def test_metrics_with_different_declared_steps_are_not_judged_together(world: World) -> None:
    tables = [points(name, {}, daily(40), np.zeros(40)) for name in ("a", "b", "c")]
    world.stores.archive.write_points(SOURCE, "job", pa.concat_tables(tables))
    world.ask(metrics=("*",))
    plan(world.context(), "r1")
    inputs = ChunkInputs.of(world.stores.objects, "r1", 0)
    found = list(inputs.blocks(1000, {"a": DAY, "b": 7 * DAY}))
    assert [(block.numbers.tolist(), step) for block, step in found] == [
        ([0], DAY),
        ([1], 7 * DAY),
        ([2], None),
    ]


def two_chunks(world: World) -> StepContext:
    write_daily(world.stores, 4)
    world.ask()
    context = world.context(group_points=70, local_chunk_seconds=1e-9)
    assert len(plan(context, "r1").chunks) == 2
    return context


def test_a_committed_chunk_is_not_done_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    context = two_chunks(world)
    first = detect(context, "r1", 1)
    monkeypatch.setattr(ChunkInputs, "of", None)
    assert detect(context, "r1", 1) == first


def test_a_zombie_chunk_loses_and_leaves_nothing(world: World) -> None:
    context = two_chunks(world)
    done: list[ChunkRecord] = []

    def meanwhile() -> None:
        if not done:
            done.append(ChunkRecord(0, "", "", {}, 0, 0))  # only once
            done.append(detect(context, "r1", 0))

    assert detect(replace(context, check=meanwhile), "r1", 0) == done[1]
    nonces = {name.split("/")[3] for name in context.objects.names("runs/r1/detect/")}
    assert len(nonces) == 1


def test_a_cancelled_run_gets_no_chunk(world: World) -> None:
    context = two_chunks(world)
    cancel(context.objects, "r1")
    with pytest.raises(CancelledError):
        detect(context, "r1", 0)
    assert committed_chunks(context.objects, "r1") == frozenset()


def test_a_cancel_during_the_work_keeps_the_marker_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = two_chunks(world)
    put_file = Attempt.put_file

    def cancelled(attempt: Attempt, *given: Any) -> str:
        cancel(context.objects, "r1")
        return put_file(attempt, *given)

    monkeypatch.setattr(Attempt, "put_file", cancelled)
    with pytest.raises(CancelledError):
        detect(context, "r1", 0)
    assert context.objects.get_or_none("runs/r1/" + chunk_marker(0)) is None


def test_a_stop_is_obeyed_between_blocks(world: World) -> None:
    context = two_chunks(world)

    def stop() -> None:
        raise StoppedError("SIGTERM")

    with pytest.raises(StoppedError):
        detect(replace(context, check=stop), "r1", 0)
    assert committed_chunks(context.objects, "r1") == frozenset()


def test_a_chunk_without_a_plan_or_beyond_it_is_refused(world: World) -> None:
    with pytest.raises(CommitError, match="no plan"):
        detect(world.context(), "r9", 0)
    context = two_chunks(world)
    with pytest.raises(CommitError, match="2 chunks, none is number 2"):
        detect(context, "r1", 2)


def test_altered_inputs_are_refused(world: World) -> None:
    context = two_chunks(world)
    name = next(n for n in context.objects.names("runs/r1/plan/") if "input" in n)
    data = bytearray(context.objects.get(name))
    data[len(data) // 2] ^= 1
    context.objects.put(name, bytes(data))
    with pytest.raises(CommitError, match="altered"):
        detect(context, "r1", 0)


def test_infinite_values_of_an_external_table_are_null_in_the_results() -> None:
    rows = pa.table(
        [np.zeros(40, np.int32), daily(40), [*[0.0] * 38, float("inf"), 9.0]], schema=SCAN_SCHEMA
    )
    (block,) = split(rows, 100)
    detector = detector_from_dict(THRESHOLD)
    results, series = Judge(detector, START, END, Readiness(detector)).judge(block, None)
    assert results.column("value").to_pylist()[-2:] == [None, 9.0]
    assert series.column("judged").to_pylist() == [6]
    assert series.column("no_data").to_pylist() == [1]
