"""The quality benchmark: what it plants and counts, and that its page is what was measured."""

import json
from typing import Any

import numpy as np
import pytest

from benchmarks.quality import page
from benchmarks.quality.events import KINDS, POINTS, planted
from benchmarks.quality.metrics import METRICS, Name, simulated
from benchmarks.quality.nab import starts
from benchmarks.quality.picture import picture
from benchmarks.quality.trial import HORIZON, Verdicts, complete, found, quiet, verdicts
from detectors.wall_clock import DAY_MS, MINUTE_MS


def test_the_page_and_its_picture_are_what_was_measured() -> None:
    results = json.loads(page.RESULTS.read_text())
    said = "python -m benchmarks.quality --page"
    assert page.PAGE_PATH.read_text() == page.text(results), said
    assert page.PICTURE_PATH.read_text() == picture(results["planted"]), said
    assert page.RESULTS.read_text() == page.dumped(results)


@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_the_same_each_time_and_possible(name: Name) -> None:
    family = simulated(name, "daily", 4, 100, 1)
    again = simulated(name, "daily", 4, 100, 1)
    assert np.array_equal(family.values, again.values)
    assert np.array_equal(family.within(family.values), family.values)
    assert (np.diff(family.times) == DAY_MS).all()
    other = simulated(name, "daily", 4, 100, 2)
    assert not np.array_equal(family.values, other.values)


@pytest.mark.parametrize("kind", KINDS)
def test_one_event_stands_where_it_is_said(kind: Any) -> None:
    family = simulated("ndcg", "daily", 30, 120, 1)
    made = planted(family, kind, 60, 1)
    changed = (made.values != family.values) | np.isnan(made.values)
    assert made.points == POINTS[kind]["daily"]
    for row, first in enumerate(made.first.tolist()):
        columns = np.flatnonzero(changed[row])
        assert 60 <= first <= columns[0]
        assert columns[-1] < first + made.points <= 120
    assert np.isnan(made.values).any() == (kind == "missing")


def test_a_plain_window_finds_spikes_and_leaves_calm_series_alone() -> None:
    history, longest = 28, 28
    points = longest + HORIZON["daily"]
    family = simulated("latency", "daily", 20, points, 3)
    detector = complete({"type": "window", "season": "day_of_week"}, "daily")
    spikes = found(family, detector, history, longest, 3)["spike"]
    assert spikes.events == 20
    assert spikes.found >= 12
    assert spikes.delay == 0
    calm = quiet(family, family.values, detector, history)
    assert calm.judged == 1
    assert calm.years == pytest.approx(20 * 60 / 365.25)
    assert calm.episodes <= calm.points <= 20


def test_a_threshold_has_the_bounds_of_its_history() -> None:
    family = simulated("ndcg", "daily", 3, 28 + HORIZON["daily"], 1)
    family.values[0, 40] = 0.9
    said = verdicts(family, family.values, complete({"type": "threshold"}, "daily"), 28)
    assert said.anomaly[0, 40 - 28]
    history, later = family.values[:, :28], family.values[:, 28:]
    lowest, highest = history.min(axis=1), history.max(axis=1)
    beyond = (highest - lowest) / 4
    outside = (later < (lowest - beyond)[:, None]) | (later > (highest + beyond)[:, None])
    assert np.array_equal(said.anomaly, outside)
    assert said.judged.all()


def test_a_change_counts_at_the_date_that_some_week_gave_it() -> None:
    family = simulated("ndcg", "daily", 10, 90 + HORIZON["daily"], 1)
    detector = complete({"type": "trend_change"}, "daily")
    levels = found(family, detector, 90, 90, 1)["level"]
    assert levels.found >= 8
    assert levels.delay == 0
    assert levels.judged == 1


def test_an_episode_is_counted_once_and_a_gap_may_be_merged() -> None:
    anomaly = np.array([[1, 1, 0, 1, 1], [1, 0, 0, 0, 1]], bool)
    side = np.where(anomaly, [[1, 1, 0, 1, -1], [1, 0, 0, 0, 1]], 0).astype(np.int8)
    said = Verdicts(anomaly, side, ~anomaly, np.zeros_like(anomaly))
    assert said.starts.astype(int).tolist() == [[1, 0, 0, 1, 1], [1, 0, 0, 0, 1]]
    assert [said.episodes(gap) for gap in (0, 1, 3)] == [5, 4, 3]


def test_rows_within_the_merged_time_begin_no_episode_of_nab() -> None:
    times = (5 * MINUTE_MS * np.arange(200)).astype("datetime64[ms]")
    above = np.zeros(200, bool)
    above[[3, 4, 90, 195]] = True
    assert np.flatnonzero(starts(times, above)).tolist() == [3, 195]
    assert not starts(times, np.zeros(200, bool)).any()
