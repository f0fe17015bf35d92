"""plan reads once, cuts chunks, refuses what is too much, and commits once."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.archive import Scan
from storage.parquet.archive import ParquetArchive
from storage.selector import Selector
from storage.source import SourceSpec
from tests.workflows.world import (
    DAY,
    END,
    HOUR,
    SOURCE,
    START,
    World,
    daily,
    key,
    noise,
    points,
    request,
    write_daily,
)
from workflows.chunk import Plan, read_chunk, read_plan
from workflows.commits import Attempt, Commit
from workflows.context import StepContext
from workflows.errors import BadRequestError, CancelledError
from workflows.plan import chunks_to_launch, plan
from workflows.spacing import known_steps
from workflows.status import cancel


def rows_of(context: StepContext, run: str, file: str) -> pa.Table:
    """A committed file of the plan."""
    found = read_plan(context.objects, run)
    assert found is not None
    return pq.read_table(found[1].path(context.objects, file))


def many_chunks(world: World) -> StepContext:
    """Small row groups and four chunks, whatever the work."""
    return world.context(processes=2, group_points=200, local_chunk_seconds=1e-9)


def test_chunks_hold_every_series_once_and_only_what_detection_needs(world: World) -> None:
    context = many_chunks(world)
    write_daily(world.stores, 40)
    world.ask()
    made = plan(context, "r1")
    assert (made.series, made.points) == (40, 40 * 35)  # 28 days before the range
    assert len(made.chunks) == 4
    assert [chunk.series for chunk in made.chunks] == [10] * 4
    assert chunks_to_launch(made) == 4
    tables = [
        pq.ParquetFile(context.objects.local_path(part.file)).read_row_groups(
            list(range(part.first, part.first + part.count))
        )
        for chunk in made.chunks
        for part in chunk.parts
    ]
    assert made.keys is not None
    ids = rows_of(context, "r1", made.keys).column("series").to_pylist()
    found = pa.concat_tables(tables)
    expected = []
    for number, id_ in enumerate(ids):
        name = next(n for n in range(40) if key(n).id == id_)
        recent = zip(daily(40)[-35:].tolist(), noise(name, 40)[-35:].tolist(), strict=True)
        expected += [(number, ts, value) for ts, value in recent]
    columns = (found.column(name).to_pylist() for name in ("number", "ts", "value"))
    assert list(zip(*columns, strict=True)) == expected


def test_the_keys_file_tells_what_each_number_is(world: World) -> None:
    context = many_chunks(world)
    write_daily(world.stores, 12)
    gone = points("ndcg", {"k": "gone"}, daily(3), [None] * 3)
    world.stores.archive.write_points(SOURCE, "gone", gone)
    world.ask()
    made = plan(context, "r1")
    assert made.keys is not None
    keys = rows_of(context, "r1", made.keys).to_pylist()
    assert [row["number"] for row in keys] == list(range(13))
    for row in keys:
        if dict(row["labels"]) == {"k": "gone"}:
            assert (row["points"], row["first"], row["last"]) == (0, None, None)
        else:
            assert row["series"] == key(int(dict(row["labels"])["k"])).id
            assert (row["points"], row["first"], row["last"]) == (35, END - 35 * DAY, END - DAY)
        chunk = made.chunks[row["chunk"]]
        assert chunk.first <= row["number"] < chunk.first + chunk.series


def test_one_chunk_is_detected_by_plan_itself(world: World) -> None:
    write_daily(world.stores, 5)
    world.ask()
    made = plan(world.context(), "r1")
    assert len(made.chunks) == 1
    assert chunks_to_launch(made) == 0
    found = read_chunk(world.stores.objects, "r1", 0)
    assert found is not None
    assert found[0].counts["judged"] == 35


def test_nothing_selected_is_a_plan_without_chunks(world: World) -> None:
    write_daily(world.stores, 2)
    world.ask(metrics=("recall",))
    made = plan(world.context(), "r1")
    assert (made.series, made.points, made.chunks, made.keys) == (0, 0, (), None)
    assert plan(world.context(), "r1") == made


def test_steps_are_seen_in_the_data_and_known_ones_are_kept(world: World) -> None:
    hourly = END - np.arange(100, 0, -1) * HOUR
    tables = [points("latency", {"k": str(n)}, hourly, np.ones(100)) for n in range(3)] + [
        points("ndcg", {}, daily(30), np.ones(30)),
        points("rows", {}, daily(30), np.ones(30)),
    ]
    world.stores.archive.write_points(SOURCE, "j", pa.concat_tables(tables))
    source = SourceSpec(SOURCE, steps_ms={"rows": 7 * DAY, "other": 5})
    world.ask(metrics=("*",), source=source)
    assert plan(world.context(), "r1").steps_ms == {
        "latency": HOUR,
        "ndcg": DAY,
        "rows": 7 * DAY,
    }


@pytest.mark.parametrize(
    ("steps", "days"),
    [({}, 28), ({"ndcg": DAY}, 28), ({"ndcg": 7 * DAY}, 140), ({"ndcg": HOUR}, 28)],
)
def test_reading_begins_where_verdicts_begin_to_depend(
    world: World, steps: dict[str, int], days: int
) -> None:
    world.ask(source=SourceSpec(SOURCE, steps_ms=steps), detector={"type": "window"})
    made = plan(world.context(), "r1")
    assert (START - made.read_start_ms) / DAY == pytest.approx(days, abs=8)
    assert made.read_start_ms <= START - days * DAY


@pytest.mark.parametrize(
    ("metrics", "known"),
    [
        (("*",), {"ndcg": DAY, "latency[ms]": HOUR}),
        (("latency[ms]",), {"latency[ms]": HOUR}),
        (("nd?g", "rows"), {"ndcg": DAY}),
        (("rows",), {}),
    ],
)
def test_known_steps_are_those_of_the_metrics_asked_for(
    world: World, metrics: tuple[str, ...], known: dict[str, int]
) -> None:
    source = SourceSpec(SOURCE, steps_ms={"ndcg": DAY, "latency[ms]": HOUR})
    assert known_steps(world.stores.archive, request(metrics=metrics, source=source)) == known


def test_too_much_is_refused_with_advice_and_the_field(world: World) -> None:
    write_daily(world.stores, 3)
    for settings, changes, pointer, words in (
        ({}, {"max_series": 2}, "/max_series", "3 series match, allowed are 2"),
        ({"max_points": 100}, {}, "/range", "105 points match, allowed are 100"),
        ({"max_chunk_points": 30}, {}, "/range", "35 points, allowed are 30"),
    ):
        world.ask(**changes)  # type: ignore[arg-type]
        with pytest.raises(BadRequestError, match=words) as caught:
            plan(world.context(**settings), "r1")
        assert caught.value.pointer == pointer
        assert read_plan(world.stores.objects, "r1") is None


class CountingArchive(ParquetArchive):
    scans = 0

    def scan(self, source: SourceSpec, selector: Selector) -> Scan:
        type(self).scans += 1
        return super().scan(source, selector)


def test_a_plan_is_made_once_and_read_again(world: World) -> None:
    write_daily(world.stores, 5)
    world.ask()
    first = plan(world.context(), "r1")
    write_daily(world.stores, 9)
    assert plan(world.context(), "r1") == first


def test_a_zombie_plan_loses_and_goes_on_from_the_winners(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_daily(world.stores, 5)
    world.ask()
    context = world.context()
    commit = Attempt.commit

    def late(attempt: Attempt, marker: str, body: object) -> Commit:
        monkeypatch.setattr(Attempt, "commit", commit)
        other = plan(replace(context, image="winner"), "r1")
        assert isinstance(body, Plan)
        assert other != body  # its files lie elsewhere
        return commit(attempt, marker, body)

    monkeypatch.setattr(Attempt, "commit", late)
    made = plan(replace(context, image="zombie"), "r1")
    found = read_plan(context.objects, "r1")
    assert found is not None
    assert found[0] == made
    assert found[1].image == "winner"
    nonces = {name.split("/")[3] for name in context.objects.names("runs/r1/plan/")}
    assert nonces == {found[1].nonce}


def test_a_cancelled_run_gets_no_plan(world: World) -> None:
    write_daily(world.stores, 5)
    world.ask()
    cancel(world.stores.objects, "r1")
    with pytest.raises(CancelledError):
        plan(world.context(), "r1")
    assert read_plan(world.stores.objects, "r1") is None


def test_scratch_files_are_gone_after_success_and_failure(world: World) -> None:
    write_daily(world.stores, 5)
    world.ask()
    plan(world.context(), "r1")
    world.ask("r2", max_series=1)
    with pytest.raises(BadRequestError):
        plan(world.context(), "r2")
    left = [path.name for path in (world.root / "scratch").iterdir()]
    assert [name for name in left if not name.startswith("lupus-duckdb")] == []


def test_the_archive_is_read_once(world: World) -> None:
    write_daily(world.stores, 5)
    world.ask()
    archive = world.stores.archive
    assert isinstance(archive, ParquetArchive)
    archive.__class__ = CountingArchive
    CountingArchive.scans = 0
    plan(world.context(), "r1")
    assert CountingArchive.scans == 1


def test_stores_that_a_step_was_not_given_are_refused_plainly(world: World) -> None:
    world.ask()
    context = replace(world.context(), stores=None)
    with pytest.raises(Exception, match="objects only"):
        plan(context, "r1")
