"""What floating point adds to the exact answer, in units in the last place.

Exact sums are fractions, quantiles are finite sums of 60 and more digits, decompositions and normal
equations are solved again in long doubles. Each test states the bound that it holds.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr, stdtrit

from detectors import Result, Series, Window
from detectors.prophet.design import Design, Model
from detectors.prophet.posterior import log_posterior
from detectors.seasonal_esd import SeasonalESD
from detectors.seasonal_esd.critical import critical_values
from detectors.seasonal_esd.esd import find_extremes
from detectors.seasonal_esd.stl import periodic_stl
from detectors.series import Floats
from detectors.window.widths import student_factors
from tests.detectors import naive_esd
from tests.detectors.cases import daily, hourly
from tests.detectors.exact import (
    EPSILON,
    decimal_of,
    exact_mean,
    exact_squares,
    student_error,
    ulps,
)
from tests.detectors.prophet_oracle import Parameters, days, design_of, fitted_values, maximum
from tests.detectors.prophet_oracle import scales as prior_scales
from tests.detectors.test_stl import seasonal

JUDGED = 5


def course(kind: str, n: int, seed: int = 0) -> Floats:
    """Series in whose sums digits are lost where they are summed without care."""
    noise = np.random.default_rng(seed).normal(size=n)
    made: Floats = {
        "plain": noise,
        "far": 2.0**40 + 30 * noise,
        "farther": -1e15 + 1e3 * noise,
        "narrow": 1 + 1e-10 * noise,
        "small": noise * 1e-150,
        "large": noise * 1e150,
        "heavy": np.random.default_rng(seed).standard_cauchy(n),
        "walk": 1e6 + np.cumsum(noise),
        "after a burst": np.append([1e15, -1e15, 1e15], noise[3:]),
        "from afar": np.append(1e8, noise[1:]),
        "falling": noise * np.geomspace(1e12, 1, n),
    }[kind]
    return made


COURSES = ("plain", "far", "farther", "narrow", "small", "large", "heavy", "walk", "after a burst",
           "from afar", "falling")  # fmt: skip


def half_width(squares: Fraction, freedom: int, points: int, k: float = 3.0) -> Decimal:
    """Half-width of a prediction interval, given Student's factor."""
    factor = Decimal(float(student_factors(k, 2048)[freedom]))
    widened = factor * (1 + 1 / Decimal(points)).sqrt()
    return widened * decimal_of(squares / freedom).sqrt()


def bounds_are_exact(result: Result, row: int, mean: Fraction, half: Decimal, n: int) -> None:
    centre = decimal_of(mean)
    size = max(abs(float(mean)), float(half))
    allowed = 4 + n / 4
    assert ulps(result.expected[row], mean, size) <= allowed
    assert ulps(result.upper[row], centre + half, size) <= allowed
    assert ulps(result.lower[row], centre - half, size) <= allowed


@pytest.mark.parametrize("kind", COURSES)
@pytest.mark.parametrize("n", [5, 21, 365])
def test_bounds_of_a_rolling_mean(kind: str, n: int) -> None:
    """Within 4 + n/4 units in the last place of the larger of |mean| and half-width.

    Measured: 3 for windows of up to 21 points, 16 for 365.
    """
    values = course(kind, n + JUDGED)
    window = Window(window=n, min_points=n, k=3.0)
    result = window.detect(Series(daily(len(values)), values))
    for row in range(n, n + JUDGED):
        baseline = values[row - n : row]
        half = half_width(exact_squares(baseline), n - 1, n)
        bounds_are_exact(result, row, exact_mean(baseline), half, n)


