"""What `auto` takes for a series, and that it says so and changes nothing else."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from detectors import Auto, ParameterError, Prophet, Result, SeriesError, Window, detector_from_dict
from detectors.auto import choice_for
from detectors.auto.choice import choices_at
from detectors.wall_clock import DAY_MS, HOUR_MS, MINUTE_MS
from tests.detectors.cases import DAY, HOUR, daily, hourly, noise, planted, same, series

FORECAST = {"type": "prophet", "min_points": 60, "interval_width": 0.9995}


def taken(points: int, step_ms: int = DAY_MS) -> dict[str, Any]:
    return dict(choice_for(step_ms, points).parameters)


@pytest.mark.parametrize(
    ("step_ms", "points", "parameters"),
    [
        (7 * DAY_MS, 500, {"type": "window"}),
        (DAY_MS, 0, {"type": "window"}),
        (DAY_MS, 20, {"type": "window"}),
        (DAY_MS, 21, {"type": "window", "season": "day_of_week"}),
        (DAY_MS, 59, {"type": "window", "season": "day_of_week"}),
        (DAY_MS, 60, FORECAST),
        (23 * HOUR_MS, 60, FORECAST),
        (HOUR_MS, 71, {"type": "window", "k": 4.0}),
        (HOUR_MS, 72, {"type": "window", "season": "hour_of_day", "window": "28d", "k": 4.0}),
        (HOUR_MS, 503, {"type": "window", "season": "hour_of_day", "window": "28d", "k": 4.0}),
        (
            HOUR_MS,
            504,
            {"type": "window", "season": "hour_of_week", "spread": "per_hour", "k": 4.0},
        ),
        (MINUTE_MS, 4320, {"type": "window", "season": "hour_of_day", "window": "28d", "k": 5.0}),
    ],
)
def test_step_and_points_before_the_range_decide(
    step_ms: int, points: int, parameters: dict[str, Any]
) -> None:
    assert taken(points, step_ms) == parameters


@pytest.mark.parametrize("step_ms", [MINUTE_MS, HOUR_MS, DAY_MS, 7 * DAY_MS])
def test_as_a_history_grows_each_choice_comes_once(step_ms: int) -> None:
    seen = [choice_for(step_ms, points) for points in range(0, 40_000, 7)]
    changes = [seen[0], *(b for a, b in pairwise(seen) if a != b)]
    assert [str(one) for one in changes] == [str(one) for _, one in choices_at(step_ms)]


def test_a_result_says_what_was_taken_and_is_that_detectors() -> None:
    times = daily()
    one = series(times, planted())
    forecast = Prophet(min_points=60, interval_width=0.9995)
    for first, detector in ((50, Window(season="day_of_week")), (120, forecast)):
        start = int(times[first])
        result = Auto(direction="up").detect(one, start)
        assert result.chosen is not None
        assert result.chosen.parameters["type"] == detector.type
        assert same(result, replace(detector, direction="up").detect(one, start))
    assert Window().detect(one).chosen is None


def test_more_history_than_is_looked_at_changes_no_choice() -> None:
    times = daily(400)
    days = np.arange(400)
    gappy = days[(days < 300) | (days % 7 > 2)]
    long = series(times[gappy], noise(len(gappy)))
    short = series(times[gappy][gappy > 280], noise(int((gappy > 280).sum())))
    results = [Auto().detect(one, int(times[390])) for one in (long, short)]
    assert str(results[0].chosen) == str(results[1].chosen)
    assert "weekday" in str(results[0].chosen)


def test_each_series_of_many_gets_its_own() -> None:
    family = [
        series(daily(), planted()),
        series([], []),
        series(daily(15), noise(15)),
        series(hourly(), noise(720)),
        series([0, 1, 2, 10**12], [1.0] * 4),
    ]
    first, none, young, hours, wild = Auto().try_many(family)
    assert isinstance(wild, SeriesError)
    names = [
        str(one.chosen).split(":")[0] for one in (first, young, hours) if isinstance(one, Result)
    ]
    assert names == [
        "prophet (min_points 60, interval_width 0.9995)",
        "window",
        "window (season hour_of_day, window 28d, k 4.0)",
    ]
    assert isinstance(none, Result)
    assert none.chosen is None


def test_a_parameter_that_one_of_all_refuses_is_refused_at_once() -> None:
    with pytest.raises(ParameterError, match="min_points"):
        Auto(min_points=3)


def test_history_covers_all_that_can_be_chosen() -> None:
    assert Auto().history(0, DAY_MS, DAY) == Prophet().history(0, DAY_MS, DAY)
    assert Auto().history(0, DAY_MS, HOUR) >= timedelta(days=91)
    assert Auto().cost(1000, 7) == max(Prophet().cost(1000, 7), Window().cost(1000, 7))


def test_the_choice_is_a_plain_sentence() -> None:
    for step_ms in (MINUTE_MS, HOUR_MS, DAY_MS, 7 * DAY_MS):
        for _, choice in choices_at(step_ms):
            assert ": " in str(choice)
            assert detector_from_dict(dict(choice.parameters)).type == choice.parameters["type"]
