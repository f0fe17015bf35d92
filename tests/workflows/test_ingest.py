"""An ingest over real stores: archive, documents of days, catalog; again, late and out of order."""

import gc
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from storage.index import PointsDay
from storage.selector import Selector
from storage.series_key import SeriesKey
from storage.source import SourceSpec
from storage.stores import Stores
from tests.workflows.world import World
from workflows import ingest as ingest_module
from workflows import ingest_index
from workflows.context import StepContext
from workflows.errors import IngestRejectedError
from workflows.ingest import Ingested, ingest
from workflows.ingest_index import common_labels
from workflows.ingest_job import ingest_job, write_ingest_request
from workflows.ingest_steps import learn_step, step_shown
from workflows.request import IngestRequest

SOURCE = "job.rank"
DAY = 86_400_000
HOUR = DAY // 24
START = 20_000 * DAY
FIRST_DAY = "2024-10-04"

Values = Mapping[tuple[str, int], float | None]  # region, time from START


class House:
    """One source, filled by ingests that get the next sequence."""

    def __init__(self, context: StepContext, stores: Stores) -> None:
        self.context, self.stores = context, stores
        self.jobs: Iterator[int] = itertools.count(1)

    def request(self, values: Values, sequence: int | None = None) -> IngestRequest:
        job = next(self.jobs)
        points = [
            {
                "metric": "ndcg",
                "labels": {"region": region},
                "time": str(np.datetime64(START + at, "ms")) + "Z",
                "value": value,
            }
            for (region, at), value in values.items()
        ]
        request = IngestRequest(
            job=f"job-{job}",
            source=SOURCE,
            timezone="UTC",
            sequence=sequence or job,
            payload=f"ingest/job-{job}/payload",
            format="json",
            accepted_ms=START,
        )
        self.context.objects.put(request.payload, json.dumps({"points": points}).encode())
        return request

    def put(self, values: Values, sequence: int | None = None) -> Ingested:
        return ingest(self.context, self.request(values, sequence))

    def charts(self) -> dict[tuple[str, str], PointsDay]:
        """Documents of days by region and day."""
        region = {entry.series: entry.labels["region"] for entry in self.entries()}
        days = self.stores.index.points(SOURCE, list(region), 0, 2**50)
        return {(region[day.series], day.day): day for day in days}

    def shown(self) -> dict[tuple[str, int], float | None]:
        return {
            (region, t - START): value
            for (region, _), day in self.charts().items()
            for t, value in zip(day.ts_ms, day.values, strict=True)
        }

    def stored(self) -> dict[tuple[str, int], float | None]:
        scan = self.stores.archive.scan(SourceSpec(SOURCE), Selector(("*",), 0, 2**50))
        return {
            (dict(scan.keys[row["number"]].labels)["region"], row["ts"] - START): row["value"]
            for batch in scan.batches
            for row in batch.to_pylist()
        }

    def entries(self) -> list[Any]:
        return list(self.stores.index.series(SOURCE).items)

    def step(self) -> int | None:
        (entry,) = self.entries()
        step: int | None = entry.step_ms
        return step

    def everything(self) -> Any:
        return self.charts(), self.entries(), self.stored(), self.stores.index.counts()


@pytest.fixture
def house(world: World) -> House:
    return House(world.context(), world.stores)


def daily(
    region: str, *days: int, value: float | None = 1.0
) -> dict[tuple[str, int], float | None]:
    return {(region, day * DAY): value for day in days}


def test_points_are_in_the_archive_and_in_the_index(house: House) -> None:
    values = {("jp", 0): 0.5, ("jp", HOUR): 0.25, ("jp", DAY): 7.0, ("tw", HOUR): None}
    done = house.put(values)
    assert house.stored() == values
    assert house.shown() == {at: v for at, v in values.items() if at[0] == "jp"}
    assert (done.points, done.tombstones, done.series, done.days) == (4, 1, 2, 3)
    assert (done.first_ms, done.last_ms) == (START, START + DAY)
    assert done.metrics.keys() == {"ndcg"}
    day = house.charts()["jp", FIRST_DAY]
    assert (list(day.ts_ms), list(day.values)) == ([START, START + HOUR], [0.5, 0.25])


