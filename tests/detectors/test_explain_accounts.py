"""What each detector tells of its baseline, against the baseline worked out the slow way."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import median_abs_deviation

from detectors import Auto, Prophet, SeasonalESD, Series, Threshold, TrendChange, Window
from detectors.detector import Detector
from detectors.explain import Step
from detectors.series import Floats
from tests.detectors.cases import LEVEL, daily, detector_of, hourly, noise, planted


def baseline(detector: Detector, values: Floats, at: int = -1, **more: Any) -> Step:
    times = more.pop("times", daily(len(values)))
    return detector.explain(Series(times, values), times[at]).step("baseline")


def number(step: Step, name: str) -> float:
    value = step.fact(name)
    assert isinstance(value, float | int), (name, value)
    return float(value)


def test_window_tells_points_centre_and_factor() -> None:
    values = noise(60)
    values[40:42] = np.nan
    told = baseline(detector_of("window", exclude=[["2025-10-20", "2025-10-22"]]), values)
    used = np.delete(values[-29:-1], [*np.flatnonzero(np.isnan(values[-29:-1])), 18, 19])
    assert told.fact("points") == len(used) == 24
    assert told.fact("no_data") == 2
    assert told.fact("excluded") == 2
    assert told.fact("from") == "2025-10-02T00:00:00Z"
    assert told.fact("to") == "2025-10-30T00:00:00Z"
    assert number(told, "centre") == pytest.approx(used.mean())
    assert number(told, "spread_below") == pytest.approx(used.std(ddof=1))
    assert number(told, "factor") > number(told, "k") == 3
    assert "leaving out 2 steps without data and 2 points on holidays" in told.says


def test_window_counts_the_points_of_the_same_season_only() -> None:
    values = noise(120)
    told = baseline(Window(season="day_of_week", method="robust"), values)
    assert told.fact("points") == 8
    assert told.fact("other_seasons") == 48
    assert number(told, "centre") == pytest.approx(np.median(values[-8::-7][:8]))
    assert "8 points of the same day of the week" in told.says


def test_window_says_how_many_points_are_needed_and_when_there_will_be_enough() -> None:
    told = Window().explain(Series(daily(6), noise(6)), daily()[5])
    assert told.step("baseline").fact("points") == 5
    assert told.step("baseline").fact("needed") == 10
    assert told.step("missing").fact("ready_at") == "2025-09-11T00:00:00Z"
    says = "There are 5 points of history, and 10 are needed."
    assert told.step("missing").says.startswith(says)
    ready = Series(daily(11), noise(11))
    assert Window().explain(ready, "2025-09-11").step("verdict").fact("reason") == "ok"
    assert Window().explain(ready, "2025-09-10").step("verdict").fact("score") is None


@pytest.mark.parametrize("method", ["pct", "quantile"])
def test_other_methods_of_window_tell_theirs(method: Any) -> None:
    told = baseline(Window(method=method), noise(60))
    assert told.fact("method") == method
    assert number(told, "centre") == pytest.approx(LEVEL, abs=2)


def test_threshold_tells_which_bound_and_which_hours() -> None:
    detector = Threshold(
        lower={"warning": 90, "critical": 80}, season={"0-23": {"lower": 50, "upper": 120}}
    )
    monday, tuesday = (baseline(detector, noise(9), at) for at in (0, 1))
    assert (monday.fact("season"), tuesday.fact("season")) == ("0-23", None)
    assert monday.fact("lower_major") == 50
    assert monday.fact("upper_major") == 120
    assert tuesday.fact("lower_warning") == 90
    assert tuesday.fact("lower_critical") == 80
    assert tuesday.fact("upper_major") is None
    assert "lower for warning 90, lower for critical 80" in tuesday.says


def test_the_parts_of_prophets_forecast_make_the_band() -> None:
    values = noise(200) + 5 * np.sin(np.arange(200) * 2 * np.pi / 7)
    detector = detector_of("prophet", holidays=["2025-12-25", "2026-03-19"])
    trace = detector.explain(Series(daily(200), values), daily(200)[-1])
    told, bound = trace.step("baseline"), trace.step("bound")
    parts = sum(number(told, name) for name in ("trend", "weekly", "holidays"))
    assert parts == pytest.approx(number(told, "forecast"))
    assert number(told, "forecast") == pytest.approx(number(told, "expected"))
    upper = number(told, "forecast") + number(told, "factor") * number(told, "sigma")
    assert upper == pytest.approx(number(bound, "band_upper"))
    assert told.fact("points") == 199
    assert told.fact("refit") == "2026-03-19T00:00:00Z"
    assert abs(number(told, "holidays")) < abs(number(told, "weekly"))


def test_the_parts_of_a_product_multiply() -> None:
    values = noise(200) * (1 + 0.1 * np.sin(np.arange(200) * 2 * np.pi / 7))
    told = baseline(Prophet(seasonality_mode="multiplicative"), values)
    made = number(told, "trend") * (1 + number(told, "weekly"))
    assert made == pytest.approx(number(told, "forecast"))


def test_prophet_says_how_many_points_are_needed() -> None:
    told = baseline(Prophet(), noise(40))
    assert (told.fact("points"), told.fact("needed")) == (39, 90)
    assert "at least 90 points are needed" in told.says
    hours = baseline(Prophet(min_points=30), noise(60), times=hourly(60))
    assert (hours.fact("points"), hours.fact("needed")) == (48, 49), "two days and a point"


def test_the_test_tells_at_which_step_a_point_was_removed() -> None:
    values = planted(120, -3, 60.0) + 5 * (np.arange(120) % 7)
    values[-20] -= 90
    detector = SeasonalESD()
    first, second, normal = (baseline(detector, values, at) for at in (-20, -3, -5))
    assert [one.fact("removed_at") for one in (first, second, normal)] == [1, 2, None]
    assert first.fact("accepted") == 2
    level, rest = number(first, "level"), number(first, "residual")
    assert level == pytest.approx(np.median(values))
    assert level + number(first, "seasonal") + rest == pytest.approx(values[-20])
    assert "removed it as the 1st of 2 anomalies" in first.says
    residuals = np.array([number(baseline(detector, values, at), "residual")
                          for at in range(-120, 0)])  # fmt: skip
    left = np.delete(residuals, 100)
    assert number(second, "median") == pytest.approx(np.median(left))
    assert number(second, "mad") == pytest.approx(median_abs_deviation(left, scale="normal"), 1e-4)


def test_the_test_says_why_it_did_not_happen() -> None:
    short = baseline(SeasonalESD(), noise(13))
    assert (short.fact("points"), short.fact("needed")) == (13, 15)
    gap = np.delete(np.arange(60), np.arange(30, 35))
    times = daily(60)[gap]
    torn = baseline(SeasonalESD(), noise(55), times=times)
    assert "a gap in them is too long" in torn.says


def test_detectors_without_an_account_of_their_own_name_their_points() -> None:
    told = baseline(SeasonalESD(compat="twitter", period=7), noise(60))
    assert told.fact("points") == 59
    assert told.says.startswith("The detector was given 59 points before this one")


def test_a_change_is_told_with_its_size_and_its_date() -> None:
    values = noise(90)
    values[60:] += 12
    begins, normal = (baseline(TrendChange(), values, at) for at in (60, 61))
    assert begins.fact("kind") == "level"
    assert number(begins, "size") == pytest.approx(12, abs=1)
    rise = number(begins, "fitted") - number(begins, "without")
    assert rise == pytest.approx(number(begins, "size"))
    assert "The level changes by +1" in begins.says
    assert "more than 99.9 % sure" in begins.says
    assert normal.fact("kind") is None
    assert normal.says.endswith("None begins here.")
    assert "No change is found" in baseline(TrendChange(), noise(90)).says
    assert "at least 24 points are needed" in baseline(TrendChange(), noise(12)).says


def test_auto_names_what_it_chose() -> None:
    times = daily(60)
    trace = Auto().explain(Series(times, noise(60)), times[-1], times[-3])
    result = Auto().detect(Series(times, noise(60)), times[-3])
    assert trace.step("baseline").says.startswith(f"Chosen is {result.chosen}. ")
