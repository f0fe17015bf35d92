"""Moments of parts are moments of the whole, and what scipy says they are."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lupus.statistics.moments import BLOCK, Moments
from tests.library.statistics.drawn import NUMBERS, SEED, parts


@settings(max_examples=60, deadline=None)
@given(st.lists(NUMBERS, max_size=60), SEED)
def test_parts_merge_to_the_whole(numbers: list[float], seed: int) -> None:
    values = np.array(numbers)
    merged = reduce(Moments.merge, (Moments.of(values[rows]) for rows in parts(len(values), seed)))
    whole = Moments.of(values)
    assert merged.count == whole.count
    scale = max(np.abs(values).max(initial=0.0), 1e-300)
    for power, got, wanted in zip(
        (1, 2, 3, 4),
        (merged.sum, merged.m2, merged.m3, merged.m4),
        (whole.sum, whole.m2, whole.m3, whole.m4),
        strict=True,
    ):
        assert got == pytest.approx(wanted, rel=1e-9, abs=1e-11 * len(values) * scale**power)


@pytest.mark.parametrize("offset", [0.0, 1e6, -1e9])
def test_numbers_are_those_of_numpy_and_scipy(offset: float) -> None:
    values = np.random.default_rng(3).gamma(2.0, size=3 * BLOCK + 17) + offset
    moments = Moments.of(values)
    assert moments.mean == pytest.approx(values.mean(), rel=1e-14)
    assert moments.variance == pytest.approx(values.var(ddof=1), rel=1e-12)
    assert moments.std == pytest.approx(values.std(ddof=1), rel=1e-12)
    assert moments.skewness == pytest.approx(stats.skew(values), rel=1e-6)
    assert moments.kurtosis == pytest.approx(stats.kurtosis(values), rel=1e-6)


def test_a_sum_does_not_lose_what_a_thousand_parts_add() -> None:
    big, small = Moments.of(np.array([1e16])), Moments.of(np.array([1.0]))
    total = reduce(Moments.merge, [small] * 1000, big)
    assert total.merge(Moments.of(np.array([-1e16]))).sum == 1000


def test_few_numbers_have_no_spread() -> None:
    nothing, one = Moments.of(np.array([])), Moments.of(np.array([7]))
    assert (nothing.mean, nothing.std, nothing.skewness) == (None, None, None)
    assert (one.mean, one.variance, one.kurtosis) == (7.0, None, None)
    same = Moments.of(np.full(5, 0.1))
    assert (same.std, same.skewness, same.kurtosis) == (0.0, None, None)
    assert nothing.merge(one) == one == one.merge(nothing)


def test_its_list_reads_back() -> None:
    moments = Moments.of(np.array([1.5, 2.0, 9.0]))
    assert Moments.from_list(moments.to_list()) == moments
