"""TrendChange: changes that were planted, series in which nothing changed, and the scan's sums."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from detectors import ParameterError, Reason, Result, Series, TrendChange, detector_from_dict
from detectors.series import Floats
from detectors.trend_change.find import places
from detectors.trend_change.model import LEVEL, SLOPE, basis, change_at, residuals
from detectors.trend_change.outliers import pull_in
from detectors.trend_change.scan import scan
from detectors.trend_change.search import scan_beside
from tests.detectors.cases import daily, hourly, same

DAY_NS = np.timedelta64(1, "D")
WEEK = np.array([0.0, -2.0, 1.0, 3.0, 2.0, -4.0, -5.0])


def wandering(n: int, phi: float, seed: int, tails: int | None = None) -> Floats:
    """Noise of innovations 1 that remembers the point before by `phi`."""
    rng = np.random.default_rng(seed)
    noise: Floats = rng.normal(size=n) if tails is None else rng.standard_t(tails, n)
    noise[0] /= np.sqrt(1 - phi**2)
    for t in range(1, n):
        noise[t] += phi * noise[t - 1]
    return noise


def metric(n: int = 90, phi: float = 0.0, seed: int = 0, tails: int | None = None) -> Floats:
    """A week, a slow growth, and noise."""
    t = np.arange(n)
    values: Floats = 100 + WEEK[t % 7] + 0.02 * t + wandering(n, phi, seed, tails)
    return values


def step(n: int, at: int) -> Floats:
    return (np.arange(n) >= at).astype(np.float64)


def kink(n: int, at: int) -> Floats:
    column: Floats = np.maximum(np.arange(n) - at + 1.0, 0.0)
    return column


def judge(values: Any, times: Any = None, **parameters: Any) -> Result:
    times = daily(len(values)) if times is None else times
    return TrendChange(window=len(values), **parameters).detect(Series(times, values))


def rows(result: Result) -> list[int]:
    return np.flatnonzero(result.is_anomaly).tolist()


def check(result: Result) -> None:
    """What must hold of every result."""
    assert [one.time for one in result.changes] == list(result.times[result.is_anomaly])
    for one, row in zip(result.changes, rows(result), strict=True):
        assert one.earliest <= one.time <= one.latest
        assert 0.99 <= one.confidence <= 1
        assert np.sign(one.size) == result.direction[row]
        assert result.score[row] > 1


@pytest.mark.parametrize("phi", [0.0, 0.4])
@pytest.mark.parametrize("size", [6.0, -6.0])
def test_a_level_is_found_with_its_date_and_size(phi: float, size: float) -> None:
    for seed in range(5):
        result = judge(metric(phi=phi, seed=seed) + size * step(90, 60))
        (found,) = result.changes
        check(result)
        assert found.kind == "level"
        assert found.earliest <= result.times[60] <= found.latest
        assert found.size == pytest.approx(size, abs=3.0)
        assert abs(rows(result)[0] - 60) <= 2


@pytest.mark.parametrize("size", [0.5, -0.5])
def test_a_slope_is_found_with_its_date_and_its_size_a_day(size: float) -> None:
    for seed in range(5):
        values = metric(seed=seed) + size * kink(90, 45)
        result = judge(values)
        (found,) = result.changes
        check(result)
        assert found.kind == "slope"
        assert found.earliest <= result.times[45] <= found.latest
        assert found.size == pytest.approx(size, abs=0.1)
    half_days = TrendChange(window=90, period=14).detect(
        Series(daily(90)[0] + np.arange(90) * 43_200_000, metric(seed=1) + size * kink(90, 45))
    )
    assert half_days.changes[0].size == pytest.approx(2 * size, abs=0.2)


def test_several_changes_are_found_together() -> None:
    n = 180
    for seed in range(3):
        steps = 7 * step(n, 40) - 12 * step(n, 80) + 8 * step(n, 130)
        result = judge(metric(n, seed=seed) + steps)
        check(result)
        assert [one.kind for one in result.changes] == ["level"] * 3
        assert np.abs(np.array(rows(result)) - [40, 80, 130]).max() <= 1
        assert len(judge(metric(n, seed=seed) + steps, max_changes=2).changes) == 2


def test_an_episode_is_two_changes_though_neither_stands_out_alone() -> None:
    for seed in range(3):
        result = judge(metric(seed=seed) + 7 * (step(90, 40) - step(90, 55)))
        assert np.abs(np.array(rows(result)) - [40, 55]).max() <= 1
        up, down = result.changes
        assert up.size > 0 > down.size


@pytest.mark.parametrize(
    ("phi", "tails"), [(0.0, None), (0.3, None), (0.6, None), (0.9, None), (0.0, 3)]
)
def test_series_without_changes_have_few(phi: float, tails: int | None) -> None:
    times = daily(90)
    family = [Series(times, metric(90, phi, seed, tails)) for seed in range(150)]
    results = TrendChange(false_alarm_rate=0.02).detect_many(family)
    found = sum(bool(result.changes) for result in results)
    assert found <= 9, "three are expected of 150; ten come once in two thousand times"


def test_single_outliers_are_no_changes() -> None:
    for seed in range(5):
        values = metric(seed=seed)
        values[[15, 50, 52, -1]] += (40, -60, 80, 50)
        assert rows(judge(values)) == []


@pytest.mark.parametrize(("scale", "offset"), [(1e-9, 0.0), (3.0, 1e7), (-2.0, 5.0), (1e12, -1e14)])
def test_the_answer_moves_with_the_values(scale: float, offset: float) -> None:
    values = metric(phi=0.3, seed=3) + 5 * step(90, 50) + 0.4 * kink(90, 70)
    one, other = judge(values), judge(scale * values + offset)
    assert rows(other) == rows(one)
    assert [one.kind for one in other.changes] == [one.kind for one in one.changes]
    for name in ("expected", "expected_trend"):
        np.testing.assert_allclose(
            (getattr(other, name) - offset) / scale, getattr(one, name), rtol=1e-6, atol=1e-6
        )
    np.testing.assert_allclose(other.score, one.score, rtol=1e-5, atol=1e-7)
    for mine, theirs in zip(one.changes, other.changes, strict=True):
        assert theirs.size == pytest.approx(scale * mine.size, rel=1e-6)
        assert (theirs.earliest, theirs.latest) == (mine.earliest, mine.latest)


def test_an_answer_does_not_depend_on_the_batch() -> None:
    times = daily(90)
    family = [Series(times, metric(seed=s) + 5 * step(90, 30 + s)) for s in range(8)]
    detector = TrendChange()
    alone = [detector.detect(one) for one in family]
    for together, single in zip(detector.detect_many(family[::-1])[::-1], alone, strict=True):
        assert same(together, single)
        assert together.changes == single.changes


def test_gaps_and_excluded_days_take_no_part() -> None:
    times, values = daily(120), metric(120, seed=4) + 6 * step(120, 70)
    keep = np.delete(np.arange(120), [5, 20, 21, 22, 68, 69, 71, 90, 91])
    result = TrendChange(window=120).detect(Series(times[keep], values[keep]))
    assert rows(result) == [70]
    strange = values.copy()
    strange[30:44] += 50
    excluded = [[str(times[30:31].astype("datetime64[ms]")[0])[:10], "2025-10-15"]]
    detector = detector_from_dict({"type": "trend_change", "window": 120, "exclude": excluded})
    result = detector.detect(Series(times, strange))
    assert rows(result) == [70]


def test_weekends_without_points_are_no_obstacle() -> None:
    times = daily(140)
    workday = np.arange(140) % 7 < 5
    values = metric(140, seed=5) + 6 * step(140, 98)
    result = TrendChange(window=140).detect(Series(times[workday], values[workday]))
    assert rows(result) == [98]
    assert rows(TrendChange(window=140).detect(Series(times[workday], metric(140)[workday]))) == []


def test_an_exact_step_has_a_finite_score_and_is_at_most_a_warning() -> None:
    week = WEEK[np.arange(90) % 7]
    for values in (100 + 5 * step(90, 60), 100 + 3 * kink(90, 60), week + 9 * step(90, 60)):
        result = judge(values)
        assert rows(result) == [60]
        assert 1 < result.score[60] <= 1e6
        assert result.severity[60] == 1
        assert result.reason[60] == Reason.ZERO_VARIANCE
        assert judge(values, min_abs_change=1).severity[60] == 3
    for calm in (np.full(90, 7.0), np.arange(90) * 3.0, week):
        assert rows(judge(calm)) == []


@pytest.mark.parametrize("unit", ["hour", "week"])
def test_other_steps(unit: str) -> None:
    if unit == "hour":
        times, n = hourly(24 * 28), 24 * 28
        season: Floats = 8 * np.sin(np.arange(n) * np.pi / 12)
        at = 24 * 20 + 5
    else:
        times, n = daily()[0] + 7 * 86_400_000 * np.arange(80), 80
        season, at = np.zeros(80, np.float64), 50
    values = season + wandering(n, 0.3, 1) + 6 * step(n, at)
    result = TrendChange().detect(Series(times, values))
    assert abs(rows(result)[0] - at) <= 1
    assert len(rows(result)) == 1


def test_only_the_window_counts_and_more_history_changes_nothing() -> None:
    values = metric(200, seed=6) + 8 * step(200, 60)
    times = daily(200)
    detector = TrendChange()
    short = detector.detect(Series(times[110:], values[110:]), times[170])
    assert same(detector.detect(Series(times, values), times[170]), short)
    assert rows(detector.detect(Series(times, values))) == [60], "the range is tested whole"


def test_minimum_changes_compare_the_size_of_the_change() -> None:
    bent = metric(seed=2) + 0.5 * kink(90, 50)
    assert rows(judge(bent, min_abs_change=10)) == rows(judge(bent)), "it comes to 20 by the end"
    held = judge(bent, min_abs_change=30)
    assert rows(held) == []
    assert (held.reason == Reason.BELOW_MIN_CHANGE).sum() == 1
    assert held.changes == ()


def test_a_direction_is_that_of_the_change() -> None:
    falling = metric(seed=2) - 0.5 * kink(90, 50)
    assert len(rows(judge(falling, direction="down"))) == 1
    assert rows(judge(falling, direction="up")) == []


def test_history_reaches_back_the_window_from_the_end() -> None:
    day = timedelta(days=1)
    start = np.datetime64("2026-03-01")
    at = [TrendChange().history(start, start + days * DAY_NS, day) for days in (1, 30, 200)]
    assert timedelta(days=89) <= at[0] <= timedelta(days=92)
    assert at[0] - at[1] == timedelta(days=29)
    assert at[2] == timedelta()


@pytest.mark.parametrize("parameters", [{"window": 0}, {"period": "0d"}, {"min_segment": 2}])
def test_lengths_of_nothing_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=next(iter(parameters))):
        TrendChange(**parameters)


def test_the_scan_is_the_regression_of_each_change() -> None:
    """The sums from the end on against columns that are written out and solved by least squares."""
    n, period = 60, 7
    rng = np.random.default_rng(8)
    values = rng.normal(size=n).cumsum()
    known = np.ones(n, bool)
    known[[9, 30, 31]] = False
    present, allowed = np.zeros(n, bool), np.zeros(n, bool)
    places(known, present, allowed, period, 5)
    firsts, kinds = np.array([22], np.int64), np.array([SLOPE], np.int8)
    for phi in (0.0, 0.5, 0.9):
        columns, factor = np.empty((2, n)), np.zeros((2, 2))
        left, product = np.empty(n), np.empty(2)
        along, weight = np.empty((2, n)), np.empty((2, n))
        basis(columns, present, period, firsts, kinds, 1, phi, factor)
        residuals(values, present, period, phi, columns, 2, left, product)
        scan(left, present, period, phi, columns, 2, along, weight)
        t = np.arange(n)
        model = [(t % period == p).astype(float) for p in range(period)]
        model += [t.astype(float), kink(n, 22)]

        def white(column: Floats, phi: float = phi) -> Floats:
            return (column[1:] - phi * column[:-1])[present[1:]]

        base = np.stack([white(column) for column in model], axis=1)
        for kind in (LEVEL, SLOPE):
            for at in np.flatnonzero(allowed):
                column = white(np.array([change_at(int(k), int(at), kind) for k in t]))
                rest = column - base @ np.linalg.lstsq(base, column)[0]
                assert weight[kind, at] == pytest.approx(rest @ rest, rel=1e-8, abs=1e-8)
                assert along[kind, at] == pytest.approx(rest @ white(values), rel=1e-7, abs=1e-7)


def test_outliers_are_pulled_in_and_steps_stay() -> None:
    values = metric(seed=1) + 9 * step(90, 60)
    wild = values.copy()
    wild[[10, 40, 88]] = 1e6, -1e6, 500
    pull_in(wild, 7, 6)
    assert np.abs(wild - values).max() < 9
    bent = WEEK[np.arange(90) % 7] + 3.0 * kink(90, 60)
    kept = bent.copy()
    pull_in(kept, 7, 6)
    np.testing.assert_allclose(kept, bent, atol=1e-9)


@pytest.mark.parametrize("n", [1_000, 1_000_000])
def test_what_is_only_rounding_of_a_kink_is_none(n: int) -> None:
    """Near the start of a million points a ramp is nearly the trend, and the rest is rounding."""
    rows = np.arange(n) > 0
    along, weight = np.empty((2, n)), np.empty((2, n))
    none = np.zeros(0, np.int64), np.zeros(0, np.int8)
    scan_beside(np.zeros(n), rows, 24, 0.0, *none, 0, along, weight)
    first = np.arange(100, n // 3)
    cubes = ((first + 1.0) * (n - first - 1.0) / n) ** 3 / 3.0
    there = weight[1, first] > 0.0
    assert there[200:].all()
    assert there.all() == (n < 1_000_000)
    np.testing.assert_allclose(weight[1, first][there], cubes[there], rtol=0.2)
    assert (weight >= 0.0).all()
