"""A run published over real stores, with what goes wrong on the way."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.index import AnomalyWrite, WriteOutcome
from storage.source import ExternalMapping, SourceSpec, TimeColumns
from tests.workflows.publishing import (
    DAY,
    SMALL_CHUNKS,
    SOURCE,
    START,
    House,
    document,
    flat,
    house_at,
    key,
)
from workflows import apply, compare, published
from workflows.commits import PUBLISH, read_commit, run_root
from workflows.detect import detect
from workflows.errors import BadRequestError, CancelledError, CommitError, NoPlanError
from workflows.failure import Failure, record_failure
from workflows.publish import publish, publish_failure
from workflows.published import Published
from workflows.report import COUNTS, Report, read_report
from workflows.series_outcomes import read_series_outcomes
from workflows.status import cancel, read_status

A, B, C = key("ndcg", region="jp"), key("ndcg", region="tw"), key("rows")
JP, TW, ROWS = str(A), str(B), str(C)
WINDOW = {"type": "window", "window": 10, "min_points": 5, "on_insufficient": "error"}
MISSING = {"type": "threshold", "upper": 10.0, "no_data": "anomaly"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with house_at(tmp_path) as built:
        yield built


@pytest.fixture
def chunky(tmp_path: Path) -> Iterator[House]:
    """A house in which every series is a chunk of its own."""
    with house_at(tmp_path, **SMALL_CHUNKS) as built:
        yield built


def spike(series: Any, *days: int, value: float | None = 50.0) -> dict[Any, Any]:
    return {(series, START + day * DAY): value for day in days}


def nonzero(report: Report) -> dict[str, int]:
    return {name: count for name, count in report.counts.items() if count}


def test_a_first_run_finds_and_a_second_changes_nothing(house: House) -> None:
    house.put(flat(A, 10) | flat(B, 10) | spike(A, 3, 4) | spike(B, 9))
    first = house.run(10)
    assert first.outcome == "succeeded"
    assert list(first.counts) == list(COUNTS)
    assert nonzero(first) == {"series": 2, "judged": 20, "anomalous": 3, "new": 3}
    assert house.found() == {(JP, 3), (JP, 4), (TW, 9)}
    changes = house.changes(first)
    assert sorted((c.ts_ms - START, c.kind, c.episode_start_ms - START) for c in changes) == [
        (3 * DAY, "new", 3 * DAY), (4 * DAY, "new", 3 * DAY), (9 * DAY, "new", 9 * DAY),
    ]  # fmt: skip
    before = house.anomalies()
    second = house.run(10)
    assert nonzero(second) == {"series": 2, "judged": 20, "anomalous": 3, "unchanged": 3}
    assert house.changes(second) == []
    assert house.anomalies() == before


def test_an_episode_goes_on_from_one_range_to_the_next(house: House) -> None:
    house.put(flat(A, 5) | spike(A, 3, 4))
    house.run(5)
    house.put(flat(A, 7) | spike(A, 3, 4, 5, 6))
    (first, second) = house.changes(house.run(7, start_ms=START + 5 * DAY))
    assert first.episode_start_ms == second.episode_start_ms == START + 3 * DAY


def test_the_archive_keeps_a_row_for_each_checked_point(house: House) -> None:
    house.put(flat(A, 5) | spike(A, 3))
    house.run(5)
    house.put(spike(A, 3, value=1.0))
    house.run(5)
    rows = house.stores.archive.read_results(SOURCE, "daily", START, START + 5 * DAY)
    status = dict(zip(rows["ts"].to_pylist(), rows["status"].to_pylist(), strict=True))
    assert status == {START + d * DAY: "withdrawn" if d == 3 else None for d in range(5)}
    assert set(rows["run"].to_pylist()) == {"run-2"}
    assert set(rows["series"].to_pylist()) == {A.id}


def test_bands_are_kept_of_series_with_an_anomaly(house: House) -> None:
    house.put(flat(A, 5) | flat(B, 5) | spike(A, 3))
    report = house.run(5)
    (band,) = house.stores.index.bands(SOURCE, [A.id, B.id], "daily")
    assert (band.series, band.run, band.generation) == (A.id, report.run, 1)
    assert list(band.ts_ms) == [START + day * DAY for day in range(5)]
    assert list(band.upper) == [10.0] * 5
    assert list(band.lower) == [None] * 5


def test_a_rewritten_value_withdraws_with_cause_data(house: House) -> None:
    house.put(flat(A, 10) | spike(A, 3))
    house.run(10)
    house.put(spike(A, 3, value=2.0))
    report = house.run(10)
    assert report.causes == {"data": 1}
    (change,) = house.changes(report)
    assert (change.kind, change.cause, change.value) == ("withdrawn", "data", 2.0)
    assert house.found() == set()


def test_a_tombstone_withdraws(house: House) -> None:
    house.put(flat(A, 10) | spike(A, 3))
    house.run(10)
    house.put(spike(A, 3, value=None))
    (change,) = house.changes(house.run(10))
    assert (change.kind, change.cause, change.reason) == ("withdrawn", "data", "point_removed")
    assert nonzero(house.run(10))["no_data"] == 1


def test_other_parameters_withdraw_with_cause_rule(house: House) -> None:
    house.put(flat(A, 10) | spike(A, 3))
    house.run(10)
    report = house.run(10, detector={"type": "threshold", "upper": 100.0})
    assert (nonzero(report)["withdrawn"], report.causes) == (1, {"rule": 1})


def test_a_late_partition_withdraws_what_was_said_of_the_gap(house: House) -> None:
    house.put({at: v for at, v in flat(A, 10).items() if at[1] != START + 6 * DAY})
    report = house.run(10, detector=MISSING)
    assert house.found() == {(JP, 6)}
    assert nonzero(report) == {"series": 1, "judged": 9, "anomalous": 1, "no_data": 1, "new": 1}
    house.put(spike(A, 6, value=1.0))
    report = house.run(10, detector=MISSING)
    assert (nonzero(report)["withdrawn"], report.causes) == (1, {"data": 1})


def test_a_failed_series_costs_itself_and_withdraws_nothing(house: House) -> None:
    house.put(flat(A, 40) | spike(A, 33) | flat(B, 40))
    start: dict[str, Any] = {"start_ms": START + 30 * DAY}
    house.run(40, **start)
    assert house.found() == {(JP, 33)}
    # Now A lacks the history that the rule asks for.
    house.put({(A, START + day * DAY): None for day in range(36)} | spike(A, 33))
    report = house.run(40, detector=WINDOW, **start)
    assert report.outcome == "partial"
    assert nonzero(report) == {"series": 2, "judged": 10, "failed": 1, "unverified": 1}
    (failure,) = report.failures
    assert (failure.series, failure.name) == (A.id, JP)
    assert "history" in failure.error
    assert house.found() == {(JP, 33)}


def test_a_run_of_failed_series_only_has_failed(house: House) -> None:
    house.put(flat(A, 4))
    report = house.run(4, detector=WINDOW)
    assert report.outcome == "failed"
    assert "none of 1 series" in report.error


def test_a_missing_chunk_costs_itself_and_withdraws_nothing(chunky: House) -> None:
    chunky.put(flat(A, 5) | flat(B, 5) | flat(C, 5) | spike(A, 3) | spike(B, 3) | spike(C, 3))
    chunky.run(5)
    assert chunky.chunks("run-1") == 3
    chunky.put(flat(A, 5) | flat(B, 5) | flat(C, 5))
    lost = Failure("detect", 0, "WorkerLostError", "out of memory", True, START, chunk=1)
    record_failure(chunky.stores.objects, run_root("run-2"), lost)
    report = chunky.run(5, leave_out=[1])
    assert report.outcome == "partial"
    kept = {(str(k), 3) for k in (A, B, C)} - {(c.metric, 0) for c in chunky.changes(report)}
    assert len(chunky.found()) == 1
    assert chunky.found() < kept
    assert nonzero(report) == {
        "series": 3, "judged": 10, "failed": 1, "unverified": 1, "withdrawn": 2,
    }  # fmt: skip
    assert "chunk 1 of 3 has no result: out of memory" in report.failures[0].error


def test_without_any_chunk_the_run_has_failed(chunky: House) -> None:
    chunky.put(flat(A, 5) | flat(B, 5))
    report = chunky.run(5, leave_out=[0, 1])
    assert (report.outcome, report.counts["failed"]) == ("failed", 2)


def test_a_vanished_series_keeps_its_anomalies(house: House) -> None:
    house.put(flat(A, 5) | spike(A, 3) | flat(B, 5))
    house.run(5)
    # It is not even selected any more: nothing is known of what it would say.
    report = house.run(5, labels={"region": ("tw",)})
    assert "unverified" not in nonzero(report)
    house.stores.archive.purge(SOURCE)
    house.put(flat(B, 5))
    report = house.run(5)
    assert nonzero(report) == {"series": 1, "judged": 5, "unverified": 1}
    assert house.found() == {(JP, 3)}


def test_a_late_chunk_changes_nothing_any_more(chunky: House) -> None:
    chunky.put(flat(A, 5) | spike(A, 3) | flat(B, 5) | spike(B, 3))
    request = chunky.request(5)
    chunky.judge(request, leave_out=[0])
    killed_after_commit(chunky, request.run)
    detect(chunky.context, request.run, 0)
    report = publish(chunky.context, request.run)
    assert (report.outcome, report.counts["new"]) == ("partial", 1)
    assert len(chunky.found()) == 1
    again = publish(chunky.context, request.run)
    assert again == report
    outcomes = read_series_outcomes(chunky.stores.objects, request.run).items
    assert [outcome.done for outcome in outcomes] == [False, True]


class Killed(BaseException):
    """The process ends here."""


def killed_after_commit(house: House, run: str, writes: int = 0) -> None:
    """Run publish up to its commit and as many guarded writes."""
    whole = house.stores.index.write_anomalies
    context = house.context

    class Dying:
        def __getattr__(self, name: str) -> Any:
            return getattr(house.stores.index, name)

        def write_anomalies(self, some: Iterable[AnomalyWrite]) -> WriteOutcome:
            whole([write for _, write in zip(range(writes), some, strict=False)])
            raise Killed

        def put_bands(self, bands: object) -> None:
            raise Killed

    dying: Any = Dying()
    with pytest.raises(Killed):
        publish(replace(context, stores=replace(house.stores, index=dying)), run)
    assert read_commit(house.stores.objects, f"{run_root(run)}/{PUBLISH}") is not None


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_publish_that_was_killed_ends_with_the_same_documents(
    tmp_path: Path, writes: int
) -> None:
    documents = []
    for name in ("undisturbed", "killed"):
        with house_at(tmp_path / name, **SMALL_CHUNKS) as house:
            house.put(flat(A, 9) | flat(B, 9) | spike(A, 2, 3, 4) | spike(B, 5))
            house.run(9)
            house.put(spike(A, 3, value=1.0) | spike(A, 2, 6) | spike(B, 5, value=60.0))
            request = house.request(9)
            house.judge(request)
            if name == "killed":
                killed_after_commit(house, request.run, writes)
                # Points that arrive now are the next run's.
                house.put(flat(A, 9))
            report = publish(house.context, request.run)
            rows = house.stores.archive.read_results(SOURCE, "daily", START, START + 9 * DAY)
            bands = list(house.stores.index.bands(SOURCE, [A.id, B.id], "daily"))
            anomalies = {at: document(a) for at, a in house.anomalies().items()}
            documents.append((anomalies, rows.to_pylist(), bands, nonzero(report)))
            assert report.counts["superseded"] == 0
    assert documents[0] == documents[1]


def test_an_old_run_cannot_undo_a_newer(house: House) -> None:
    house.put(flat(A, 5) | spike(A, 3))
    old = house.request(5)
    house.judge(old)
    killed_after_commit(house, old.run)  # it wants to say that day 3 is an anomaly
    house.put(flat(A, 5) | spike(A, 3, value=60.0))
    house.run(5)
    newer = house.anomalies()
    report = publish(house.context, old.run)
    assert report.counts["superseded"] == 1
    assert house.anomalies() == newer
    # A rerun of it counts the same.
    assert publish(house.context, old.run).counts["superseded"] == 1


def test_people_s_words_survive_every_run(house: House) -> None:
    house.put(flat(A, 5) | spike(A, 3))
    house.run(5)
    (anomaly,) = house.anomalies().values()
    house.stores.index.set_verdict(anomaly.id, "expected", "release", "kim", 7)
    house.put(spike(A, 3, value=60.0))
    house.run(5)
    (anomaly,) = house.anomalies().values()
    assert (anomaly.value, anomaly.verdict, anomaly.comment) == (60.0, "expected", "release")


def test_without_store_results_and_changes_are_readable_and_nothing_else(house: House) -> None:
    house.put(flat(A, 5) | spike(A, 3))
    report = house.run(5, store=False, rule=None)
    assert nonzero(report) == {"series": 1, "judged": 5, "anomalous": 1, "new": 1}
    assert [change.kind for change in house.changes(report)] == ["new"]
    assert report.results is not None
    assert list(house.stores.objects.names(report.results))
    assert set(house.stores.index.counts().values()) == {0}
    assert house.stores.archive.read_results(SOURCE, "", START, START + 5 * DAY).num_rows == 0


@pytest.mark.parametrize(
    ("require_points", "outcome"),
    [("fail", "failed"), ("partial", "partial"), ("ignore", "succeeded")],
)
def test_a_series_without_points_decides_as_asked(
    house: House, require_points: str, outcome: str
) -> None:
    house.put(flat(A, 10) | flat(B, 5))
    start = START + 7 * DAY
    report = house.run(10, start_ms=start, require_points=require_points)
    assert report.outcome == outcome
    assert report.counts["series_without_points"] == 1
    assert ("1 of 2 series" in report.error) == (outcome == "failed")


def test_nothing_judged_is_partial_and_says_so(house: House) -> None:
    house.put(flat(A, 5))
    report = house.run(7, start_ms=START + 5 * DAY, require_points="ignore")
    assert (report.outcome, report.counts["judged"]) == ("partial", 0)
    assert "no points" in report.error
    report = house.run(7, metrics=("nothing",))
    assert (report.outcome, nonzero(report)) == ("partial", {})
    assert house.run(7, metrics=("nothing",), require_points="fail").outcome == "failed"


def test_what_lacks_history_says_when_it_can_be_judged(house: House) -> None:
    house.put(flat(A, 4))
    report = house.run(4, detector=WINDOW | {"on_insufficient": "skip"})
    assert report.counts["insufficient_history"] == 4
    assert report.ready_at_ms is not None
    assert report.ready_at_ms > START + 4 * DAY
    assert (report.short_series, report.first_ready_at_ms) == (1, report.ready_at_ms)


def test_what_auto_took_is_counted_and_told(chunky: House) -> None:
    young = {(B, START + day * DAY): 1.0 for day in range(30, 40)}
    chunky.put(flat(A, 40) | young)
    report = chunky.run(40, start_ms=START + 38 * DAY, detector={"type": "auto"})
    assert report.chosen == {
        "window (season day_of_week): 21 daily points or more: each is compared with the same "
        "weekday": 1,
        "window: fewer than 21 daily points: no weekday is known": 1,
    }
    assert chunky.run(40, detector=WINDOW).chosen is None


def test_of_series_that_lack_history_the_first_and_the_last_are_told(chunky: House) -> None:
    late = key("ndcg", region="kr")
    young = {(B, START + day * DAY): 1.0 for day in range(35, 40)}
    younger = {(late, START + day * DAY): 1.0 for day in range(37, 40)}
    chunky.put(flat(A, 40) | young | younger)
    detector = WINDOW | {"on_insufficient": "skip"}
    report = chunky.run(40, start_ms=START + 38 * DAY, detector=detector)
    assert report.short_series == 2
    assert report.first_ready_at_ms is not None
    assert report.ready_at_ms is not None
    assert report.ready_at_ms - report.first_ready_at_ms == 2 * DAY


def test_the_first_hundred_failures_are_kept(chunky: House) -> None:
    series = [key("m", n=f"{n:03}") for n in range(120)]
    chunky.put({at: v for one in series for at, v in flat(one, 2).items()})
    report = chunky.run(2, detector=WINDOW)
    assert (report.counts["failed"], len(report.failures)) == (120, 100)
    assert [failure.series for failure in report.failures] == sorted(s.id for s in series)[:100]


def test_a_plan_that_cannot_be_made_ends_the_run_with_its_reason(house: House) -> None:
    house.put(flat(A, 5) | flat(B, 5))
    request = house.request(5, max_series=1)
    with pytest.raises(BadRequestError) as caught:
        house.judge(request)
    with pytest.raises(NoPlanError, match="no plan"):
        publish(house.context, request.run)
    error = caught.value
    for transient, message in ((False, str(error)), (True, "went away")):
        failure = Failure("plan", 0, "x", message, transient, START, pointer=error.pointer)
        record_failure(house.stores.objects, run_root(request.run), failure)
    report = publish(house.context, request.run)
    assert (report.outcome, report.error, report.pointer) == ("failed", str(error), "/max_series")
    assert publish(house.context, request.run) == report
    assert house.changes(report) == []


def test_giving_up_finishes_what_is_published_already(house: House) -> None:
    house.put(flat(A, 5) | spike(A, 3))
    request = house.request(5)
    house.judge(request)
    killed_after_commit(house, request.run)
    report = publish_failure(house.context, request.run, "the deadline is past")
    assert (report.outcome, report.error) == ("succeeded", "")
    assert house.found() == {(JP, 3)}
    other = house.request(5)
    house.judge(other)
    report = publish_failure(house.context, other.run, "the deadline is past")
    assert (report.outcome, report.error) == ("failed", "the deadline is past")


def test_a_plan_of_a_newer_version_cannot_keep_a_run_from_ending(house: House) -> None:
    house.put(flat(A, 5) | spike(A, 3))
    request = house.request(5)
    house.judge(request)
    objects = house.stores.objects
    name = f"runs/{request.run}/plan.json"
    objects.put(name, objects.get(name).replace(b'"plan_format": 1', b'"plan_format": 2'))
    with pytest.raises(CommitError, match="in a format that this version does not read"):
        publish(house.context, request.run)
    with pytest.raises(CommitError, match="in a format that this version does not read"):
        read_status(objects, request.run)
    report = publish_failure(house.context, request.run, "its plan cannot be read")
    assert (report.outcome, report.error) == ("failed", "its plan cannot be read")


def test_a_cancelled_run_leaves_the_index_untouched(house: House) -> None:
    house.put(flat(A, 5) | spike(A, 3))
    request = house.request(5)
    house.judge(request)
    cancel(house.stores.objects, request.run)
    with pytest.raises(CancelledError):
        publish(house.context, request.run)
    assert house.found() == set()
    assert read_report(house.stores.objects, request.run) is None


def test_altered_results_are_refused(house: House) -> None:
    house.put(flat(A, 5))
    request = house.request(5)
    house.judge(request)
    (name,) = (
        name
        for name in house.stores.objects.names(f"{run_root(request.run)}/detect/")
        if name.endswith("results.parquet")
    )
    house.stores.objects.put(name, b"something else")
    with pytest.raises(CommitError, match="altered"):
        publish(house.context, request.run)


def test_small_pieces_and_parts_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for size in (1_000_000, 7):
        monkeypatch.setattr(published, "ROWS_PER_PIECE", size)
        monkeypatch.setattr(apply, "ROWS_PER_PART", size)
        monkeypatch.setattr(compare, "SEARCH_PAGE", 2 if size == 7 else 1000)
        with house_at(tmp_path / str(size)) as house:
            house.put(flat(A, 9) | flat(B, 9) | flat(C, 9) | spike(A, 2, 3) | spike(C, 3, 5))
            house.run(9)
            house.put(spike(A, 3, value=None) | spike(B, 1))
            report = house.run(9)
            rows = house.stores.archive.read_results(SOURCE, "daily", START, START + 9 * DAY)
            documents = {at: document(a) for at, a in house.anomalies().items()}
            said.append((nonzero(report), house.changes(report), documents, rows.to_pylist()))
    assert said[0] == said[1]


def test_outcomes_of_series_come_by_page(chunky: House) -> None:
    chunky.put(flat(A, 40) | flat(B, 40) | flat(C, 40) | spike(A, 39))
    request = chunky.request(40, detector=WINDOW, start_ms=START + 38 * DAY)
    objects = chunky.stores.objects
    assert read_series_outcomes(objects, request.run).items == ()
    chunky.judge(request)
    pages, offset = [], 0
    while True:
        page = read_series_outcomes(objects, request.run, offset, 2)
        pages.append([outcome.name for outcome in page.items])
        if page.next is None:
            break
        offset = page.next
    order = sorted([A, B, C], key=lambda one: (one.metric, one.id))
    assert pages == [[str(order[0]), str(order[1])], [str(order[2])]]
    outcomes = {o.name: o for o in read_series_outcomes(objects, request.run).items}
    assert outcomes[JP].anomalous == 1
    assert (outcomes[JP].points, outcomes[JP].judged, outcomes[JP].error) == (2, 2, None)
    assert all(outcome.done for outcome in outcomes.values())


TOKYO = SourceSpec(
    SOURCE,
    "Asia/Tokyo",
    ExternalMapping(
        connection="warehouse",
        table="eval",
        time=TimeColumns(("at",), "epoch_ms"),
        value_column="score",
        metric="ndcg",
        label_columns=("region",),
    ),
)
HOUR = DAY // 24


def external(folder: Path, values: dict[int, float]) -> None:
    table = pa.table(
        {
            "at": [START + hour * HOUR for hour in values],
            "score": list(values.values()),
            "region": ["jp"] * len(values),
        }
    )
    (folder / "warehouse" / "eval").mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "warehouse" / "eval" / "part.parquet")


def test_points_of_an_external_table_are_copied_for_charts(house: House, tmp_path: Path) -> None:
    values = {hour: float(hour % 5) for hour in range(9, 48)} | {30: 99.0}
    external(tmp_path, values)
    hours: dict[str, Any] = {
        "source": TOKYO,
        "start_ms": START + 9 * HOUR,
        "end_ms": START + 33 * HOUR,
    }
    report = house.run(0, **hours)
    assert (report.outcome, house.found()) == ("succeeded", {(JP, 1)})

    def stored() -> dict[int, float | None]:
        days = house.stores.index.points(SOURCE, [A.id], START, START + 2 * DAY)
        return {t: v for day in days for t, v in zip(day.ts_ms, day.values, strict=True)}

    assert stored() == {START + h * HOUR: v for h, v in values.items() if h < 33}
    (entry,) = house.stores.index.series(SOURCE).items
    assert (entry.series, dict(entry.labels), entry.step_ms) == (A.id, {"region": "jp"}, HOUR)
    # The next local day begins in the middle of a UTC day: the half that is there stays.
    hours = {"source": TOKYO, "start_ms": START + 33 * HOUR, "end_ms": START + 48 * HOUR}
    house.run(0, **hours)
    assert stored() == {START + h * HOUR: v for h, v in values.items()}
    # A point that vanished from the table vanishes from the chart.
    external(tmp_path, {h: v for h, v in values.items() if h != 40})
    house.run(0, **hours)
    assert START + 40 * HOUR not in stored()
    # So does the last point of a day; what lies outside of the range is not looked at.
    external(tmp_path, {h: v for h, v in values.items() if h < 33})
    house.run(0, **hours)
    assert stored() == {START + h * HOUR: v for h, v in values.items() if h < 33}


def test_an_external_gap_withdraws_nothing(house: House, tmp_path: Path) -> None:
    values = dict.fromkeys(range(24), 1.0) | {12: 99.0}
    external(tmp_path, values)
    house.run(1, source=TOKYO)
    assert len(house.found()) == 1
    external(tmp_path, {h: v for h, v in values.items() if h != 12})
    report = house.run(1, source=TOKYO)
    assert nonzero(report)["unverified"] == 1
    assert len(house.found()) == 1


def test_what_publish_commits_is_small(chunky: House) -> None:
    chunky.put(flat(A, 5) | flat(B, 5) | spike(A, 3))
    report = chunky.run(5)
    commit = read_commit(chunky.stores.objects, f"{run_root(report.run)}/{PUBLISH}")
    assert commit is not None
    body = commit.read(Published)
    assert [used.chunk for used in body.chunks] == [0, 1]
    assert sorted(used.writes is None for used in body.chunks) == [False, True]
    assert body.generation == report.generation
