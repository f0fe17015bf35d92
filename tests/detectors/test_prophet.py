"""The Prophet detector as its callers see it."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.errors import InsufficientHistoryError, ParameterError
from detectors.prophet import Prophet
from detectors.result import Direction, Reason, Result, Severity
from detectors.series import Floats, Series
from tests.detectors.prophet_oracle import prophet_engine

HOUR_MS = 3_600_000
COLUMNS = ("expected", "lower", "upper", "score", "is_anomaly", "severity", "direction", "reason")


def daily(values: Floats, first: str = "2024-01-01") -> Series:
    return Series(np.datetime64(first) + np.arange(len(values)), values)


def hourly(values: Floats, first: str = "2026-01-01") -> Series:
    return Series(np.datetime64(first, "h") + np.arange(len(values)), values)


def weekly_noise(seed: int, n: int) -> Floats:
    rng = np.random.default_rng(seed)
    values: Floats = 100 + 5 * np.sin(2 * np.pi * np.arange(n) / 7) + rng.normal(size=n)
    return values


def assert_same(one: Result, other: Result) -> None:
    """Equal rows at the times both have, to the bit."""
    common, left, right = np.intersect1d(one.times, other.times, return_indices=True)
    assert len(common)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(one, name)[left], getattr(other, name)[right], name)


def test_a_spike_is_an_anomaly_and_its_neighbours_are_not() -> None:
    values = weekly_noise(1, 300)
    values[290] += 25
    values[295] -= 25
    result = Prophet().detect(daily(values), np.datetime64("2024-10-10"))
    found = result.times[result.is_anomaly].astype("M8[D]").astype(str).tolist()
    assert found == ["2024-10-17", "2024-10-22"]
    assert result.direction[result.is_anomaly].tolist() == [Direction.UP, Direction.DOWN]
    assert result.severity[result.is_anomaly].tolist() == [Severity.CRITICAL, Severity.CRITICAL]
    assert (np.abs(result.expected - result.values)[~result.is_anomaly] < 5).all()


SERIES = [daily(weekly_noise(seed, 210)) for seed in range(3)]
FULL = [Prophet(consecutive=2).detect(series) for series in SERIES]


@settings(max_examples=30, derandomize=True, deadline=None)
@given(
    which=st.integers(0, 2), first=st.integers(95, 209), length=st.integers(1, 40),
    hours=st.integers(0, 23),
)  # fmt: skip
def test_a_verdict_belongs_to_the_point_and_not_to_the_request(
    which: int, first: int, length: int, hours: int
) -> None:
    start = SERIES[which].times[first] - np.timedelta64(hours, "h")
    end = start + np.timedelta64(24 * length, "h")
    assert_same(Prophet(consecutive=2).detect(SERIES[which], start, end), FULL[which])


@settings(max_examples=15, derandomize=True, deadline=None)
@given(first=st.integers(24 * 20, 24 * 40), lag=st.integers(0, 59), every=st.sampled_from([1, 3]))
def test_the_history_that_is_asked_for_is_enough(first: int, lag: int, every: int) -> None:
    rng = np.random.default_rng(3)
    series = hourly(np.sin(np.arange(24 * 45) * 2 * np.pi / 24) + 0.3 * rng.normal(size=24 * 45))
    detector = Prophet(
        history_length=timedelta(days=10),
        refit_every=timedelta(days=every),
        timezone="America/New_York",
        consecutive=3,
    )
    start = series.times[first] - np.timedelta64(lag, "m")
    end = start + np.timedelta64(30, "h")
    step = timedelta(hours=1)
    begin = start - np.timedelta64(detector.history(start, end, step), "ms")
    kept = series.times >= begin
    short = Series(series.times[kept], series.values[kept])
    assert len(short) < len(series)
    assert_same(detector.detect(short, start, end), detector.detect(series, start, end))


def test_verdicts_do_not_depend_on_the_batch_or_its_order() -> None:
    series = [daily(weekly_noise(seed, 200)) for seed in range(12)]
    for one in series[::3]:
        one.values[[7, 60, 150]] = np.nan
    start = series[0].times[-3]
    together = Prophet().detect_many(series, start)
    for part in (series[5:6], series[::-1], series[3:8]):
        for one, result in zip(part, Prophet().detect_many(part, start), strict=True):
            assert_same(result, together[next(i for i, s in enumerate(series) if s is one)])


def test_gaps_are_as_if_the_rows_were_never_there() -> None:
    values = weekly_noise(4, 250)
    gone = np.zeros(250, bool)
    gone[[0, 3, 100, 101, 102, 200]] = True
    holes = np.where(gone, [np.nan, np.inf] * 125, values)
    series = daily(values)
    start = series.times[-5]
    with_holes = Prophet().detect(daily(holes), start)
    without = Prophet().detect(Series(series.times[~gone], values[~gone]), start)
    assert_same(with_holes, without)


def test_seasons_follow_the_wall_clock_across_a_change_of_the_clocks() -> None:
    """A daily pattern in Berlin time moves by an hour in UTC at the end of March."""
    hours = np.datetime64("2026-01-20", "h") + np.arange(24 * 80)
    utc_ms = hours.astype("M8[ms]").astype(np.int64)
    change = np.datetime64("2026-03-29T01:00", "ms").astype(np.int64)
    local_hour = (utc_ms // HOUR_MS + np.where(utc_ms >= change, 2, 1)) % 24
    rng = np.random.default_rng(5)
    values = np.where(local_hour == 9, 10.0, 0.0) + 0.1 * rng.normal(size=len(hours))
    series = Series(hours, values)
    start = np.datetime64("2026-03-30")
    right = Prophet(timezone="Europe/Berlin", daily=11).detect(series, start)
    wrong = Prophet(timezone="UTC", daily=11).detect(series, start)
    assert right.is_anomaly.mean() < 0.02
    peaks = right.times[right.expected > 8]
    assert set(peaks.astype("M8[h]").astype(int) % 24) == {7}
    assert wrong.is_anomaly.mean() > 0.05


def test_daily_midnights_across_a_change_of_the_clocks_are_no_gap() -> None:
    utc = np.datetime64("2025-09-01", "h") + np.timedelta64(1, "h") * (24 * np.arange(120) - 2)
    utc[56:] += np.timedelta64(1, "h")  # Berlin's midnights from 27 October on
    result = Prophet(timezone="Europe/Berlin").detect(Series(utc, weekly_noise(6, 120)), utc[100])
    assert len(result) == 20
    assert (result.reason == Reason.OK).all()
    assert (result.times == utc[100:]).all()


def test_leap_days_are_judged_like_others() -> None:
    n = 900
    t = np.arange(n)
    rng = np.random.default_rng(7)
    values = 10 * np.sin(2 * np.pi * t / 365.25) + 0.5 * rng.normal(size=n)
    series = daily(values, "2021-12-01")
    result = Prophet().detect(series, np.datetime64("2024-02-27"), np.datetime64("2024-03-03"))
    assert len(result) == 5
    assert not result.is_anomaly.any()
    assert np.abs(result.expected - result.values).max() < 2


def test_a_day_without_data_does_not_switch_the_yearly_season_off() -> None:
    t = np.arange(1000)
    values = 20 * np.sin(2 * np.pi * t / 365.25) + np.random.default_rng(17).normal(size=1000)
    whole = daily(values)
    holes = daily(np.where((t == 998) | (t == 999 - 738), np.nan, values))
    with_, without = (Prophet().detect(one, whole.times[-1]) for one in (holes, whole))
    assert abs(with_.expected[0] - without.expected[0]) < 0.3


def test_a_constant_series_expects_itself_and_warns_at_most() -> None:
    values = np.full(200, 1000.0)
    values[[-1]] = 1001.0
    result = Prophet().detect(daily(values), daily(values).times[-3])
    assert result.expected.tolist() == [1000.0] * 3
    assert result.reason.tolist() == [Reason.ZERO_VARIANCE] * 3
    assert result.is_anomaly.tolist() == [False, False, True]
    assert result.severity[-1] == Severity.WARNING
    assert not Prophet(min_rel_change=0.01).detect(daily(values)).is_anomaly.any()


@pytest.mark.parametrize(("offset", "size"), [(1e9, 1.0), (-1e9, 1e3), (0.0, 1e-12), (0.0, 1e200)])
def test_offset_and_size_change_no_verdict(offset: float, size: float) -> None:
    values = weekly_noise(8, 200) - 100
    values[-2] += 15
    plain = Prophet().detect(daily(values), daily(values).times[-8])
    moved = Prophet().detect(daily(offset + size * values), daily(values).times[-8])
    assert moved.is_anomaly.tolist() == plain.is_anomaly.tolist()
    assert plain.is_anomaly.tolist() == [False] * 6 + [True, False]
    np.testing.assert_allclose(moved.score, plain.score, rtol=1e-5, atol=1e-5)


def test_values_beyond_the_range_of_floats_lack_history_instead_of_overflowing() -> None:
    huge = np.where(np.arange(120) % 2, 1.7e308, -1.7e308)
    results = Prophet().detect_many([daily(huge), daily(weekly_noise(1, 120))], 1_714_348_800_000)
    assert results[0].reason.tolist() == [Reason.INSUFFICIENT_HISTORY]
    assert results[1].reason.tolist() == [Reason.OK]


@pytest.mark.parametrize("values", [[], [1.0], [np.nan] * 120, [1.0, 2.0], [1.0] * 90])
def test_too_little_to_judge_is_said_and_not_raised(values: list[float]) -> None:
    result = Prophet().detect(daily(np.array(values)))
    assert len(result) == len(values)
    assert not result.judged.any()
    assert not result.is_anomaly.any()


def test_a_history_that_never_holds_enough_points_is_refused() -> None:
    days = np.arange("2026-01-01", "2026-06-01", dtype="datetime64[D]")
    one = Series(days, np.random.default_rng(0).normal(size=len(days)))
    with pytest.raises(ParameterError, match=r"60d holds 60 points of a step of 1d, .* for 90"):
        Prophet(history_length=timedelta(days=60)).detect(one, days[-1])
    assert Prophet(history_length=timedelta(days=60), min_points=60).detect(one, days[-1]).judged[0]
    few = Series(days[:40], np.arange(40.0))
    lacking = Prophet(history_length=timedelta(days=60)).detect(few).reason
    assert (lacking == Reason.INSUFFICIENT_HISTORY).all()


def test_too_little_history_raises_on_request() -> None:
    with pytest.raises(InsufficientHistoryError):
        Prophet(on_insufficient="error").detect(daily(weekly_noise(1, 50)))


def test_an_empty_range_and_a_future_range_are_answered() -> None:
    series = daily(weekly_noise(1, 120))
    assert len(Prophet().detect(series, series.times[100], series.times[100])) == 0
    after = Prophet().detect(
        series,
        series.times[-1] + np.timedelta64(1, "ms"),
        series.times[-1] + np.timedelta64(3, "D"),
    )
    assert (after.reason == Reason.NO_DATA).all()


@pytest.mark.parametrize(
    ("min_points", "step", "first_judged"),
    [(None, "daily", 90), (30, "daily", 30), (120, "daily", 120), (30, "hourly", 72)],
)
def test_verdicts_begin_when_there_is_enough_history(
    min_points: int | None, step: str, first_judged: int
) -> None:
    series = {"daily": daily, "hourly": hourly}[step](weekly_noise(9, 150))
    result = Prophet(min_points=min_points).detect(series)
    assert int(np.argmax(result.judged)) == first_judged
    assert result.judged[first_judged:].all()


def test_excluded_ranges_teach_nothing() -> None:
    values = weekly_noise(10, 200)
    broken = values.copy()
    broken[120:150] += 300
    exclude = ((date(2024, 4, 30), date(2024, 5, 30)),)
    start = daily(values).times[-10]
    learnt = Prophet().detect(daily(broken), start)
    told = Prophet(exclude=exclude).detect(daily(broken), start)
    never = Prophet(exclude=exclude).detect(daily(values), start)
    assert_same(told, never)
    assert (learnt.upper - learnt.lower > 5 * (told.upper - told.lower)).all()


def test_a_known_holiday_is_expected_and_a_new_one_is_not() -> None:
    n = 800
    series = daily(weekly_noise(11, n))
    dates = (date(2024, 5, 1), date(2025, 5, 1), date(2026, 3, 5))
    stamps = series.times.astype("M8[D]")
    for day in dates:
        series.values[stamps == np.datetime64(day)] -= 60
    start = np.datetime64("2025-04-28")
    plain = Prophet().detect(series, start, np.datetime64("2025-05-05"))
    told = Prophet(holidays=dates).detect(series, start, np.datetime64("2025-05-05"))
    assert plain.is_anomaly.tolist() == [False, False, False, True, False, False, False]
    assert not told.is_anomaly.any()
    assert told.expected[3] < 50
    new = Prophet(holidays=dates).detect(series, np.datetime64("2026-03-05"))
    assert new.is_anomaly[0]


@pytest.mark.parametrize("n", [365, 729])
def test_the_band_holds_what_its_width_says(n: int) -> None:
    """Nominal 0.3 % of false alarms: 0.3 to 0.4 % measured from a year of daily points on."""
    rng = np.random.default_rng(n)
    season = 3 * np.sin(2 * np.pi * np.arange(n + 1) / 7)
    series = [daily(season + rng.normal(size=n + 1)) for _ in range(4000)]
    results = Prophet().detect_many(series, series[0].times[-1])
    alarms = sum(int(result.is_anomaly.sum()) for result in results) / len(series)
    assert 0.0015 < alarms < 0.0060


def test_a_wider_interval_is_wider() -> None:
    series = daily(weekly_noise(12, 200))
    narrow, wide = (
        Prophet(interval_width=width).detect(series, series.times[-1]) for width in (0.8, 0.997)
    )
    ratio = (wide.upper - wide.lower) / (narrow.upper - narrow.lower)
    assert ratio[0] == pytest.approx(2.9677 / 1.2816, rel=1e-4)


def test_multiplicative_seasons_grow_with_the_level() -> None:
    t = np.arange(400)
    rng = np.random.default_rng(13)
    values = (50 + 0.5 * t) * (1 + 0.3 * np.sin(2 * np.pi * t / 7)) + rng.normal(size=400)
    series = daily(values)
    start = series.times[-14]
    product = Prophet(seasonality_mode="multiplicative").detect(series, start)
    total = Prophet().detect(series, start)
    assert np.abs(product.expected - product.values).max() < 5
    assert (product.upper - product.lower < 0.5 * (total.upper - total.lower)).all()
    assert not product.is_anomaly.any()


def test_engine_package_gives_the_verdicts_of_direct() -> None:
    prophet_engine()
    values = weekly_noise(14, 150)
    values[-2] += 15
    series = daily(values)
    start = series.times[-3]
    direct, package = (
        Prophet(engine=engine).detect(series, start) for engine in ("direct", "package")
    )
    assert direct.is_anomaly.tolist() == package.is_anomaly.tolist() == [False, True, False]
    np.testing.assert_allclose(package.expected, direct.expected, atol=0.1)
    np.testing.assert_allclose(package.upper, direct.upper, atol=0.3)


def test_logistic_growth_takes_the_package() -> None:
    prophet_engine()
    t = np.arange(150)
    values = 90 / (1 + np.exp(-(t - 60) / 15)) + np.random.default_rng(15).normal(size=150)
    result = Prophet(growth="logistic", cap=90.0).detect(daily(values), daily(values).times[-2])
    assert result.judged.all()
    assert (np.abs(result.expected - result.values) < 5).all()


@pytest.mark.parametrize(
    ("field", "given_"),
    [
        ("growth", {"growth": "quadratic"}),
        ("seasonality_mode", {"seasonality_mode": "sum"}),
        ("n_changepoints", {"n_changepoints": -1}),
        ("n_changepoints", {"n_changepoints": 2.5}),
        ("changepoint_range", {"changepoint_range": 0.0}),
        ("changepoint_range", {"changepoint_range": 1.1}),
        ("changepoint_prior_scale", {"changepoint_prior_scale": 0}),
        ("seasonality_prior_scale", {"seasonality_prior_scale": float("nan")}),
        ("holidays_prior_scale", {"holidays_prior_scale": -1}),
        ("yearly", {"yearly": "on"}),
        ("weekly", {"weekly": 0}),
        ("daily", {"daily": 1.5}),
        ("interval_width", {"interval_width": 1 - 1e-16}),
        ("interval_width", {"interval_width": 99.7}),
        ("refit_every", {"refit_every": "12h"}),
        ("refit_every", {"refit_every": "36h"}),
        ("refit_every", {"refit_every": 3}),
        ("history_length", {"history_length": "-3d"}),
        ("min_points", {"min_points": 29}),
        ("scaling", {"scaling": "std"}),
        ("engine", {"engine": "stan"}),
        ("engine", {"engine": "direct", "growth": "logistic", "cap": 1.0}),
        ("engine", {"engine": "direct", "mcmc_samples": 100}),
        ("mcmc_samples", {"mcmc_samples": -1}),
        ("mcmc_samples", {"mcmc_samples": 19}),
        ("cap", {"growth": "logistic"}),
        ("cap", {"growth": "logistic", "cap": 1.0, "floor": 1.0}),
    ],
)
def test_a_bad_parameter_is_named(field: str, given_: dict[str, Any]) -> None:
    with pytest.raises(ParameterError) as caught:
        Prophet(**given_)
    assert caught.value.field == field


def test_parameters_are_written_and_read_back() -> None:
    given_: dict[str, Any] = {
        "growth": "flat",
        "yearly": False,
        "weekly": 4,
        "refit_every": "7d",
        "history_length": "200d",
        "holidays": "DE",
    }
    detector = Prophet(**given_)
    written = detector.to_dict()
    assert written.pop("type") == "prophet"
    assert written["refit_every"] == "7d"
    assert Prophet(**written) == detector
    assert detector.refit_every == timedelta(days=7)


def test_costs_grow_with_the_work() -> None:
    cheap = Prophet()
    assert cheap.cost(729, 7) < cheap.cost(2160, 24)
    assert cheap.cost(729, 7) < Prophet(seasonality_mode="multiplicative").cost(729, 7)
    assert cheap.cost(729, 7) * 100 < Prophet(engine="package").cost(729, 7)


def test_history_counts_back_from_the_refit_before_start() -> None:
    start = datetime(2026, 6, 10, 15, tzinfo=UTC)
    end = datetime(2026, 6, 11, tzinfo=UTC)
    hour, day = timedelta(hours=1), timedelta(days=1)
    assert Prophet().history(start, end, hour) == 90 * day + 15 * hour + hour
    assert Prophet().history(start, end, day) == 738 * day + 15 * hour + day
    assert Prophet(consecutive=3).history(start, end, day) == 742 * day + 15 * hour + day


def test_importing_the_detector_imports_nothing_heavy() -> None:
    heavy = ("prophet.", "cmdstanpy", "pandas", "scipy", "numba", "holidays")
    code = (
        "import sys; import detectors.prophet; "
        f"print([name for name in sys.modules if name.startswith({heavy!r})])"
    )
    assert list(_lines(code)) == ["[]"]


def test_the_direct_engine_imports_neither_pandas_nor_the_package() -> None:
    code = (
        "import sys, numpy as np; from detectors.prophet import Prophet; "
        "from detectors.series import Series; "
        "days = np.datetime64('2026-01-01') + np.arange(120); "
        "result = Prophet().detect(Series(days, np.arange(120) % 7.0), days[-1]); "
        "heavy = ('prophet.', 'cmdstanpy', 'pandas'); "
        "print(result.judged.all(), [name for name in sys.modules if name.startswith(heavy)])"
    )
    assert list(_lines(code)) == ["True []"]


def _lines(code: str) -> Iterator[str]:
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    yield from run.stdout.splitlines()
