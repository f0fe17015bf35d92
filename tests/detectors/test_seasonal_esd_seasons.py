"""Several seasons at once, through statsmodels' MSTL."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from statsmodels.tsa.seasonal import MSTL

from detectors import ParameterError, Reason, Result, Series, detector_from_dict
from detectors.seasonal_esd import SeasonalESD
from detectors.seasonal_esd.seasons import phase_means, several_stl
from detectors.series import Floats
from tests.detectors.cases import HOUR, hourly, same
from workflows.cost import period_points

DAY = timedelta(days=1)
N = 5 * 168
SPIKES = {400: 9.0, 531: -9.0}


def week_and_day(n: int = N, spikes: dict[int, float] | None = None) -> Floats:
    """Hours whose days and weekends differ by tens, bounded noise of one, and spikes of nine."""
    at = np.arange(n)
    values: Floats = 100 + 20 * np.sin(2 * np.pi * at / 24) + 40.0 * (at // 24 % 7 > 4)
    values += np.random.default_rng(0).uniform(-1.7, 1.7, n)
    for row, size in (SPIKES if spikes is None else spikes).items():
        values[row] += size
    return values


def judged(values: Floats, **parameters: Any) -> Result:
    return SeasonalESD(**parameters).detect(Series(hourly(len(values)), values))


def anomalies(result: Result) -> list[int]:
    return np.flatnonzero(result.is_anomaly).tolist()


def test_two_seasons_find_what_one_cannot() -> None:
    values = week_and_day()
    assert not set(anomalies(judged(values))) & set(SPIKES)
    result = judged(values, periods=[24, 168])
    assert anomalies(result) == sorted(SPIKES)
    assert result.direction[list(SPIKES)].tolist() == [1, -1]
    assert result.expected_trend is not None
    quiet = ~result.is_anomaly
    np.testing.assert_allclose(result.expected_trend[quiet], values[quiet], atol=6)


def test_seasons_are_those_of_mstl_made_to_repeat_exactly() -> None:
    values, window = week_and_day(), 10 * N + 1
    theirs = MSTL(
        values, periods=(24, 168), windows=(window, window),
        stl_kwargs={"seasonal_deg": 0, "robust": True, "inner_iter": 1, "outer_iter": 15,
                    "seasonal_jump": N, "trend_jump": 4, "low_pass_jump": 3},
    ).fit()  # fmt: skip
    seasonal, trend = several_stl(values, (24, 168))
    assert np.array_equal(trend, theirs.trend)
    np.testing.assert_allclose(seasonal, theirs.seasonal.sum(axis=1), rtol=0, atol=0.2)
    assert np.array_equal(seasonal[168:], seasonal[:-168])


@pytest.mark.slow
def test_the_sparse_fits_are_near_those_at_every_point() -> None:
    values, window = week_and_day(), 10 * N + 1
    dense = MSTL(
        values, periods=(24, 168), windows=(window, window),
        stl_kwargs={"seasonal_deg": 0, "robust": True, "inner_iter": 1, "outer_iter": 15},
    ).fit()  # fmt: skip
    seasonal, trend = several_stl(values, (24, 168))
    np.testing.assert_allclose(seasonal, dense.seasonal.sum(axis=1), rtol=0, atol=0.5)
    np.testing.assert_allclose(trend, dense.trend, rtol=0, atol=0.5)


def test_the_centre_is_the_sum_of_seasons_and_what_is_usual_beside_them() -> None:
    values = week_and_day()
    result = judged(values, periods=[24, 168])
    level = np.median(values)
    seasonal, trend = several_stl(values - level, (24, 168))
    usual = result.expected - (seasonal + level)
    np.testing.assert_allclose(usual, np.median((values - level) - seasonal), rtol=0, atol=0.05)
    assert result.expected_trend is not None
    assert np.array_equal(result.expected_trend, seasonal + (trend + level))
    width = result.upper - result.expected
    np.testing.assert_allclose(width, width[0], rtol=1e-12)


def test_means_of_phases_are_the_obvious_ones() -> None:
    course = np.random.default_rng(1).normal(size=50)
    means = phase_means(course, 7)
    for phase in range(7):
        np.testing.assert_allclose(means[phase::7], course[phase::7].mean(), rtol=1e-14)


def test_seasons_are_points_or_times_in_any_order() -> None:
    values = week_and_day(400, {})
    wanted = judged(values, periods=[24, 168])
    assert wanted.judged.all()
    assert same(judged(values, periods=["7d", timedelta(days=1)]), wanted)


def test_one_of_several_is_the_direct_path() -> None:
    values = week_and_day()
    assert same(judged(values, periods=[168]), judged(values, period=168))


def test_other_parameters_keep_their_meaning() -> None:
    values = week_and_day(2 * N, {N - 100: 15.0, N + 100: 15.0, 50: -15.0})
    values[:N] += 30
    result = judged(values, periods=["1d", "7d"], longterm=N, direction="up")
    assert anomalies(result) == [N - 100, N + 100]
    keep = np.delete(np.arange(N), 300)
    one = Series(hourly(N)[keep], week_and_day()[keep])
    gappy = SeasonalESD(periods=(24, 168)).detect(one)
    assert anomalies(gappy) == sorted(SPIKES)
    assert gappy.reason[300] == Reason.NO_DATA
    longer = np.delete(np.arange(N), [300, 301])  # over 5 % of a day, though not of a week
    one = Series(hourly(N)[longer], week_and_day()[longer])
    assert not SeasonalESD(periods=(24, 168)).detect(one).judged.any()


def test_two_of_the_longest_season_are_too_few_and_one_point_more_is_enough() -> None:
    for n, enough in ((336, False), (337, True)):
        result = judged(week_and_day(n, {}), periods=[24, 168])
        assert result.judged.all() == enough
        assert enough or (result.reason == Reason.INSUFFICIENT_HISTORY).all()


@pytest.mark.parametrize(
    ("parameters", "field", "says"),
    [
        ({"period": 24, "periods": [24, 168]}, "periods", "not both"),
        ({"periods": [24, 24]}, "periods", "equal length"),
        ({"periods": ["7d", "1w"]}, "periods", "equal length"),
        ({"periods": [24, "1d"]}, "periods", "equal length"),  # on a grid of hours
        ({"periods": []}, "periods", "one to 5"),
        ({"periods": [2, 3, 4, 5, 6, 7]}, "periods", "one to 5"),
        ({"periods": 24}, "periods", "list"),
        ({"periods": "7d"}, "periods", "list"),
        ({"periods": [24, "a week"]}, "periods", "duration"),
        ({"periods": [1, 24]}, "periods", "at least 2"),
        ({"periods": ["0d", 24]}, "periods", "at least 2"),
        ({"periods": ["1h", 24]}, "periods", "at least 2"),
        ({"periods": [24, 168], "longterm": 336}, "longterm", "two periods"),
        ({"periods": [24, 168], "longterm": "14d"}, "longterm", "two periods"),
        ({"periods": [24, 168], "compat": "twitter"}, "periods", "one season"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    parameters: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(ParameterError, match=says) as caught:
        judged(week_and_day(), **parameters)
    assert caught.value.field == field


def test_history_and_cost_know_the_longest_season() -> None:
    end = datetime(2026, 3, 1, tzinfo=UTC)
    for periods in ((DAY, 7 * DAY), (24, 168), (7 * DAY, 24)):
        detector = SeasonalESD(periods=periods)
        assert detector.history(end - DAY, end, HOUR) == 69 * DAY
        assert period_points(detector, 3_600_000) == 168
        assert detector.cost(2000, 168) > 100 * SeasonalESD(period="7d").cost(2000, 168)  # type: ignore[arg-type]
    assert period_points(SeasonalESD(period="7d"), 3_600_000) == 168  # type: ignore[arg-type]


def test_it_survives_a_dict() -> None:
    detector = detector_from_dict({"type": "seasonal_esd", "periods": ["7d", 24]})
    assert detector.to_dict()["periods"] == ["7d", 24]
    assert detector_from_dict(detector.to_dict()) == detector


@pytest.mark.slow
def test_statsmodels_is_imported_for_several_seasons_only() -> None:
    code = (
        "import sys, numpy as np\n"
        "from detectors import Series\n"
        "from detectors.seasonal_esd import SeasonalESD\n"
        "one = Series(np.arange(100) * 3_600_000, np.sin(np.arange(100) * 2.3))\n"
        "SeasonalESD(periods=[24]).detect(one)\n"
        "assert not {'statsmodels', 'pandas'} & set(sys.modules)\n"
        "SeasonalESD(periods=[6, 24]).detect(one)\n"
        "assert 'statsmodels' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
