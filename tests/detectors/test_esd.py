"""Removing extremes one by one, against the loop that the definition describes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import t as student

from detectors.seasonal_esd.critical import critical_values
from detectors.seasonal_esd.esd import find_extremes
from detectors.series import Floats
from tests.detectors.naive_esd import naive_extremes

EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True)
# Exact in binary, so that ties are the same in any order of arithmetic.
EIGHTHS = st.integers(-8000, 8000).map(lambda number: number / 8)
TAILS = pytest.mark.parametrize("tails", [0, 1, -1])


def agree(residuals: Floats, steps: int, alpha: float, tails: int) -> None:
    nothing = 1e-12 * float(np.abs(residuals).max())
    for fall_back in (False, True):
        found = find_extremes(residuals, steps, alpha, tails, nothing, fall_back=fall_back)
        naive = naive_extremes(residuals, steps, alpha, tails, nothing, fall_back)
        assert found.rows.tolist() == naive.rows
        np.testing.assert_allclose(found.scores, naive.scores, rtol=1e-9)
        np.testing.assert_allclose(found.half_width, naive.half_width, rtol=1e-9, atol=nothing)
        np.testing.assert_allclose(found.centre, naive.centre, rtol=1e-12, atol=nothing)
        np.testing.assert_allclose(found.reach, naive.reach, rtol=1e-9, atol=nothing)


@TAILS
@EXAMPLES
@given(
    residuals=arrays(np.float64, st.integers(5, 60), elements=EIGHTHS),
    share=st.floats(0.01, 0.49),
    alpha=st.sampled_from([0.01, 0.05, 0.5]),
)
def test_equals_the_definition(tails: int, residuals: Floats, share: float, alpha: float) -> None:
    if np.abs(residuals).max() > 0:
        agree(residuals, max(1, int(share * len(residuals))), alpha, tails)


@TAILS
@EXAMPLES
@given(
    residuals=arrays(np.float64, st.integers(5, 60), elements=st.integers(-4, 4).map(float)),
    share=st.floats(0.01, 0.49),
)
def test_equals_the_definition_among_ties(tails: int, residuals: Floats, share: float) -> None:
    """Small integers: equal values on one side, equal distances on both, no spread at all."""
    if np.abs(residuals).max() > 0:
        agree(residuals, max(1, int(share * len(residuals))), 0.05, tails)


@EXAMPLES
@given(
    signs=st.lists(st.sampled_from([-1, 1]), min_size=2, max_size=12),
    seed=st.integers(0, 1000),
)
def test_equals_the_definition_among_ties_of_both_sides(signs: list[int], seed: int) -> None:
    """With enough zeros that the median stays 0, and far values of one size on both sides."""
    rng = np.random.default_rng(seed)
    residuals = np.tile([1.0, 0.0, -1.0, 0.0, 2.0, -2.0, -1.0, 1.0], 10)
    for row, sign in zip(rng.permutation(80)[: len(signs)], signs, strict=True):
        residuals[row] = 16.0 * sign
    agree(residuals, 16, 0.05, 0)


@TAILS
def test_equals_the_definition_with_heavy_tails(tails: int) -> None:
    for seed in range(10):
        residuals = np.random.default_rng(seed).standard_t(1.5, 400 + seed)
        agree(residuals, 150, 0.05, tails)


def test_of_equal_distances_the_first_row_goes_first() -> None:
    residuals = np.tile([0.5, -0.5, 0.25, -0.25, 0.1, -0.1], 20)
    residuals[[30, 61]] = -9.0, 9.0
    found = find_extremes(residuals, 2, 0.05, 0, 0.0, fall_back=False)
    assert found.rows.tolist() == [30, 61]
    found = find_extremes(-residuals, 1, 0.05, 0, 0.0, fall_back=False)
    assert found.rows.tolist() == [30]


def test_equal_values_on_one_side_take_turns_with_the_other_by_row() -> None:
    residuals = np.tile([0.5, 0.0, -0.5, 0.0, 0.25, -0.25], 20)
    residuals[[12, 54]] = 9.0
    residuals[[31, 91]] = -9.0
    found = find_extremes(residuals, 4, 0.05, 0, 0.0, fall_back=False)
    assert found.rows.tolist() == [12, 31, 54, 91]


def test_an_early_removal_counts_when_a_later_one_exceeds() -> None:
    """Two equal far values hide each other at the first step; both are anomalies."""
    rng = np.random.default_rng(4)
    for size in np.arange(1.5, 3.5, 0.005):
        residuals = rng.uniform(-1, 1, 40)
        residuals[[3, 7]] = size, size * 0.999
        naive = naive_extremes(residuals, 2, 0.05, 0, 0.0, False)
        if len(naive.rows) == 2 and naive.deviates[0] <= naive.critical[0]:
            break
    else:
        pytest.fail("no example found")
    found = find_extremes(residuals, 2, 0.05, 0, 0.0, fall_back=False)
    assert found.rows.tolist() == [3, 7]
    assert (found.scores > 1).all()
    assert found.scores[0] == found.scores[1], "the score of a row is the best from its step on"


def test_scores_fall_with_the_order_of_removal() -> None:
    residuals = np.random.default_rng(0).normal(size=300)
    residuals[[5, 50, 100]] = 20, -15, 12
    found = find_extremes(residuals, 30, 0.05, 0, 0.0, fall_back=False)
    assert found.rows.tolist()[:3] == [5, 50, 100]
    assert (np.diff(found.scores) <= 0).all()


def test_no_spread_is_no_anomaly() -> None:
    for fall_back in (False, True):
        found = find_extremes(np.zeros(50), 5, 0.05, 0, 0.0, fall_back=fall_back)
        assert found.rows.size == 0
        assert found.steps == 0
        assert found.reach == 0


def test_where_most_are_equal_the_mean_distance_is_the_scale() -> None:
    residuals = np.zeros(100)
    residuals[[10, 20]] = 5.0, -3.0
    stopped = find_extremes(residuals, 5, 0.05, 0, 5e-12, fall_back=False)
    assert stopped.rows.size == 0
    found = find_extremes(residuals, 5, 0.05, 0, 5e-12, fall_back=True)
    assert found.rows.tolist() == [10, 20]
    assert found.steps == 2, "it stops when nothing but equal values is left"


def test_rounding_is_no_spread() -> None:
    residuals = 1e-13 * np.random.default_rng(0).normal(size=100)
    residuals[10] = 5.0
    found = find_extremes(residuals, 20, 0.05, 0, 1e-12 * 5, fall_back=False)
    assert found.rows.tolist() == [10]


@pytest.mark.parametrize("tails", [1, 2])
@pytest.mark.parametrize(("n", "steps"), [(5, 2), (730, 73), (14_398, 40)])
def test_critical_values_are_rosners(tails: int, n: int, steps: int) -> None:
    i = np.arange(1, steps + 2)
    t = student.isf(0.05 / (tails * (n - i + 1)), n - i - 1)
    wanted = t * (n - i) / np.sqrt((n - i - 1 + t * t) * (n - i + 1))
    np.testing.assert_allclose(critical_values(n, steps, 0.05, tails), wanted, rtol=1e-9)


def test_critical_values_need_a_degree_of_freedom() -> None:
    assert np.isnan(critical_values(5, 4, 0.05, 2)).tolist() == [False, False, False, True, True]