def test_again_after_success_it_ends_in_the_same_documents(house: House) -> None:
    house.put(daily("jp", *range(10)))
    request = house.request(daily("jp", 3, 4, value=5.0) | daily("tw", 3))
    first = ingest(house.context, request)
    documents = house.everything()
    assert ingest(house.context, request) == first
    assert house.everything() == documents


def test_again_after_a_kill_before_the_index_it_completes_itself(house: House) -> None:
    class Killed(BaseException):
        pass

    def kill(_: object) -> None:
        raise Killed

    request = house.request(daily("jp", 1, 2))
    with pytest.raises(Killed):
        ingest(house.context, request, on_stored=kill)
    assert (house.stored(), house.shown()) == (daily("jp", 1, 2), {})
    ingest(house.context, request)
    assert house.shown() == daily("jp", 1, 2)


def test_a_refused_payload_stores_nothing(house: House) -> None:
    request = house.request(daily("jp", 1) | {("jp", 2 * DAY): float("inf")})
    called: list[bool] = []
    with pytest.raises(IngestRejectedError):
        ingest(house.context, request, on_stored=lambda _: called.append(True))
    assert (house.stored(), house.entries(), called) == ({}, [], [])


def test_the_highest_sequence_wins_in_whatever_order_they_come(house: House) -> None:
    house.put(daily("jp", 1, 2, value=1.0), sequence=10)
    house.put(daily("jp", 2, 3, value=3.0), sequence=30)
    house.put(daily("jp", 1, 2, 3, value=2.0), sequence=20)
    newest = daily("jp", 1, value=2.0) | daily("jp", 2, 3, value=3.0)
    assert house.stored() == newest
    assert house.shown() == newest


def test_a_late_ingest_adds_to_a_day_that_a_newer_one_has_drawn(house: House) -> None:
    house.put({("jp", HOUR): 3.0}, sequence=30)
    house.put({("jp", 2 * HOUR): 2.0, ("jp", HOUR): 0.0}, sequence=20)
    assert house.shown() == {("jp", HOUR): 3.0, ("jp", 2 * HOUR): 2.0}
    assert house.charts()["jp", FIRST_DAY].sequence == 30
    # And what is older than both cannot replace it by a retry.
    house.put({("jp", HOUR): 9.0}, sequence=10)
    assert house.shown()["jp", HOUR] == 3.0


def test_a_tombstone_is_shown_as_null_and_a_newer_point_comes_back(house: House) -> None:
    house.put(daily("jp", 1, 2, 3))
    house.put(daily("jp", 2, value=None))
    assert house.shown()["jp", 2 * DAY] is None
    assert house.stored()["jp", 2 * DAY] is None
    house.put(daily("jp", 2, value=5.0))
    assert house.shown()["jp", 2 * DAY] == 5.0


def test_only_touched_days_are_made_again(house: House) -> None:
    house.put(daily("jp", *range(6), 100) | daily("tw", *range(6)))
    before = house.charts()
    done = house.put(daily("jp", 1, 4, 100, value=2.0) | daily("tw", 2, value=2.0))
    changed = {at for at, day in house.charts().items() if day != before[at]}
    touched = {("jp", "2024-10-05"), ("jp", "2024-10-08"), ("jp", "2025-01-12")}
    assert changed == touched | {("tw", "2024-10-06")}
    assert done.days == 4


def test_small_blocks_say_the_same(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_index, "ROWS_PER_BLOCK", 1)
    values = {(region, h * HOUR): float(h) for region in ("jp", "tw", "us") for h in range(60)}
    house.put(values)
    assert house.shown() == values


def test_the_step_as_run_loads_its_request(house: House) -> None:
    request = house.request(daily("jp", 1))
    write_ingest_request(house.context.objects, request)
    assert ingest_job(house.context, request.job).points == 1


def test_an_empty_payload_changes_nothing(house: House) -> None:
    done = house.put({})
    assert (done.points, done.series, done.first_ms, dict(done.metrics)) == (0, 0, None, {})


