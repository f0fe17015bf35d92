"""A verdict belongs to the point, not to the request.

Whatever range contains the point, and whether the series comes whole or only from `history` before
the range on, the point's row is the same. SeasonalESD tests a series as a whole and cannot promise
this; neither does Window with `baseline="before_range"`.
"""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Reason, Result, Series
from detectors.detector import Detector
from detectors.series import Millis
from tests.detectors.cases import DAY, HOUR, detector_of, hourly, local_midnights

ZONE = "Europe/Berlin"
DAILY_N, HOURLY_N = 150, 21 * 24

DAILY: list[tuple[str, dict[str, Any]]] = [
    ("threshold", {"consecutive": 3, "max_gap": 2}),
    ("threshold", {"season": {"0-47": {"lower": 99.0}}}),
    ("window", {}),
    ("window", {"method": "robust", "season": "day_of_week", "consecutive": 2}),
    ("window", {"method": "quantile", "window": 20, "gap": "2d", "holidays": "DE"}),
    (
        "window",
        {"method": "pct", "p": 2, "window": "30d", "exclude": [["2026-03-10", "2026-03-20"]]},
    ),
    ("prophet", {"consecutive": 2, "refit_every": "7d", "history_length": "90d"}),
]
HOURLY: list[tuple[str, dict[str, Any]]] = [
    ("threshold", {"consecutive": 2, "max_gap": "3h"}),
    ("window", {"window": "3d", "consecutive": 3}),
    ("window", {"method": "robust", "season": "hour_of_day"}),
    ("window", {"window": "2d", "gap": "5h", "step_by": "point"}),
    ("window", {"window": 30, "gap": 2, "consecutive": 2, "max_gap": 3}),
    ("prophet", {"history_length": "10d"}),
]


def wild(times: Millis, seed: int, points_per_day: int) -> Series:
    """A season, noise with heavy tails, runs, and stretches without data."""
    rng = np.random.default_rng(seed)
    phase = np.arange(len(times)) * 2 * np.pi / (7 if points_per_day == 1 else points_per_day)
    values = 100 + np.sin(phase) + rng.standard_t(3, len(times))
    for at in rng.integers(0, len(times), 4):
        values[at : at + rng.integers(1, 6)] += rng.choice([-12, 12])
    values[rng.random(len(times)) < 0.03] = np.nan
    # First and last points stay, so that the range asked for is the same kind of range.
    keep = (rng.random(len(times)) > 0.03) | (np.arange(len(times)) % (len(times) - 1) == 0)
    return Series(times[keep], values[keep])


def same_verdicts(one: Result, whole: Result) -> None:
    """Every row of one is found in the whole result, equal but for rounding."""
    rows = np.searchsorted(whole.times, one.times)
    assert (whole.times[rows] == one.times).all()
    for column in ("is_anomaly", "direction", "reason"):
        assert getattr(one, column).tolist() == getattr(whole, column)[rows].tolist(), column
    # Only the last expected step of a request warns about missing data.
    judged = one.reason != Reason.NO_DATA
    assert one.severity[judged].tolist() == whole.severity[rows][judged].tolist()
    for column in ("values", "expected", "lower", "upper", "score"):
        np.testing.assert_allclose(
            getattr(one, column), getattr(whole, column)[rows], rtol=1e-9, atol=1e-9
        )


def check(detector: Detector, series: Series, first: int, count: int, step: timedelta) -> None:
    times = series.epoch_ms
    start, end = int(times[first]), int(times[min(first + count, len(times) - 1)])
    whole = detector.detect(series, step=step)
    same_verdicts(detector.detect(series, start, end, step=step), whole)
    history = detector.history(start, end, step) // timedelta(milliseconds=1)
    read = (times >= start - history) & (times < end)
    short = Series(times[read], series.values[read])
    same_verdicts(detector.detect(short, start, end, step=step), whole)


@pytest.mark.parametrize(("type_", "parameters"), DAILY)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=st.integers(0, 999), first=st.integers(0, 120), count=st.integers(1, 40))
def test_daily(type_: str, parameters: dict[str, Any], seed: int, first: int, count: int) -> None:
    series = wild(local_midnights("2025-12-20", DAILY_N, ZONE), seed, 1)
    check(detector_of(type_, timezone=ZONE, **parameters), series, first, count, DAY)


@pytest.mark.parametrize(("type_", "parameters"), HOURLY)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 999), first=st.integers(0, 450), count=st.integers(1, 60))
def test_hourly(type_: str, parameters: dict[str, Any], seed: int, first: int, count: int) -> None:
    march = int(np.datetime64("2026-03-18T00", "ms").astype(np.int64))
    series = wild(hourly(HOURLY_N, march), seed, 24)
    check(detector_of(type_, timezone=ZONE, **parameters), series, first, count, HOUR)


@pytest.mark.parametrize("step", [28 * DAY, 31 * DAY])
@pytest.mark.parametrize(
    ("type_", "parameters"), [("threshold", {"consecutive": 4}), ("window", {})]
)
@pytest.mark.parametrize("first", [50, 51, 52, 53, 80])
def test_monthly(type_: str, parameters: dict[str, Any], step: timedelta, first: int) -> None:
    months = (np.datetime64("2015-01") + np.arange(100)).astype("datetime64[ms]")
    series = wild(months.astype(np.int64), 3, 1)
    check(detector_of(type_, **parameters), series, first, 5, step)


def test_a_run_across_the_end_of_summer_time_is_read_whole() -> None:
    times = local_midnights("2026-10-01", 60, ZONE)
    values = np.full(60, 100.0)
    values[23:27] = 0, np.nan, 0, 0  # the 25th has 25 hours
    for first in (25, 26):
        check(detector_of("threshold", timezone=ZONE, consecutive=2), Series(times, values), first,
              3, DAY)  # fmt: skip


def test_before_range_does_depend_on_the_range() -> None:
    """The property above can fail: this is what it looks like."""
    series = wild(local_midnights("2025-12-20", DAILY_N, ZONE), 1, 1)
    detector = detector_of("window", baseline="before_range")
    ends = [int(series.epoch_ms[i]) for i in (60, 61, 62)]
    one, other = (detector.detect(series, start, ends[2]) for start in ends[:2])
    assert one.expected[-1] != other.expected[-1]
