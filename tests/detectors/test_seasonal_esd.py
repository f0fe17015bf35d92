"""The detector: seasons, gaps, stretches, bounds and scores; many series at once."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from detectors import ParameterError, Reason, Result, Series, Severity, detector_from_dict
from detectors.errors import DetectorError, InsufficientHistoryError, SeriesError
from detectors.grid import infer_grid
from detectors.seasonal_esd import SeasonalESD, seasonal_hybrid_esd
from detectors.seasonal_esd.hybrid import Direction
from detectors.series import Floats, Millis

MONDAY_MS = int(np.datetime64("2026-01-05", "ms").astype(np.int64))
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


def times(n: int, step_ms: int) -> Millis:
    return MONDAY_MS + step_ms * np.arange(n, dtype=np.int64)


def wave(n: int, period: int, spikes: dict[int, float] | None = None, seed: int = 0) -> Floats:
    """A season of 10, bounded noise of 1, and spikes: nothing else stands out."""
    noise = np.random.default_rng(seed).uniform(-1.7, 1.7, n)
    values = 50 + 10 * np.sin(2 * np.pi * np.arange(n) / period) + noise
    for row, size in (spikes or {}).items():
        values[row] += size
    return values


def hourly(n: int = 480, spikes: dict[int, float] | None = None, seed: int = 0) -> Series:
    if spikes is None:
        spikes = {300: 30.0} if n > 300 else {}
    return Series(times(n, HOUR), wave(n, 24, spikes, seed))


def anomalies(result: Result) -> list[int]:
    return np.flatnonzero(result.is_anomaly).tolist()


@pytest.mark.parametrize(
    ("step", "period", "points"),
    [
        (HOUR, None, 24),
        (5 * MINUTE, None, 288),
        (MINUTE, None, 1440),
        (DAY, None, 7),
        (HOUR, "7d", 168),
        (DAY, "28d", 28),
        (7 * DAY, "364d", 52),
        (DAY, 30, 30),
    ],
)
def test_the_period_follows_from_the_step(step: int, period: Any, points: int) -> None:
    grid = infer_grid(times(50, step), "UTC")
    assert SeasonalESD(period=period).period_slots(grid) == points


@pytest.mark.parametrize(
    ("step", "period"), [(7 * DAY, None), (DAY, "1d"), (HOUR, timedelta(minutes=80))]
)
def test_a_period_that_cannot_be_is_refused(step: int, period: Any) -> None:
    with pytest.raises(ParameterError) as caught:
        SeasonalESD(period=period).detect(Series(times(99, step), wave(99, 7)))
    assert caught.value.field == "period"


def test_finds_what_the_function_finds() -> None:
    directions: tuple[Direction, ...] = ("both", "up", "down")
    for direction in directions:
        one = hourly(spikes={50: 20, 300: -12, 470: 9})
        found = anomalies(SeasonalESD(direction=direction).detect(one))
        wanted = seasonal_hybrid_esd(one.values, 24, direction=direction)
        assert found == wanted.tolist() != []


def test_exactly_two_periods_are_too_few_and_one_point_more_is_enough() -> None:
    detector = SeasonalESD(period=24)
    assert (detector.detect(hourly(48, {})).reason == Reason.INSUFFICIENT_HISTORY).all()
    assert detector.detect(hourly(49, {})).judged.all()
    fussy = SeasonalESD(period=24, min_points=100)
    assert not fussy.detect(hourly(99, {})).judged.any()
    assert fussy.detect(hourly(100, {})).judged.all()


def test_leading_and_trailing_gaps_are_left_out() -> None:
    one = hourly()
    values = one.values.copy()
    values[:30] = np.nan
    values[-40:] = np.nan
    result = SeasonalESD().detect(Series(one.epoch_ms, values))
    assert anomalies(result) == [300]
    assert (result.reason == Reason.NO_DATA).sum() == 70


def test_a_gap_of_five_percent_of_a_period_is_filled_and_never_reported() -> None:
    one = Series(times(2000, 5 * MINUTE), wave(2000, 288, {1500: 30}))
    keep = np.delete(np.arange(2000), np.arange(1000, 1014))  # 14 of 288
    result = SeasonalESD().detect(Series(one.epoch_ms[keep], one.values[keep]))
    assert anomalies(result) == [1500]
    assert np.flatnonzero(result.reason == Reason.NO_DATA).tolist() == list(range(1000, 1014))
    assert result.reason[1014] == Reason.OK


def test_a_longer_gap_leaves_no_verdict() -> None:
    one = Series(times(2000, 5 * MINUTE), wave(2000, 288, {1500: 30}))
    keep = np.delete(np.arange(2000), np.arange(1000, 1015))
    result = SeasonalESD().detect(Series(one.epoch_ms[keep], one.values[keep]))
    assert not result.judged.any()
    assert not result.is_anomaly.any()
    with pytest.raises(InsufficientHistoryError):
        SeasonalESD(on_insufficient="error").detect(Series(one.epoch_ms[keep], one.values[keep]))


def test_infinite_values_are_gaps() -> None:
    one = hourly()
    values = one.values.copy()
    values[200] = np.inf
    result = SeasonalESD().detect(Series(one.epoch_ms, values))
    assert anomalies(result) == [300]
    assert result.reason[200] == Reason.NO_DATA


def test_bounds_lie_around_season_plus_what_is_usual() -> None:
    one = hourly()
    result = SeasonalESD().detect(one)
    width = result.upper - result.expected
    np.testing.assert_allclose(width, width[0], rtol=1e-9)
    np.testing.assert_allclose(result.expected - result.lower, width, rtol=1e-9)
    season = result.expected - np.median(one.values)
    np.testing.assert_allclose(season[24:], season[:-24], atol=1e-9)
    assert result.expected_trend is not None
    np.testing.assert_allclose(result.expected_trend, result.expected, atol=1.5)
    assert result.values[300] > result.upper[300]


def test_a_skewed_season_leaves_ordinary_points_within_the_band() -> None:
    week = np.array([1000, 980, 1000, 1030, 1100, 1300, 1220.0])
    values = week[np.arange(90) % 7] + np.random.default_rng(1).normal(0, 20, 90)
    result = SeasonalESD(max_anomalies=0.02).detect(Series(times(90, DAY), values))
    beyond = (values > result.upper) | (values < result.lower)
    assert (beyond <= result.is_anomaly).mean() > 0.95
    assert abs(np.median(values - result.expected)) < 5


def test_scores_of_members_exceed_one_and_of_others_do_not() -> None:
    one = Series(times(730, DAY), np.random.default_rng(3).standard_t(2, 730))
    result = SeasonalESD(max_anomalies=0.2).detect(one)
    assert 5 < result.is_anomaly.sum() < 146
    assert ((result.score > 1) == result.is_anomaly).all()
    residual = np.abs(result.values - result.expected)
    order = np.argsort(-residual[result.is_anomaly], kind="stable")
    assert (np.diff(result.score[result.is_anomaly][order]) <= 1e-9).all()


def test_the_verdict_depends_on_what_lies_before_the_end_only() -> None:
    one = hourly()
    whole = SeasonalESD().detect(Series(one.epoch_ms[:400], one.values[:400]))
    end = np.datetime64(int(one.epoch_ms[400]), "ms")
    part = SeasonalESD().detect(one, np.datetime64(int(one.epoch_ms[290]), "ms"), end)
    assert len(part) == 110
    for name in ("expected", "lower", "upper", "score", "is_anomaly"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)[290:])


def test_steps_without_points_before_the_end_are_rows_without_data() -> None:
    one = hourly()
    result = SeasonalESD().detect(one, end=int(one.epoch_ms[-1]) + 4 * HOUR)
    assert len(result) == 483
    assert (result.reason[-3:] == Reason.NO_DATA).all()
    assert anomalies(result) == [300]


def family() -> list[Series]:
    """Series of one grid and of others, whole, gappy, constant, short and empty."""
    rng = np.random.default_rng(0)
    members = [hourly(480, {int(rng.integers(480)): 25.0}, seed) for seed in range(40)]
    for i in range(0, 40, 5):
        values = members[i].values.copy()
        values[rng.integers(0, 480, 3)] = np.nan
        members[i] = Series(members[i].epoch_ms, values)
    members.append(Series(times(480, HOUR), np.full(480, 3.0)))
    members.append(Series(times(730, DAY), wave(730, 7, {500: 30})))
    members.append(hourly(30))
    members.append(Series([], []))
    return members


def columns(result: Result) -> list[bytes]:
    names = ("times", "values", "expected", "lower", "upper", "score", "is_anomaly", "severity",
             "direction", "reason")  # fmt: skip
    assert result.expected_trend is not None or not len(result)
    trend = b"" if result.expected_trend is None else result.expected_trend.tobytes()
    return [np.ascontiguousarray(getattr(result, name)).tobytes() for name in names] + [trend]


@pytest.mark.parametrize(
    "parameters",
    [{}, {"longterm": 140, "direction": "up"}, {"exclude": [["2026-01-10", "2026-01-11"]]}],
)
def test_answers_are_the_same_bits_alone_in_any_batch_and_on_any_thread(
    parameters: dict[str, Any],
) -> None:
    detector, members = SeasonalESD(**parameters), family()
    alone = [columns(detector.detect(one)) for one in members]
    together = detector.detect_many(members)
    assert [columns(result) for result in together] == alone
    backwards = detector.detect_many(members[::-1])[::-1]
    assert [columns(result) for result in backwards] == alone
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(detector.detect, members * 3))
    assert [columns(result) for result in threaded] == alone * 3
    assert any(result.is_anomaly.any() for result in together)


def test_a_stretch_given_in_time_is_one_given_in_points() -> None:
    values = wave(1200, 24, {700: 20}) + 0.03 * np.arange(1200)
    one = Series(times(1200, HOUR), values)
    wanted = seasonal_hybrid_esd(values, 24, chunk=336).tolist()
    assert anomalies(SeasonalESD(longterm="14d").detect(one)) == wanted  # type: ignore[arg-type]
    assert anomalies(SeasonalESD(longterm=336).detect(one)) == wanted
    assert 700 in wanted
    assert 700 not in anomalies(SeasonalESD().detect(one))


def test_whole_weeks_of_days_get_one_day_more() -> None:
    values = wave(200, 7, {77: 25}) + 0.3 * np.arange(200)
    found = anomalies(
        SeasonalESD(longterm=timedelta(days=14)).detect(Series(times(200, DAY), values))
    )
    assert found == seasonal_hybrid_esd(values, 7, chunk=15).tolist() != []


def test_a_stretch_without_enough_points_has_no_verdict_and_the_others_have() -> None:
    one = hourly(480, {300: 30})
    values = one.values.copy()
    values[:71] = np.nan
    result = SeasonalESD(longterm=120).detect(Series(one.epoch_ms, values))
    assert result.judged[71:].all(), "49 points are more than two days"
    assert 300 in anomalies(result)
    values[:72] = np.nan
    result = SeasonalESD(longterm=120).detect(Series(one.epoch_ms, values))
    assert (result.reason[72:120] == Reason.INSUFFICIENT_HISTORY).all()
    assert result.judged[120:].all()


@pytest.mark.parametrize("longterm", [48, "2d", 0, -1, "soon"])
def test_a_stretch_of_two_periods_or_less_is_refused(longterm: Any) -> None:
    with pytest.raises(ParameterError) as caught:
        SeasonalESD(longterm=longterm).detect(hourly())
    assert caught.value.field == "longterm"
    with pytest.raises(ParameterError):
        SeasonalESD(longterm=48, period=24)


@pytest.mark.parametrize("direction", ["both", "up"])
@pytest.mark.parametrize(("limit", "share"), [("med_max", 0.5), ("p95", 0.95), ("p99", 0.99)])
def test_threshold_takes_the_largest_values_of_days_in_the_time_zone(
    limit: Any, share: float, direction: Any
) -> None:
    rng = np.random.default_rng(5)
    rows = rng.choice(480, 30, replace=False)
    one = hourly(480, dict(zip(rows.tolist(), rng.uniform(15, 60, 30).tolist(), strict=True)))
    found = anomalies(SeasonalESD(max_anomalies=0.2, direction=direction).detect(one))
    assert len(found) >= 25
    kept = {}
    for zone, hours in (("UTC", 0), ("Asia/Tokyo", 9)):
        days = (np.arange(480) + hours) // 24
        largest = [one.values[days == day].max() for day in np.unique(days)]
        wanted = [row for row in found if one.values[row] >= np.quantile(largest, share)]
        detector = SeasonalESD(
            max_anomalies=0.2, direction=direction, threshold=limit, timezone=zone
        )
        kept[zone] = anomalies(detector.detect(one))
        assert kept[zone] == wanted
    assert limit != "med_max" or kept["UTC"] != kept["Asia/Tokyo"]


def test_threshold_bears_gaps() -> None:
    one = hourly()
    values = one.values.copy()
    values[[10, 100]] = np.nan
    for limit in ("med_max", "p95", "p99"):
        found = SeasonalESD(threshold=limit).detect(Series(one.epoch_ms, values))
        assert anomalies(found) == [300]


def test_excluded_points_are_judged_and_do_not_count() -> None:
    quiet = hourly(480, {})
    values = quiet.values.copy()
    values[240:264] += 200  # the whole 11th day
    one = Series(quiet.epoch_ms, values)
    ranges = ((date(2026, 1, 15), date(2026, 1, 16)),)
    result = SeasonalESD(exclude=ranges).detect(one)
    assert anomalies(result) == list(range(240, 264))
    calm = SeasonalESD(exclude=ranges).detect(quiet)
    assert not calm.is_anomaly.any()
    np.testing.assert_allclose(result.expected, calm.expected, atol=1.0)
    np.testing.assert_allclose(result.upper - result.expected, calm.upper - calm.expected, rtol=0.1)
    holiday = SeasonalESD(holidays=(date(2026, 1, 15),)).detect(one)
    assert anomalies(holiday) == anomalies(result)


def test_a_spike_on_a_constant_is_a_warning_without_variance() -> None:
    values = np.full(480, 1000.0)
    values[400] = 1001.0
    result = SeasonalESD().detect(Series(times(480, HOUR), values))
    assert anomalies(result) == [400]
    assert result.severity[400] == Severity.WARNING
    assert (result.reason == Reason.ZERO_VARIANCE).all()
    assert (
        not SeasonalESD(min_rel_change=0.01)
        .detect(Series(times(480, HOUR), values))
        .is_anomaly.any()
    )
    assert not SeasonalESD().detect(Series(times(480, HOUR), np.full(480, 1000.0))).is_anomaly.any()


@pytest.mark.parametrize(("n", "period"), [(100_000, 7), (9_000, 1_440), (20, 2), (5, 2)])
def test_lengths_and_periods_of_any_size_work(n: int, period: int) -> None:
    spikes = {n // 2: 500.0}
    one = Series(times(n, MINUTE), wave(n, period, spikes))
    result = SeasonalESD(period=period, max_anomalies=0.01).detect(one)
    assert result.judged.all()
    assert n < 20 or n // 2 in anomalies(result)


def test_history_is_ten_periods_and_at_least_28_days_back_from_the_end() -> None:
    end = datetime(2026, 3, 1, tzinfo=UTC)
    day, hour, week = timedelta(days=1), timedelta(hours=1), timedelta(weeks=1)

    def needed(step: timedelta, asked: timedelta, **parameters: Any) -> timedelta:
        return SeasonalESD(**parameters).history(end - asked, end, step)

    assert needed(day, week) == 70 * day - week
    assert needed(hour, day) == 27 * day
    assert needed(hour, day, period="7d") == 69 * day
    assert needed(day, 100 * day) == timedelta()
    assert needed(hour, day, longterm="60d") >= 59 * day


def test_cost_grows_with_points_and_period() -> None:
    detector = SeasonalESD()
    assert detector.cost(1460, 7) > 1.9 * detector.cost(730, 7)
    assert detector.cost(14_398, 1_440) > detector.cost(14_398, 7)


def test_a_detector_survives_a_dict() -> None:
    detector = SeasonalESD(period="7d", longterm=336, threshold="p95", compat="twitter")  # type: ignore[arg-type]
    assert detector_from_dict(detector.to_dict()) == detector
    assert detector.to_dict()["period"] == "7d"
    assert SeasonalESD().to_dict()["period"] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("period", 1), ("period", "0d"), ("max_anomalies", 0.5), ("alpha", 0), ("alpha", 1),
     ("threshold", "max"), ("compat", "r"), ("direction", "pos")],
)  # fmt: skip
def test_parameters_out_of_range_are_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ParameterError) as caught:
        SeasonalESD(**{field: value})
    assert caught.value.field == field


def twitter(series: Series, **parameters: Any) -> Result:
    return SeasonalESD(compat="twitter", **parameters).detect(series)


@pytest.mark.parametrize(
    ("step", "period"),
    [(2 * HOUR, 24), (DAY, 7), (7 * DAY, 7), (15 * MINUTE, 1440), (MINUTE, 1440)],
)
def test_twitter_takes_the_period_from_the_unit_of_the_last_distance(
    step: int, period: int
) -> None:
    values = wave(4000, period, {3500: 30})
    found = anomalies(twitter(Series(times(4000, step), values), max_anomalies=0.01))
    assert found == seasonal_hybrid_esd(values, period, max_anomalies=0.01).tolist() != []


def test_twitter_sums_seconds_up_to_minutes() -> None:
    n = 6 * 1440 * 3
    values = wave(n, 6 * 1440, {20_000: 60}) / 6
    result = twitter(Series(times(n, 10 * SECOND), values), max_anomalies=0.01)
    minutes = values.reshape(-1, 6).sum(axis=1)
    assert len(result) == 1440 * 3
    np.testing.assert_allclose(result.values, minutes)
    wanted = seasonal_hybrid_esd(minutes, 1440, max_anomalies=0.01).tolist()
    assert anomalies(result) == wanted
    assert 20_000 // 6 in wanted


def test_twitter_closes_up_missing_rows_and_refuses_missing_values() -> None:
    one = hourly()
    keep = np.delete(np.arange(480), np.arange(100, 130))
    result = twitter(Series(one.epoch_ms[keep], one.values[keep]))
    wanted = keep[seasonal_hybrid_esd(one.values[keep], 24)]
    assert anomalies(result) == wanted.tolist() != []
    values = one.values.copy()
    values[100] = np.nan
    with pytest.raises(SeriesError, match="missing between others"):
        twitter(Series(one.epoch_ms, values))
    values[100] = np.inf
    with pytest.raises(SeriesError, match="infinite"):
        twitter(Series(one.epoch_ms, values))


def test_twitter_refuses_short_series_and_short_stretches() -> None:
    with pytest.raises(InsufficientHistoryError, match="48"):
        twitter(hourly(48))
    with pytest.raises(InsufficientHistoryError):
        twitter(hourly(1))
    with pytest.raises(ParameterError, match="14d"):
        twitter(hourly(), longterm="7d")


def test_twitter_cuts_stretches_by_time_and_starts_them_by_rows() -> None:
    """Two-hour steps: stretches of 14 days that begin 28 days apart, R's own slip."""
    n = 12 * 70
    values = wave(n, 24, {100: 40, 250: 40, n - 100: 40})
    found = anomalies(twitter(Series(times(n, 2 * HOUR), values), longterm="14d"))
    assert 100 in found
    assert 250 not in found, "days 14 to 28 are in no stretch"
    assert n - 100 in found


