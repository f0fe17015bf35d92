"""Drift against scipy, and what it says of new, vanished and constant values."""

import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from lupus.drift import drift, reference
from lupus.drift.samples import ks
from lupus.drift.significance import chi_squared, kolmogorov
from lupus.errors import DriftError, LupusError
from lupus.statistics import Summary
from lupus.statistics.quantiles import Quantiles

NUMBERS = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=40)
WORDS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=40)


@given(NUMBERS, NUMBERS)
@settings(max_examples=25)
def test_distance_of_numbers_is_that_of_its_definition(one: list[float], two: list[float]) -> None:
    metrics = drift(pd.DataFrame({"x": one}), pd.DataFrame({"x": two})).metrics()
    apart = [abs(np.mean(np.array(one) <= x) - np.mean(np.array(two) <= x)) for x in {*one, *two}]
    assert metrics["x.ks"] == pytest.approx(max(apart))


def test_distance_of_numbers_is_scipys() -> None:
    random = np.random.default_rng(1)
    one, two = random.normal(size=500).round(1), random.normal(0.1, 2, 800).round(1)
    metrics = drift(pd.DataFrame({"x": one}), pd.DataFrame({"x": two})).metrics()
    theirs = stats.ks_2samp(one, two, method="asymp")
    assert metrics["x.ks"] == pytest.approx(theirs.statistic)
    assert metrics["x.ks_p"] == pytest.approx(theirs.pvalue, rel=0.05)


@given(WORDS, WORDS)
@settings(max_examples=25)
def test_distances_of_categories_are_scipys(one: list[str], two: list[str]) -> None:
    metrics = drift(pd.DataFrame({"x": one}), pd.DataFrame({"x": two})).metrics()
    words = sorted({*one, *two})
    rows = np.array([[side.count(word) for word in words] for side in (one, two)])
    # all that are new are one bin
    new = np.array([word not in one for word in words])
    rows = np.concatenate([rows[:, ~new], rows[:, new].sum(axis=1, keepdims=True)], axis=1)
    distance = jensenshannon(rows[0], rows[1], base=2)
    assert metrics["x.js"] == pytest.approx(np.nan_to_num(distance) ** 2, abs=1e-12)
    theirs = stats.chi2_contingency(rows[:, rows.sum(axis=0) > 0], correction=False)
    assert metrics["x.chi2"] == pytest.approx(theirs.statistic)
    assert metrics["x.chi2_p"] == pytest.approx(theirs.pvalue)
    assert metrics["x.new"] == len({*two} - {*one})
    assert metrics["x.vanished_share"] == pytest.approx(
        sum(word not in two for word in one) / len(one)
    )


@pytest.mark.parametrize("freedom", [1, 2, 7, 111])
@pytest.mark.parametrize("value", [0.0, 0.01, 1.0, 8.0, 120.0, 900.0])
def test_p_values_of_chi_squared_are_scipys(value: float, freedom: int) -> None:
    theirs = stats.chi2.sf(value, freedom)
    assert chi_squared(value, freedom) == pytest.approx(theirs, rel=1e-8, abs=1e-14)


@pytest.mark.parametrize(("one", "two"), [(20, 30), (200, 1000), (100_000, 70_000)])
def test_p_values_of_distances_are_near_exact_ones(one: int, two: int) -> None:
    size = np.sqrt(one * two / (one + two))
    for reach in (0.1, 0.5, 0.8, 1.2, 2.0):
        exact = stats.kstwo.sf(reach / size, round(size**2))
        assert kolmogorov(reach / size, one, two) == pytest.approx(exact, abs=0.02)


def test_a_distance_in_buckets_is_within_its_error() -> None:
    random = np.random.default_rng(2)
    one, two = random.normal(size=30_000), random.normal(0.02, 1, 20_000)
    found, error = ks(Quantiles.of(one, 64), Quantiles.of(two, 128))
    exact = stats.ks_2samp(one, two, method="asymp").statistic
    assert found is not None
    assert 0 < error < 0.1
    assert found <= exact <= found + error


