"""What every implementation of the index does with charts and the catalog: external versions."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from storage.index import ExpiredMonth, Index, MetricSummary, SeriesEntry, WriteOutcome
from tests.storage.documents import DAY_MS, anomaly, band, day, entry, new
from tests.storage.implementations import INDEXES, contract, discard_index


@pytest.fixture(params=contract(INDEXES))
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Index]:
    opened = INDEXES[request.param](tmp_path)
    yield opened
    opened.close()
    discard_index(request.param, tmp_path)


def test_days_of_points_come_by_series_then_day(index: Index) -> None:
    days = [day(n, series=series) for series in ("b", "a") for n in (2, 0, 1)]
    index.put_points(days)
    index.refresh()
    start = day(0).ts_ms[0]
    found = list(index.points("s", ["b", "a", "zz"], start + 1, start + DAY_MS + 1))
    assert [(each.series, each.day) for each in found] == [
        ("a", "2026-01-01"),
        ("a", "2026-01-02"),
        ("b", "2026-01-01"),
        ("b", "2026-01-02"),
    ]
    assert list(index.points("s", ["a"], start, start)) == []
    assert len(list(index.points("s", ["a", "a"], -(10**17), 10**17))) == 3
    assert len(list(index.points("s", ["a"], start, start + DAY_MS))) == 1


@pytest.mark.parametrize(("sequence", "wins"), [(1, False), (2, True), (3, True)])
def test_a_day_is_replaced_unless_the_stored_one_is_newer(
    index: Index, sequence: int, wins: bool
) -> None:
    index.put_points([day(sequence=2, values=(1.0, None))])
    index.put_points([day(sequence=sequence, values=(5.0, None, float("nan")))])
    index.refresh()
    (found,) = index.points("s", ["q"], 0, 10**13)
    assert list(found.values) == ([5.0, None, None] if wins else [1.0, None])
    assert found.sequence == max(sequence, 2)
    assert len(found.ts_ms) == len(found.values)


def test_bands_come_newest_generation_last(index: Index) -> None:
    index.put_bands([band(3, run="c"), band(1, run="a"), band(2, run="b"), band(9, rule="x")])
    index.put_bands([band(2, run="c")])
    index.refresh()
    assert [each.generation for each in index.bands("s", ["q"], "r")] == [1, 2, 3]
    assert [each.generation for each in index.bands("s", ["q"], None)] == [1, 2, 3, 9]
    (last,) = [each for each in index.bands("s", ["q"], "r") if each.run == "c"]
    assert list(last.expected) == [3.0, None]


def test_the_catalog_widens_and_learns(index: Index) -> None:
    """Entries arrive in any order: the answer is the same."""
    entries = [
        entry(sequence=2, first_ms=10, last_ms=20, step_ms=60),
        entry(sequence=1, first_ms=5, last_ms=7, step_ms=30),
        entry(sequence=3, first_ms=15, last_ms=30, step_ms=None),
    ]
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        index.purge("s")
        for position in order:
            index.put_series([entries[position]])
        index.refresh()
        (found,) = index.series("s").items
        assert (found.first_ms, found.last_ms, found.step_ms) == (5, 30, 60)
        assert (found.first_ms, found.last_ms, found.sequence) == (5, 30, 3)


def test_the_catalog_is_ordered_and_paged(index: Index) -> None:
    entries = [entry(metric, labels={"n": str(n)}) for metric in ("b", "a") for n in range(7)]
    index.put_series([*entries, entry(source="other")])
    index.refresh()
    seen: list[SeriesEntry] = []
    cursor = None
    while True:
        page = index.series("s", limit=4, cursor=cursor)
        seen.extend(page.items)
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == sorted(entries, key=lambda each: (each.metric, each.series))


def test_metrics_have_their_coarsest_step(index: Index) -> None:
    index.put_series([
        entry("a", labels={"x": "1"}, step_ms=60, first_ms=1, last_ms=5),
        entry("a", labels={"x": "2"}, step_ms=3600, first_ms=0, last_ms=3),
        entry("b"),
        entry("a", source="other", step_ms=99_999),
    ])  # fmt: skip
    index.refresh()
    assert index.metrics("s") == {
        "a": MetricSummary(2, 3600, 0, 5),
        "b": MetricSummary(1, None, 10, 20),
    }
    assert index.metrics("nobody") == {}


def test_purge_removes_one_source_only(index: Index) -> None:
    for source in ("s", "t"):
        index.write_anomalies(new(anomaly(n, source=source)) for n in range(2_500))
        index.put_points([day(source=source)])
        index.put_series([entry(source=source)])
    index.put_bands([band()])
    index.refresh()
    assert index.counts() == {"anomalies": 5_000, "points": 2, "bands": 1, "series": 2}
    index.purge("s")
    index.refresh()
    assert index.counts() == {"anomalies": 2_500, "points": 1, "bands": 0, "series": 1}


def test_whole_months_expire_and_the_catalog_stays(index: Index) -> None:
    february_ms = 1_769_904_000_000  # 2026-02-01
    times = (february_ms - 31 * DAY_MS - 1, february_ms - 1, february_ms, -1)
    index.write_anomalies(new(anomaly(ts)) for ts in times)
    index.put_points([day(n) for n in (29, 30)])
    index.put_bands([replace(band(), ts_ms=[1, february_ms - 1]), replace(band(run="v"), ts_ms=[])])
    index.put_series([entry()])
    index.refresh()
    assert index.expire(february_ms - 1, dry_run=True) == [
        ExpiredMonth("1969-12", "anomalies", 1),
        ExpiredMonth("1970-01", "bands", 1),
        ExpiredMonth("2025-12", "anomalies", 1),
    ]
    january = [
        ExpiredMonth("2026-01", "anomalies", 1),
        ExpiredMonth("2026-01", "bands", 1),
        ExpiredMonth("2026-01", "points", 2),
    ]
    assert index.expire(february_ms)[3:] == january
    assert index.expire(february_ms) == []
    index.refresh()
    assert index.counts() == {"anomalies": 1, "points": 0, "bands": 0, "series": 1}
    index.put_points([day(29)])
    index.refresh()
    assert index.counts()["points"] == 1


def test_nothing_to_write_is_fine(index: Index) -> None:
    assert index.write_anomalies([]) == WriteOutcome(0, 0)
    index.put_points([])
    index.put_bands([])
    index.put_series([])