class TestStep:
    def test_a_payload_of_many_points_shows_it(self, house: House) -> None:
        done = house.put({("jp", h * HOUR): 1.0 for h in range(20) if h not in (3, 4, 11)})
        assert done.metrics["ndcg"].step_ms == house.step() == HOUR

    def test_single_points_show_it_together(self, house: House) -> None:
        steps = []
        for day in range(3):
            house.put(daily("jp", day))
            steps.append(house.step())
        assert steps == [None, DAY, DAY]

    def test_a_few_points_are_no_evidence_of_a_coarser_one(self, house: House) -> None:
        house.put(daily("jp", *range(20)))
        house.put(daily("jp", 27))
        house.put(daily("jp", 34, 41))
        assert house.step() == DAY

    def test_a_sample_of_rewritten_points_does_not_change_it(self, house: House) -> None:
        house.put(daily("jp", *range(70)))
        house.put(daily("jp", *range(0, 70, 7), value=2.0))
        assert house.step() == DAY

    def test_a_wrong_first_guess_is_corrected_by_finer_points(self, house: House) -> None:
        house.put(daily("jp", 0))
        house.put(daily("jp", 3))
        assert house.step() == 3 * DAY
        house.put(daily("jp", 4))
        house.put(daily("jp", 5))
        assert house.step() == DAY

    def test_catalog_keeps_first_and_last(self, house: House) -> None:
        house.put(daily("jp", 5, 6))
        house.put(daily("jp", 2))
        house.put(daily("jp", 9, value=None))
        (entry,) = house.entries()
        assert (entry.first_ms, entry.last_ms) == (START + 2 * DAY, START + 6 * DAY)

    @pytest.mark.parametrize(
        ("times", "step"),
        [
            ([], None),
            ([5], None),
            ([0, 7], 7),
            ([0, 1, 2, 5, 6, 7], 1),
            ([0, 2, 3, 5, 6], 1),  # as many of each: the smaller
            ([0, 31, 59, 90, 120, 151], 31),
            ([0, 9, 20, 30, 39, 51, 60], 10),  # jitter: the median
        ],
    )
    def test_the_commonest_distance_is_it(self, times: list[int], step: int | None) -> None:
        found = learn_step(np.array(times, np.int64))
        assert found == step or (found in (9, 10) and step == 10)

    def test_what_new_points_say(self) -> None:
        many = np.arange(20)
        assert step_shown(many, None, None) == 1
        assert step_shown(many, 1, None) is None
        assert step_shown(many, 2, None) == "doubtful"
        assert step_shown(many * 7, 1, None) == "doubtful"
        assert step_shown(many[:3] * 7, 1, None) is None
        assert step_shown(np.array([8]), 7, 1) is None
        assert step_shown(np.array([2]), 7, 1) == "doubtful"
        assert step_shown(np.array([2]), None, None) == "doubtful"


def test_conditions_that_find_a_few_series_find_all_of_them(house: House) -> None:
    many = {(f"r{n:03}", HOUR): float(n) for n in range(150)}
    odd = {("!tw", HOUR): 1.0, ("tw", HOUR): 2.0}
    house.put(many | odd)
    house.put(dict.fromkeys(odd, 7.0) | {("r001", HOUR): 7.0})
    assert house.shown() == many | odd | dict.fromkeys([*odd, ("r001", HOUR)], 7.0)
    keys = [SeriesKey.of(SOURCE, "m", labels) for labels in ({"a": "1"}, {"a": "2", "b": "x"})]
    assert common_labels(keys) == {"a": ("1", "2"), "b": ("", "x")}
    assert common_labels([SeriesKey.of(SOURCE, "m", {"a": "!1"})]) == {}
    assert common_labels([]) == {}


def test_many_points_are_written_in_parts_of_whole_days(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "ROWS_PER_WRITE", 10)
    values = {(region, h * HOUR): float(h) for region in ("jp", "tw") for h in range(100)}
    written = []
    write = house.stores.archive.write_points

    def noted(source: str, job: str, points: Any) -> int:
        written.append(len(points))
        return write(source, job, points)

    monkeypatch.setattr(house.stores.archive, "write_points", noted)
    house.put(values)
    assert written == [48, 48, 48, 48, 8]
    assert house.stored() == house.shown() == values


def test_the_collector_runs_again_after_an_ingest(house: House) -> None:
    house.put(daily("jp", 1))
    assert gc.isenabled()
    request = house.request({("jp", 0): float("inf")})
    with pytest.raises(IngestRejectedError):
        ingest(house.context, request)
    assert gc.isenabled()
