"""Few points do not mean many alarms: rates on noise against those of k normal deviations.

The chance that a further normal value leaves a band is known exactly, so each band counts with its
chance and no rare event needs to happen. Bands over one long series overlap, which leaves their
mean as it is.
"""

from typing import Any, Literal

import numpy as np
import pytest
from scipy.special import ndtr

from detectors import Series, Window
from detectors.series import FIRST_MS
from detectors.wall_clock import DAY_MS, HOUR_MS, MINUTE_MS
from tests.detectors.cases import MONDAY_MS

Method = Literal["z", "robust"]
DEFAULT_K = {"z": 3.0, "robust": 3.5}
# Four points now and then have nearly no spread; those decide the rate, so take more of them.
BANDS = {4: 1_500_000, 10: 300_000, 21: 100_000, 28: 100_000, 60: 60_000}


def rate_against_nominal(detector: Window, times: Any, start: int, k: float) -> float:
    """Mean chance of a normal value to leave the bands, over that of k deviations."""
    noise = np.random.default_rng(20260101).standard_normal(len(times))
    result = detector.detect(Series(times, noise), start)
    assert result.judged.all()
    chance = ndtr(result.lower) + ndtr(-result.upper)
    return float(chance.mean() / (2 * ndtr(-k)))


@pytest.mark.parametrize("n", BANDS)
@pytest.mark.parametrize("method", ["z", "robust"])
def test_small_baselines_keep_the_nominal_rate(method: Method, n: int) -> None:
    times = MINUTE_MS * np.arange(n + BANDS[n], dtype=np.int64)
    detector = Window(method=method, window=n, min_points=n, step_by="point")
    rate = rate_against_nominal(detector, times, int(times[n]), DEFAULT_K[method])
    assert 0.8 < rate < 1.2


@pytest.mark.parametrize("weeks", [3, 4, 8])
@pytest.mark.parametrize("method", ["z", "robust"])
def test_pooled_weekdays_keep_the_nominal_rate(method: Method, weeks: int) -> None:
    times = FIRST_MS + DAY_MS * np.arange(200_000, dtype=np.int64)
    detector = Window(method=method, window=weeks * 7, season="day_of_week")
    rate = rate_against_nominal(detector, times, int(times[weeks * 7]), DEFAULT_K[method])
    assert 0.8 < rate < 1.2


@pytest.mark.parametrize("weeks", [3, 8])
@pytest.mark.parametrize("method", ["z", "robust"])
def test_spreads_by_hour_keep_the_nominal_rate(method: Method, weeks: int) -> None:
    times = MONDAY_MS + HOUR_MS * np.arange(40_000, dtype=np.int64)
    detector = Window(
        method=method, window=weeks * 168, season="hour_of_week", spread="per_hour", step_by="day"
    )
    rate = rate_against_nominal(detector, times, int(times[weeks * 168 + 24]), DEFAULT_K[method])
    assert 0.8 < rate < 1.2


def test_plain_deviations_would_not() -> None:
    """The gate can fail: mean +- 3 s of four points flags 7.5 % of noise."""
    windows = np.lib.stride_tricks.sliding_window_view(
        np.random.default_rng(0).standard_normal(200_000), 4
    )
    mean, deviation = windows.mean(axis=1), windows.std(axis=1, ddof=1)
    chance = ndtr(mean - 3 * deviation) + ndtr(-mean - 3 * deviation)
    assert chance.mean() == pytest.approx(0.075, abs=0.01)


def test_flags_come_at_the_rate_of_the_bands() -> None:
    times = MINUTE_MS * np.arange(200_010, dtype=np.int64)
    noise = np.random.default_rng(7).standard_normal(len(times))
    detector = Window(window=10, min_points=10, step_by="point", k=2.0)
    result = detector.detect(Series(times, noise), int(times[10]))
    assert result.is_anomaly.mean() == pytest.approx(2 * ndtr(-2.0), rel=0.05)
