"""Window gives the answers of its slow and obvious version."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import ParameterError, Reason, Window
from detectors.catalog import detector_from_stored
from tests.detectors import naive
from tests.detectors.cases import DAY, HOUR, daily, hourly, local_midnights, noise, series
from tests.detectors.naive import Row

BERLIN = "Europe/Berlin"
METHODS: list[dict[str, Any]] = [
    {"method": "z"},
    {"method": "robust"},
    {"method": "pct", "p": 1.5},
    {"method": "pct", "p": 1.5, "centre": "median"},
    {"method": "quantile"},
]


def window(**parameters: Any) -> Window:
    """A Window of parameters as a request spells them, without those that have no effect."""
    found = detector_from_stored({"type": "window", **parameters})
    assert isinstance(found, Window)
    return found


def check(detector: Window, times: Any, values: Any, step: timedelta) -> None:
    """Compare every row that has a point."""
    result = detector.detect(series(times, values), step=step)
    own = np.isin(result.times.astype(np.int64), times)
    rows = naive.window([int(t) for t in times], [float(v) for v in values], detector, step)
    assert own.sum() == len(rows)
    for i, row in zip(np.flatnonzero(own), rows, strict=True):
        assert Reason(result.reason[i]).name.lower() == row.reason, i
        assert result.is_anomaly[i] == row.is_anomaly, i
        assert result.severity[i] == row.severity, i
        assert result.direction[i] == row.direction, i
        _close(result, int(i), row)


def _close(result: Any, i: int, row: Row) -> None:
    if row.reason == "no_data":
        return
    found = [getattr(result, name)[i] for name in ("expected", "lower", "upper", "score")]
    wanted = [row.expected, row.lower, row.upper, row.score]
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("direction", ["both", "down"])
def test_daily_windows(method: dict[str, Any], direction: Any) -> None:
    values = noise(90) + np.random.default_rng(1).standard_t(2, 90)
    values[[20, 21, 50]] = np.nan
    detector = window(window="28d", min_points=4, direction=direction, **method)
    check(detector, daily(90), values, DAY)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spread", ["pooled", "per_key"])
def test_weekdays(method: dict[str, Any], spread: Any) -> None:
    times = local_midnights("2026-02-01", 90, BERLIN)
    values = noise(90) + 5 * (np.arange(90) % 7 == 3) + np.random.default_rng(1).standard_t(3, 90)
    keep = np.delete(np.arange(90), [30, 31, 32, 33, 60])
    detector = window(
        window="6w", season="day_of_week", spread=spread, min_points=3, timezone=BERLIN, **method
    )
    check(detector, times[keep], values[keep], DAY)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("season", ["hour_of_day", "hour_of_week"])
def test_hours_with_a_spread_of_their_own(method: dict[str, Any], season: Any) -> None:
    times = hourly(26 * 24)[::6]
    values = noise(len(times)) * (1 + 3 * (np.arange(len(times)) % 4 == 3))
    values[[98, 99, 102]] = 4
    keep = np.delete(np.arange(len(times)), [20, 21, 68])
    detector = window(window="25d", season=season, spread="per_hour", min_points=3, **method)
    check(detector, times[keep], values[keep], 6 * HOUR)


def test_weekdays_have_no_spread_by_hour() -> None:
    with pytest.raises(ParameterError, match=r"spread.*hour_of_day or hour_of_week"):
        Window(season="day_of_week", spread="per_hour")


@pytest.mark.parametrize("step_by", ["point", "day"])
@pytest.mark.parametrize("season", ["none", "hour_of_day"])
def test_hours_across_a_change_of_clocks(step_by: Any, season: Any) -> None:
    times = hourly(9 * 24, int(np.datetime64("2026-03-25T00", "ms").astype(np.int64)))
    values = noise(len(times)) + np.sin(np.arange(len(times)) * np.pi / 12)
    values[100] += 20
    keep = np.delete(np.arange(len(times)), [40, 41, 42, 150])
    detector = window(
        window="4d", gap="6h", season=season, step_by=step_by, min_points=3, timezone=BERLIN
    )
    check(detector, times[keep], values[keep], HOUR)


@pytest.mark.parametrize("length", [12, "12d"])
@pytest.mark.parametrize("gap", [0, 2, "2d"])
def test_gaps_and_counts(length: Any, gap: Any) -> None:
    detector = window(window=length, gap=gap, min_points=5)
    check(detector, daily(40), noise(40) * np.linspace(1, 2, 40), DAY)


def test_holidays_and_excluded_ranges_are_in_no_baseline() -> None:
    times = local_midnights("2025-12-01", 60, BERLIN)
    values = noise(60)
    values[[24, 25, 31, 40]] = 50
    detector = window(
        window=20,
        min_points=3,
        holidays="DE",
        exclude=[("2026-01-10", "2026-01-11T12:00:00+01:00")],
        timezone=BERLIN,
    )
    check(detector, times, values, DAY)
    result = detector.detect(series(times, values))
    assert result.is_anomaly[[24, 25, 31, 40]].all(), "a holiday itself is judged"


@pytest.mark.parametrize("change", [{}, {"min_abs_change": 2.0}, {"min_rel_change": 0.5}])
@pytest.mark.parametrize("method", METHODS)
def test_baselines_without_spread(change: dict[str, Any], method: dict[str, Any]) -> None:
    values = np.array([7.0] * 12 + [8.0] + [7.0] * 12 + [0.0] + [7.0] * 4)
    check(Window(window=10, min_points=5, **change, **method), daily(30), values, DAY)


def test_one_baseline_for_the_whole_range() -> None:
    values = noise(60)
    values[50:] += 10
    detector = window(window=20, baseline="before_range", min_points=5)
    result = detector.detect(series(daily(60), values), int(daily()[45]))
    assert len(set(result.expected.tolist())) == 1
    assert result.expected[0] == pytest.approx(values[25:45].mean())
    assert result.is_anomaly.tolist() == [False] * 5 + [True] * 10
    rolling = Window(window=20, min_points=5).detect(series(daily(60), values), int(daily()[45]))
    assert not rolling.is_anomaly[-1]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    values=st.lists(
        # Six decimals: whether a spread of 1e-59 beside a 1 is one is decided by rounding.
        st.one_of(
            st.integers(-3, 3),
            st.floats(-1e6, 1e6).map(lambda value: round(value, 6)),
            st.just(float("nan")),
        ),
        min_size=1,
        max_size=40,
    ),
    length=st.integers(2, 15),
    gap=st.integers(0, 1),
    method=st.sampled_from(METHODS),
    season=st.sampled_from(["none", "day_of_week"]),
    spread=st.sampled_from(["pooled", "per_key"]),
)
def test_anything(
    values: list[float], length: int, gap: int, method: Any, season: Any, spread: Any
) -> None:
    fewest = min(3, length - gap)
    detector = window(
        window=length, gap=gap, season=season, spread=spread, min_points=fewest, **method
    )
    rows = naive.window(daily(len(values)).tolist(), values, detector, DAY)
    try:
        found = detector.detect(series(daily(len(values)), values), step=DAY)
    except ParameterError:  # two weeks hold two points of one weekday
        assert not {row.reason for row in rows} - {"insufficient_history", "no_data"}
        return
    for i, row in enumerate(rows):
        assert Reason(found.reason[i]).name.lower() == row.reason
        if row.reason == "ok" and abs(row.score - 1) > 1e-6:
            assert found.is_anomaly[i] == row.is_anomaly
            assert found.score[i] == pytest.approx(row.score, rel=1e-6, abs=1e-6)
