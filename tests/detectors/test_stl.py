"""The decomposition against its definition, against statsmodels, and against itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.seasonal import STL

from detectors.seasonal_esd.smoother import plan
from detectors.seasonal_esd.stl import periodic_stl
from detectors.series import Floats
from tests.detectors.naive_esd import next_odd
from tests.detectors.naive_esd import periodic_stl as naive_stl


def seasonal(n: int, period: int, seed: int = 0, outliers: bool = True) -> Floats:
    """A season, a bend and noise, with a few values far away."""
    rng = np.random.default_rng(seed)
    at = np.arange(n)
    values = 20 * np.sin(2 * np.pi * at / period) + 10 * (at / n) ** 2 + rng.normal(size=n)
    if outliers:
        values[rng.integers(0, n, max(1, n // 30))] += rng.choice([-30, 40], max(1, n // 30))
    return values


@pytest.mark.parametrize(
    ("n", "period"),
    [(5, 2), (7, 3), (9, 4), (15, 7), (100, 2), (101, 7), (200, 24), (611, 150), (577, 288)],
)
def test_equals_the_definition(n: int, period: int) -> None:
    values = seasonal(n, period)
    for mine, naive in zip(periodic_stl(values, period), naive_stl(values, period), strict=True):
        np.testing.assert_allclose(mine, naive, rtol=0, atol=1e-9)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(period=st.integers(2, 12), extra=st.integers(1, 40), seed=st.integers(0, 10**6))
def test_equals_the_definition_for_any_length(period: int, extra: int, seed: int) -> None:
    values = seasonal(2 * period + extra, period, seed, outliers=False)
    for mine, naive in zip(periodic_stl(values, period), naive_stl(values, period), strict=True):
        np.testing.assert_allclose(mine, naive, rtol=0, atol=1e-7)


@pytest.mark.parametrize("count", [1, 4, 5, 8, 13])
@pytest.mark.parametrize(("n", "period"), [(5, 2), (15, 7), (40, 19), (61, 4), (120, 7), (300, 24)])
def test_a_series_among_others_gets_the_bits_that_it_gets_alone(
    n: int, period: int, count: int
) -> None:
    rows = np.stack([seasonal(n, period, seed) for seed in range(count)])
    rows[0] = 0.0
    rows[-1] = np.round(rows[-1] / 20)
    alone = [periodic_stl(row, period) for row in rows]
    for together, which in zip(periodic_stl(rows, period), (0, 1), strict=True):
        assert np.array_equal(together, np.stack([one[which] for one in alone]))


@pytest.mark.parametrize(("n", "period"), [(240, 24), (1441, 48), (2880, 288)])
def test_equals_statsmodels_for_even_periods(n: int, period: int) -> None:
    values = seasonal(n, period)
    seasonal_window = 10 * n + 1
    trend_window = next_odd(np.ceil(1.5 * period / (1 - 1.5 / seasonal_window)))
    theirs = STL(
        values, period=period, seasonal=seasonal_window, trend=trend_window, low_pass=period + 1,
        seasonal_deg=0, trend_deg=1, low_pass_deg=1, robust=True,
        seasonal_jump=-(-seasonal_window // 10), trend_jump=-(-trend_window // 10),
        low_pass_jump=-(-(period + 1) // 10),
    ).fit(inner_iter=1, outer_iter=15)  # fmt: skip
    season, trend = periodic_stl(values, period)
    np.testing.assert_allclose(trend, theirs.trend, rtol=0, atol=1e-9)
    phase_means = np.array([theirs.seasonal[phase::period].mean() for phase in range(period)])
    np.testing.assert_allclose(season, phase_means[np.arange(n) % period], rtol=0, atol=1e-9)


def test_season_repeats_exactly() -> None:
    season, _ = periodic_stl(seasonal(150, 7), 7)
    assert np.array_equal(season[7:], season[:-7])


@pytest.mark.parametrize("n", [200, 201])
def test_moves_and_scales_with_the_values(n: int) -> None:
    values = seasonal(n, 12)
    season, trend = periodic_stl(values, 12)
    moved_season, moved_trend = periodic_stl(values + 1e9, 12)
    np.testing.assert_allclose(moved_season, season, rtol=0, atol=1e-4)
    np.testing.assert_allclose(moved_trend - 1e9, trend, rtol=0, atol=1e-4)
    small_season, small_trend = periodic_stl(values * 1e-12, 12)
    np.testing.assert_allclose(small_season * 1e12, season, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(small_trend * 1e12, trend, rtol=1e-9, atol=1e-9)


def test_a_constant_is_all_trend() -> None:
    season, trend = periodic_stl(np.full(50, 7.0), 7)
    np.testing.assert_allclose(season, 0, atol=1e-13)
    np.testing.assert_allclose(trend, 7.0, rtol=1e-13)


def test_outliers_do_not_bend_the_season() -> None:
    clean = seasonal(210, 7, outliers=False)
    spiked = clean.copy()
    spiked[100] += 1e6
    season, _ = periodic_stl(clean, 7)
    spiked_season, _ = periodic_stl(spiked, 7)
    np.testing.assert_allclose(spiked_season, season, rtol=0, atol=0.2)


def test_input_is_left_alone_and_may_be_read_only_or_strided() -> None:
    values = seasonal(140, 7)
    wanted = periodic_stl(values, 7)
    frozen = values.copy()
    frozen.setflags(write=False)
    strided = np.repeat(values, 3)[::3]
    for given_values in (frozen, strided):
        assert np.array_equal(periodic_stl(given_values, 7), wanted)


def test_plans_do_not_grow_with_the_series() -> None:
    def size(n: int) -> int:
        smoothers = plan(n, 7).trend, plan(n, 7).low_pass
        return sum(one.interior.nbytes + one.edges.nbytes for one in smoothers)

    assert size(100_000) == size(1_000) < 2_000


def test_a_long_series_with_a_short_season_and_one_with_a_long_season_work() -> None:
    for n, period in ((100_000, 7), (20_000, 1_440)):
        values = seasonal(n, period)
        season, trend = periodic_stl(values, period)
        rest = values - season - trend
        assert np.median(np.abs(rest)) < 2