def test_psi_is_of_ten_bins_with_half_a_row_more() -> None:
    before = pd.DataFrame({"x": np.arange(1000.0)})
    now = pd.DataFrame({"x": np.arange(1000.0) + 100})
    found = drift(before, now)
    bins = found.samples("x")
    assert bins.reference.tolist() == pytest.approx([0, *[100] * 10, 0], abs=1)
    assert bins.sample.tolist() == pytest.approx([0, 0, *[100] * 9, 100], abs=1)
    one = (bins.reference + 0.5) / 1006
    two = (bins.sample + 0.5) / 1006
    assert found.metrics()["x.psi"] == pytest.approx(np.sum((two - one) * np.log(two / one)))
    assert found.metrics()["x.log_probability"] == pytest.approx(
        np.sum(bins.sample * np.log(one)) / 1000
    )
    table = found.to_pandas("x")
    assert table["bin"].tolist()[0] == "< 0"
    assert len(table) == 12


@pytest.mark.parametrize("value", [-7.0, 5.0])
def test_a_constant_that_becomes_another_one_is_seen(value: float) -> None:
    metrics = drift(pd.DataFrame({"x": [0.0] * 50}), pd.DataFrame({"x": [value] * 50})).metrics()
    assert metrics["x.js"] == metrics["x.ks"] == 1
    psi = metrics["x.psi"]
    assert psi is not None
    assert psi > 5
    same = drift(pd.DataFrame({"x": [0.0] * 50}), pd.DataFrame({"x": [0.0] * 9})).metrics()
    assert same["x.js"] == same["x.ks"] == 0
    assert same["x.chi2_p"] == 1


def test_a_stored_reference_says_the_same() -> None:
    random = np.random.default_rng(4)
    before = pd.DataFrame(
        {
            "age": random.normal(40, 9, 5000),
            "country": random.choice(["jp", "tw"], 5000),
            "hour": random.integers(0, 24, 5000),
        }
    )
    before["tags"] = pd.Series([["a", "b"]] * 5000)
    now = before.assign(age=before["age"] + 2)
    now["tags"] = pd.Series([["a", "c"]] * 5000)
    learned = reference(before, by="country", categorical=["hour"])
    stored = Summary.from_dict(json.loads(learned.to_json()))
    metrics = drift(stored, now).metrics()
    assert metrics == drift(learned, now).metrics()
    table = {(one.name, one.labels.get("country")): one.value for one in metrics}
    for country in ("jp", "tw"):
        assert table["tags.new_share", country] == 0.5
        assert table["hour.js", country] == 0
        moved = table["age.ks", country]
        assert moved is not None
        assert moved == pytest.approx(0.09, abs=0.03)
        lazy = drift(stored, pl.from_pandas(now).lazy()).metrics()
        assert {one.name: one.value for one in lazy if one.labels == {"country": country}} == (
            pytest.approx(
                {one.name: one.value for one in metrics if one.labels == {"country": country}}
            )
        )


def test_groups_come_and_go_and_may_have_one_reference() -> None:
    before = pd.DataFrame({"x": [1.0, 2.0], "g": ["a", "b"]})
    now = pd.DataFrame({"x": [1.0, 2.0, 3.0], "g": ["b", "c", "d"]})
    metrics = drift(before, now, by="g").metrics()
    assert metrics["groups.new"] == 2
    assert metrics["groups.vanished"] == 1
    one_for_all = drift(reference(before, ["x"]), now, by="g").metrics()
    assert {one.labels["g"] for one in one_for_all if one.name == "x.ks"} == {"b", "c", "d"}


def test_missing_values_are_told_apart() -> None:
    before = pd.DataFrame({"x": [1.0, 2.0, 3.0, None]})
    now = pd.DataFrame({"x": [1.0, None, None, None]})
    assert drift(before, now).metrics()["x.nulls_change"] == 0.5
    nothing = drift(before, now[:0]).metrics()
    assert nothing["x.psi"] is nothing["x.ks"] is nothing["x.nulls_change"] is None


@pytest.mark.parametrize(
    ("before", "now", "how", "said"),
    [
        ({"x": [1.0]}, {"y": [1.0]}, {}, "no column 'x'"),
        ({"x": [1.0]}, {"x": ["a"]}, {}, "x is text"),
        ({"x": [1.0]}, {"x": [1.0]}, {"bins": 1}, "bins must be 2 or more"),
    ],
)
def test_what_cannot_be_compared_is_said(before: Any, now: Any, how: Any, said: str) -> None:
    with pytest.raises(LupusError, match=said):
        drift(pd.DataFrame(before), pd.DataFrame(now), **how)


def test_a_category_that_is_none_is_refused() -> None:
    with pytest.raises(DriftError, match="there is no column 'y'"):
        reference(pd.DataFrame({"x": [1]}), categorical=["y"])