@pytest.mark.parametrize("kind", [kind for kind in COURSES if kind != "after a burst"])
def test_bounds_of_a_mean_for_each_weekday_and_one_spread_for_all(kind: str) -> None:
    """Within 4 + n/4 units in the last place, n the points of the baseline."""
    n = 56
    values = course(kind, n + JUDGED)
    window = Window(window=n, season="day_of_week", k=3.0)
    result = window.detect(Series(daily(len(values)), values))
    for row in range(n, n + JUDGED):
        keys = [values[row - n + day : row : 7] for day in range(7)]
        squares = sum(map(exact_squares, keys), Fraction())
        half = half_width(squares, n - 7, n // 7)
        bounds_are_exact(result, row, exact_mean(keys[0]), half, n)


@pytest.mark.parametrize("k", [0.5, 2.0, 3.0, 3.5, 8.0, 30.0])
def test_students_factors(k: float) -> None:
    """Within 8 units in the last place, for a tail down to 30 deviations."""
    factors = student_factors(k, 2048)
    for freedom in (2, 4, 10, 60, 1000):
        error = student_error(float(factors[freedom]), freedom, float(ndtr(-k)))
        assert error <= 8 * EPSILON


@pytest.mark.parametrize("tails", [1, 2])
@pytest.mark.parametrize("alpha", [1e-9, 0.001, 0.05, 0.5])
@pytest.mark.parametrize("n", [8, 730, 14_398])
def test_critical_values(n: int, alpha: float, tails: int) -> None:
    """Quantile within 64 units in the last place, and lambda of it within 4.

    Measured: 35 for 6 degrees of freedom, below 1 for 12 and more.
    """
    critical = critical_values(n, 2, alpha, tails)
    for i in (1, 2, 3):
        freedom = n - i - 1
        if freedom % 2:
            continue
        tail = alpha / (tails * (n - i + 1))
        quantile = abs(float(stdtrit(float(freedom), tail)))
        assert student_error(quantile, freedom, tail) <= 64 * EPSILON
        t = Decimal(quantile)
        exact = t * (n - i) / ((freedom + t * t) * (n - i + 1)).sqrt()
        assert ulps(float(critical[i - 1]), exact, float(exact)) <= 4


@pytest.mark.slow
def test_critical_values_of_a_million_points() -> None:
    """Quantile within 64 units in the last place."""
    n, alpha = 1_000_001, 0.05
    tail = alpha / (2 * n)
    quantile = abs(float(stdtrit(float(n - 2 - 1), tail)))
    assert student_error(quantile, n - 3, tail, digits=40) <= 64 * EPSILON


@pytest.mark.parametrize("far", [0.0, 3.0, 1e4])
@pytest.mark.parametrize("tails", [0, 1, -1])
def test_deviates_of_removed_residuals(far: float, tails: int) -> None:
    """Scores within 8 units in the last place where the median is small beside the distances.

    Where it is not, its own last place is what a distance can be known to.
    """
    residuals = np.random.default_rng(3).normal(size=200) + far
    residuals[[20, 50, 120, 121]] += [40, -30, 22, -21]
    found = find_extremes(residuals, 4, 0.05, tails, 0.0, fall_back=False)
    critical = critical_values(200, 4, 0.05, 1 if tails else 2)
    assert len(found.rows) >= 2
    left = list(range(200))
    shares = []
    for row, bound in zip(found.rows.tolist(), critical.tolist(), strict=False):
        exact = sorted(Fraction(x) for x in residuals[left])
        centre = (exact[(len(exact) - 1) // 2] + exact[len(exact) // 2]) / 2
        distances = sorted(abs(x - centre) for x in exact)
        middle = (distances[(len(exact) - 1) // 2] + distances[len(exact) // 2]) / 2
        scale = Fraction(1.4826) * middle
        shares.append(abs(Fraction(residuals[row]) - centre) / scale / Fraction(bound))
        left.remove(row)
    for i, score in enumerate(found.scores):
        exact_score = max(shares[i:])
        assert ulps(score, exact_score, float(exact_score)) <= 8 + 8 * far


@pytest.mark.parametrize(
    ("n", "period", "allowed"),
    [
        (15, 7, 16),
        (61, 7, 16),
        (101, 2, 2**19),
        (200, 24, 16),
        pytest.param(400, 12, 16, marks=pytest.mark.slow),
        pytest.param(577, 288, 256, marks=pytest.mark.slow),
    ],
)
def test_the_decomposition(n: int, period: int, allowed: float) -> None:
    """Within 16 units in the last place of the largest value, where there are many seasons.

    256 where there are two: few points carry the ends. 2**19, a 1e-10th, for a period of two: a
    window of five points may lie among outliers, whose weights are small differences.
    """
    for seed in range(2):
        values = seasonal(n, period, seed)
        mine = periodic_stl(values, period)
        exact = naive_esd.periodic_stl(values.astype(np.longdouble), period)
        for one, other in zip(mine, exact, strict=True):
            error = float(np.abs(one - other).max()) / (EPSILON * np.abs(values).max())
            assert error <= allowed


@pytest.mark.parametrize("zero", [2.0**20, 2.0**40, -(2.0**43)])
def test_seasonal_esd_far_from_zero(zero: float) -> None:
    """Season, trend and score are to the bit those near zero, but for what the sum rounds."""
    values = np.round(seasonal(480, 24) * 64)
    near = SeasonalESD().detect(Series(hourly(480), values))
    far = SeasonalESD().detect(Series(hourly(480), values + zero))
    assert near.is_anomaly.sum() > 5
    assert far.score.tolist() == near.score.tolist()
    for column in ("expected", "expected_trend"):
        moved = getattr(far, column) - zero
        np.testing.assert_allclose(moved, getattr(near, column), rtol=0, atol=np.spacing(abs(zero)))


def solved(matrix: Any, right: Any) -> Any:
    """Gauss's elimination in the kind of number of its arguments; LAPACK has no long doubles."""
    matrix, right = matrix.copy(), right.copy()
    n = len(right)
    for i in range(n):
        pivot = i + int(np.argmax(np.abs(matrix[i:, i])))
        matrix[[i, pivot]], right[[i, pivot]] = matrix[[pivot, i]], right[[pivot, i]]
        factor = matrix[i + 1 :, i] / matrix[i, i]
        matrix[i + 1 :] -= factor[:, None] * matrix[i]
        right[i + 1 :] -= factor * right[i]
    for i in reversed(range(n)):
        right[i] = (right[i] - matrix[i, i + 1 :] @ right[i + 1 :]) / matrix[i, i]
    return right


def fitted_in_long_doubles(design: Design, scaled: Floats, at: Parameters, tau: float) -> Any:
    """The fit with the same noise and the same changes of trend, from its normal equations."""
    active = at.delta != 0
    columns = np.hstack(
        [
            design.trend(design.rows),
            design.effects(design.rows),
            design.hinges(design.rows)[:, active],
        ]
    ).astype(np.longdouble)
    variance = np.longdouble(at.sigma) ** 2
    ridge = np.concatenate([1 / prior_scales(design) ** 2, np.zeros(active.sum())])
    matrix = columns.T @ columns / variance + np.diag(ridge.astype(np.longdouble))
    right = columns.T @ scaled.astype(np.longdouble) / variance
    right[len(prior_scales(design)) :] -= np.sign(at.delta[active]) / np.longdouble(tau)
    return columns @ solved(matrix, right)


@pytest.mark.parametrize("zero", [0.0, 1e6])
@pytest.mark.parametrize(("n", "noise"), [(120, 1.0), (400, 0.01), (738, 1e-6)])
def test_prophets_fit(n: int, noise: float, zero: float) -> None:
    """Fitted values within a 1e-7th of the noise of the exact solution; measured: 1e-8."""
    rng = np.random.default_rng(1)
    at = np.arange(n)
    values = zero + np.sin(2 * np.pi * at / 7) + 0.05 * np.maximum(at - n / 2, 0)
    values += noise * rng.normal(size=n)
    scaled = (values - values.min()) / np.ptp(values)
    design = design_of(Model(), days(n))
    found = maximum(design, scaled)
    error = fitted_values(design, found) - fitted_in_long_doubles(design, scaled, found, 0.05)
    assert (found.delta != 0).any()
    assert float(np.abs(error).max()) <= 1e-7 * found.sigma


def test_prophets_log_posterior() -> None:
    """Within 64 units in the last place of the sum of its terms' sizes."""
    rng = np.random.default_rng(0)
    residuals, ridge, scales = rng.normal(size=700) * 0.01, rng.normal(size=8), np.full(8, 10.0)
    delta, tau, sigma = rng.normal(size=25) * 0.1, 0.05, 0.0123
    squares = sum((Fraction(x) ** 2 for x in residuals.tolist()), Fraction())
    terms = [
        decimal_of(squares / (2 * Fraction(sigma) ** 2)),
        700 * Decimal(sigma).ln(),
        decimal_of(sum((Fraction(x / 10) ** 2 for x in ridge.tolist()), Fraction()) / 2),
        decimal_of(sum((abs(Fraction(x)) for x in delta.tolist()), Fraction()) / Fraction(tau)),
        decimal_of(Fraction(sigma) ** 2 * 2),
    ]
    found = log_posterior(residuals, ridge, scales, delta, tau, sigma)
    size = float(sum(map(abs, terms)))
    assert ulps(found, -sum(terms, Decimal()), size) <= 64
