"""Episodes: one row for anomalies that follow one another on one side."""

from typing import Any

import numpy as np
import pytest

from detectors import Direction, ParameterError, Result, Severity, Threshold
from detectors.episodes import episodes
from tests.detectors.cases import daily, local_midnights, series


def judged(values: list[float], times: Any = None, **parameters: Any) -> Result:
    detector = Threshold(lower={"warning": 0.0, "critical": -50.0}, upper=10.0, **parameters)
    return detector.detect(series(daily(len(values)) if times is None else times, values))


def spans(result: Result, max_gap: Any = 0) -> list[tuple[int, int, int]]:
    return [(one.first, one.last, one.points) for one in episodes(result, max_gap)]


def test_adjacent_points_are_one_row_that_says_what_they_were() -> None:
    result = judged([1, -20, -60, -30, 1])
    (one,) = episodes(result)
    assert (one.start, one.end, one.peak_time) == tuple(result.times[[1, 3, 2]])
    assert (one.first, one.last, one.peak, one.points) == (1, 3, 2, 3)
    assert one.severity == Severity.CRITICAL
    assert one.direction == Direction.DOWN
    assert one.peak_score == result.score[2]


def test_a_change_of_side_is_another_episode() -> None:
    assert spans(judged([1, 12, -3, 12, 12, 1])) == [(1, 1, 1), (2, 2, 1), (3, 4, 2)]


@pytest.mark.parametrize(
    ("max_gap", "wanted"),
    [
        (0, [(0, 0, 1), (2, 2, 1), (5, 6, 2)]),
        (1, [(0, 2, 2), (5, 6, 2)]),
        ("1d", [(0, 2, 2), (5, 6, 2)]),
        (2, [(0, 6, 4)]),
    ],
)
def test_a_gap_without_anomalies_may_be_bridged(max_gap: Any, wanted: list[Any]) -> None:
    assert spans(judged([12, 1, 12, 1, 1, 12, 12, 1]), max_gap) == wanted


def test_a_step_without_data_ends_an_episode_unless_bridged() -> None:
    result = judged([12, np.nan, 12, 1])
    assert spans(result) == [(0, 0, 1), (2, 2, 1)]
    assert spans(result, 1) == [(0, 2, 2)]


def test_missing_data_that_is_anomalous_is_an_episode_without_a_score() -> None:
    (one,) = episodes(judged([1, np.nan, np.nan, 1], no_data="anomaly"))
    assert (one.first, one.last, one.direction) == (1, 2, Direction.NONE)
    assert np.isnan(one.peak_score)


def test_a_day_of_25_hours_breaks_nothing() -> None:
    times = local_midnights("2025-10-24", 5, "Europe/Berlin")
    assert spans(judged([12.0] * 5, times, timezone="Europe/Berlin")) == [(0, 4, 5)]


def test_no_anomaly_no_row() -> None:
    assert episodes(judged([1, 2, 3])) == []
    assert episodes(judged([])) == []
    assert spans(judged([12])) == [(0, 0, 1)]


def test_a_bad_gap_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match="max_gap"):
        episodes(judged([12]), "soon")
