"""The sketch of quantiles: bounds that hold, and no trace of order or parts."""

from collections.abc import Callable
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lupus.statistics.quantiles import Quantiles
from tests.library.statistics.drawn import NUMBERS, SEED, parts

SHARES = (0.0, 0.01, 0.25, 0.5, 0.9, 0.999, 1.0)


def same(one: Quantiles, other: Quantiles) -> bool:
    return (
        one.shift == other.shift
        and np.array_equal(one.keys, other.keys)
        and np.array_equal(one.counts, other.counts)
        and np.array_equal([one.low, one.high], [other.low, other.high], equal_nan=True)
    )


def sample(name: str) -> np.ndarray:
    random = np.random.default_rng(5)
    made: dict[str, Callable[[], np.ndarray]] = {
        "normal": lambda: random.normal(size=20_000),
        "lognormal": lambda: random.lognormal(3, 2, 20_000),
        "times": lambda: 1.7e9 + random.uniform(0, 86_400, 20_000),
        "all of float64": lambda: (
            random.choice([-1, 1], 20_000) * 10.0 ** random.uniform(-320, 308, 20_000)
        ),
        "negative": lambda: -random.pareto(1.2, 20_000),
        "whole": lambda: random.integers(0, 500, 20_000).astype(float),
    }
    return made[name]()


SAMPLES = ("normal", "lognormal", "times", "all of float64", "negative", "whole")


@settings(max_examples=60, deadline=None)
@given(st.lists(NUMBERS, min_size=20, max_size=80), SEED, st.sampled_from([16, 40]))
def test_parts_in_any_order_merge_to_the_same_sketch(
    numbers: list[float], seed: int, buckets: int
) -> None:
    values = np.array(numbers)
    cut = [Quantiles.of(values[rows], buckets) for rows in parts(len(values), seed)]
    whole = Quantiles.of(values, buckets)
    assert same(reduce(Quantiles.merge, cut), whole)
    assert same(reduce(Quantiles.merge, cut[::-1]), whole)
    assert len(whole.keys) <= buckets


@pytest.mark.parametrize("name", SAMPLES)
def test_parts_of_a_large_sample_merge_to_the_same_sketch(name: str) -> None:
    values = sample(name)
    cut = [Quantiles.of(part) for part in np.array_split(values, 7)]
    assert same(reduce(Quantiles.merge, cut), Quantiles.of(values))


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("buckets", [16, 256, 2048])
def test_the_true_quantile_lies_within_the_bounds(name: str, buckets: int) -> None:
    values = sample(name)
    sketch = Quantiles.of(values, buckets)
    with np.errstate(over="ignore", invalid="ignore"):
        wanted = np.quantile(values, SHARES)
    for share, true, found in zip(SHARES, wanted, sketch.quantiles(SHARES), strict=True):
        bounds = sketch.bounds(share)
        assert bounds is not None
        assert found is not None
        slack = 1e-12 * abs(true)
        assert bounds[0] - slack <= true <= bounds[1] + slack
        assert bounds[0] - slack <= found <= bounds[1] + slack


def test_a_bucket_is_as_wide_as_said() -> None:
    sketch = Quantiles.of(np.random.default_rng(1).lognormal(0, 3, 50_000))
    lows, highs = sketch.edges()
    assert not sketch.exact
    assert ((highs - lows) <= lows * sketch.relative_error).all()
    assert sketch.relative_error <= 1 / 64


def test_few_different_numbers_have_exact_quantiles() -> None:
    values = np.random.default_rng(2).integers(-1000, 1000, 100_000) / 7
    sketch = Quantiles.of(values)
    assert sketch.exact
    assert sketch.unique == len(np.unique(values))
    assert sketch.quantiles(SHARES) == pytest.approx(np.quantile(values, SHARES), rel=1e-12)


def test_shares_below_and_between() -> None:
    sketch = Quantiles.of(np.array([1.0, 1.0, 2.0, 5.0]))
    assert [sketch.rank(at) for at in (0.5, 1.0, 4.0, 5.0)] == [0.0, 0.5, 0.75, 1.0]
    assert sketch.histogram([0, 1, 2, 5]).tolist() == [0, 2, 2]
    values = sample("lognormal")
    edges = np.quantile(values, [0, 0.1, 0.5, 0.7, 1])
    counts = Quantiles.of(values).histogram(edges)
    assert counts.sum() == pytest.approx(len(values))
    assert counts == pytest.approx(np.histogram(values, edges)[0], rel=0.03)


def test_nothing_has_no_quantiles() -> None:
    nothing = Quantiles.of(np.array([]))
    assert (nothing.quantile(0.5), nothing.bounds(0.5), nothing.rank(1.0)) == (None, None, None)
    assert nothing.count == 0
    one = Quantiles.of(np.array([-0.0]))
    assert (one.quantile(0.3), one.bounds(0.3)) == (0.0, (0.0, 0.0))
    assert same(nothing.merge(one), one)
    assert same(one.merge(nothing), one)


@pytest.mark.parametrize("name", SAMPLES)
def test_its_document_reads_back(name: str) -> None:
    sketch = Quantiles.of(sample(name))
    assert same(Quantiles.from_dict(sketch.to_dict()), sketch)


def test_an_empty_document_reads_back() -> None:
    read = Quantiles.from_dict(Quantiles.of(np.array([])).to_dict())
    assert read.count == 0
    assert read.quantile(0.5) is None