def test_twitter_takes_largest_values_of_days_in_utc() -> None:
    one = hourly(spikes={300: 30, 400: -30})
    assert anomalies(twitter(one)) == [300, 400]
    assert anomalies(twitter(one, threshold="p99")) == [300]
    leading = one.values.copy()
    leading[0] = np.nan
    assert anomalies(twitter(Series(one.epoch_ms, leading), threshold="med_max")) == []
    with pytest.raises(SeriesError, match="p95"):
        twitter(Series(one.epoch_ms, leading), threshold="p95")


def test_twitter_errors_cost_only_their_own_series() -> None:
    detector = SeasonalESD(compat="twitter")
    good, bad, fine = detector.try_many([hourly(), hourly(40), hourly(480, {})])
    assert isinstance(bad, DetectorError)
    assert isinstance(good, Result)
    assert isinstance(fine, Result)
    assert anomalies(good) == [300]


def test_the_package_is_light_until_it_is_used() -> None:
    code = (
        "import sys\n"
        "import detectors.seasonal_esd\n"
        "from detectors.seasonal_esd import SeasonalESD\n"
        "SeasonalESD(period=7)\n"
        "heavy = {'numba', 'scipy', 'pandas', 'statsmodels'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("missing", "judged"), [(1, True), (2, False)])
def test_one_missing_day_leaves_daily_data_judged_and_two_do_not(
    missing: int, judged: bool
) -> None:
    days = np.arange("2026-01-01", "2026-03-12", dtype="datetime64[D]")
    noise = np.random.default_rng(5).normal(0, 0.1, 70)
    values = 10 + np.sin(2 * np.pi * np.arange(70) / 7) + noise
    values[60] += 5
    kept = np.ones(70, bool)
    kept[30 : 30 + missing] = False
    result = SeasonalESD(period=7).detect(Series(days[kept], values[kept]))
    assert bool(result.is_anomaly.any()) is judged
    expected = Reason.OK if judged else Reason.INSUFFICIENT_HISTORY
    assert result.reason[60] == expected
