"""Which series a release concerns, and what a restarted baseline does to verdicts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detectors import detector_from_dict
from tests.workflows.publishing import DAY, START, House, Points, house_at, key
from workflows.chunk import read_chunk
from workflows.detect import detect
from workflows.readiness import Readiness
from workflows.releases import Release, restarts
from workflows.verdicts import Judge

WINDOW = {"type": "window", "window": "28d", "min_points": 10, "min_rel_change": 0.01}
JP, TW = key("ndcg", region="jp"), key("ndcg", region="tw")
RESTART = Release("v10", START + 35 * DAY, restarted=True, labels={"region": ("jp",)})


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[House]:
    with house_at(tmp_path) as one:
        yield one


def steps_down(series: Any, days: int = 60, day: int = 35) -> Points:
    """A gentle wave that goes on at another level from a day on."""
    return {
        (series, START + at * DAY): (0.4 if at < day else 0.2) + 0.004 * (at % 5)
        for at in range(days)
    }


@pytest.mark.parametrize(
    ("release", "concerned"),
    [
        (Release("r", 0), True),
        (Release("r", 0, metrics=("ndcg@*",)), True),
        (Release("r", 0, metrics=("auc", "ndcg?10")), True),
        (Release("r", 0, metrics=("ndcg",)), False),
        (Release("r", 0, labels={"region": ("jp", "tw")}), True),
        (Release("r", 0, labels={"region": ("!jp",)}), False),
        (Release("r", 0, labels={"region": None}), False),
        (Release("r", 0, labels={"model": ("v10",)}), True),  # the series joins all versions
    ],
)
def test_a_release_concerns_series_of_its_metrics_and_labels(
    release: Release, concerned: bool
) -> None:
    assert release.concerns("ndcg@10", {"region": "jp"}) is concerned


def test_only_restarts_divide_and_in_order() -> None:
    releases = (
        Release("b", 9, restarted=True),
        Release("kept", 5),
        Release("a", 3, restarted=True),
        Release("again", 9, restarted=True),
    )
    assert restarts(releases, "ndcg", {}) == (3, 9)


def anomalous(rooms: House, *releases: Release, **asked: Any) -> set[tuple[str, int]]:
    report = rooms.run(
        60,
        detector=WINDOW,
        start_ms=START + 30 * DAY,
        releases=releases,
        rule=f"rule-{len(releases)}",
        **asked,
    )
    assert report.counts["failed"] == 0
    return set(rooms.anomalies(status="found", rule=f"rule-{len(releases)}"))


def test_a_restarted_baseline_makes_a_new_level_no_news(rooms: House) -> None:
    rooms.put({**steps_down(JP), **steps_down(TW)})
    before = anomalous(rooms)
    assert {name for name, _ in before} == {str(JP), str(TW)}
    assert anomalous(rooms, RESTART) == {one for one in before if one[0] == str(TW)}


def test_a_kept_baseline_changes_nothing(rooms: House) -> None:
    rooms.put(steps_down(JP))
    assert anomalous(rooms) == anomalous(rooms, Release("v10", START + 35 * DAY))


def test_each_side_is_judged_as_a_series_of_its_own(rooms: House) -> None:
    """In the range itself: before the restart by what was before, after it by what came after."""
    rooms.put(steps_down(JP))
    rooms.put({(JP, START + 33 * DAY): 0.1, (JP, START + 58 * DAY): 0.6})
    request = rooms.request(60, detector=WINDOW, start_ms=START + 30 * DAY, releases=(RESTART,))
    rooms.judge(request)
    found = read_chunk(rooms.stores.objects, request.run, 0)
    assert found is not None
    counts = found[0].counts
    assert counts["insufficient_history"] == 10
    assert (counts["judged"], counts["anomalous"]) == (20, 2)
    assert detect(rooms.context, request.run, 0) == found[0]


class _Fails:
    """A detector of which one half of a series is too much."""

    def try_many(self, *given: Any, **more: Any) -> list[Any]:
        raise RuntimeError("no batches")

    def detect(self, series: Any, start_ms: int, end_ms: int, **more: Any) -> Any:
        if start_ms >= START + 35 * DAY:
            raise ValueError("too much")
        return detector_from_dict(WINDOW).detect(series, start_ms, end_ms)


def test_a_part_that_fails_costs_its_series(rooms: House) -> None:
    from workflows.inputs import split
    from workflows.joining import read_series

    rooms.put({**steps_down(JP), **steps_down(TW)})
    request = rooms.request(60)
    scan = read_series(rooms.stores.archive, request, START, Path(), 1)
    import pyarrow as pa

    (block,) = split(pa.Table.from_batches(list(scan.batches)), 1_000)
    number = list(scan.keys).index(JP)
    detector: Any = _Fails()
    judge = Judge(
        detector,
        START + 30 * DAY,
        START + 60 * DAY,
        Readiness(detector_from_dict(WINDOW)),
        {number: (START + 35 * DAY,)},
    )
    rows, series = judge.judge(block, None)
    errors = dict(zip(series["number"].to_pylist(), series["error"].to_pylist(), strict=True))
    assert errors == {number: "ValueError: too much", 1 - number: None}
    assert set(rows["number"].to_pylist()) == {1 - number}
