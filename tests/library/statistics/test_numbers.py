"""What each metric is, against numpy, scipy and counting by hand."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lupus.statistics import Array, Categorical, Kind, Numeric, Present, Statistics, Text, Time

AT = datetime(2026, 5, 2, tzinfo=UTC)


def numbers(values: Any, kind: Any, at: datetime | None = None) -> dict[str, float | None]:
    """Metrics of one column, without its name; labelled ones as name{label}."""
    found = Statistics({"x": kind}).compute(pd.DataFrame({"x": values}), at=at).metrics()
    return {
        one.name.removeprefix("x.")
        + "".join(f"{{{value}}}" for value in one.labels.values()): one.value
        for one in found
    }


def test_numbers_are_of_finite_values() -> None:
    random = np.random.default_rng(8)
    values = np.round(random.gamma(2, 3, 5000), 2)
    values[::50], values[1::100], values[2::500] = np.nan, np.inf, 0.0
    values[3], values[4] = -np.inf, -0.0
    finite = values[np.isfinite(values)]
    kind = Numeric(
        *("count", "nulls", "present_share", "nan", "infinities", "zeros", "zero_share", "sum"),
        *("mean", "var", "std", "five", "p99.9", "skewness", "kurtosis", "unique", "same_share"),
    )
    common = Counter(finite.tolist()).most_common(1)[0][1]
    assert numbers(values, kind) == pytest.approx(
        {
            "rows": 5000,
            "count": 4900,
            "nulls": 100,
            "present_share": 0.98,
            "nan": 100,
            "infinities": int(np.isinf(values).sum()),
            "zeros": int((finite == 0).sum()),
            "zero_share": (finite == 0).mean(),
            "sum": finite.sum(),
            "mean": finite.mean(),
            "var": finite.var(ddof=1),
            "std": finite.std(ddof=1),
            "min": finite.min(),
            "p25": np.quantile(finite, 0.25),
            "p50": np.median(finite),
            "p75": np.quantile(finite, 0.75),
            "max": finite.max(),
            "p99.9": np.quantile(finite, 0.999),
            "skewness": stats.skew(finite),
            "kurtosis": stats.kurtosis(finite),
            "unique": len(np.unique(finite)),
            "same_share": common / len(finite),
        },
        rel=1e-9,
    )


def test_many_different_numbers_are_within_the_stated_errors() -> None:
    random = np.random.default_rng(9)
    values = random.lognormal(0, 1, 60_000)
    values[:9000] = 7.25
    random.shuffle(values)
    found = numbers(values, Numeric("p1", "p50", "p99", "unique", "same_share"))
    for name, share in (("p1", 0.01), ("p50", 0.5), ("p99", 0.99)):
        assert found[name] == pytest.approx(np.quantile(values, share), rel=1 / 64)
    assert found["unique"] == pytest.approx(51_001, rel=0.04)
    assert found["same_share"] == 0.15


def test_every_number_of_more_than_one_row_in_256_is_known() -> None:
    values = np.random.default_rng(4).normal(size=51_200)
    values[:201], values[300:501] = 3.5, -1.25
    summary = Statistics({"x": ["same_share"]}).compute(pd.DataFrame({"x": values}))
    assert summary.column("x").state.repeated.counts() == {"3.5": 201, "-1.25": 201}


def test_a_histogram_counts_shares_of_bins_and_beyond() -> None:
    found = numbers([-1.0, 0, 0.5, 1, 2, 3, np.nan], Numeric("histogram", edges=[0, 1, 2]))
    shares = {"{< 0}": 1 / 6, "{[0, 1)}": 2 / 6, "{[1, 2]}": 2 / 6, "{> 2}": 1 / 6}
    assert found == pytest.approx({"rows": 7, **{f"histogram{k}": v for k, v in shares.items()}})


def test_booleans_and_integers_are_numbers() -> None:
    assert numbers([True, False, True, True], Numeric("mean", "zeros")) == {
        "rows": 4,
        "mean": 0.75,
        "zeros": 1,
    }
    assert numbers(np.array([1, 2, 250], np.uint8), Numeric("sum", "max"))["sum"] == 253


def test_categories() -> None:
    found = numbers(
        ["jp", "jp", "us", None, "kr"],
        Categorical("nulls", "unique", "entropy", "top1_share", "top2_share", "shares"),
    )
    assert found == pytest.approx(
        {
            "rows": 5,
            "nulls": 1,
            "unique": 3,
            "entropy": 1.5,
            "top1_share": 0.5,
            "top2_share": 0.75,
            "share{jp}": 0.5,
            "share{kr}": 0.25,
            "share{us}": 0.25,
        }
    )
    named = numbers(["a", ""], Categorical("shares", values=["a", "b", ""]))
    assert named == {"rows": 2, "share{a}": 0.5, "share{b}": 0.0, "share{(empty)}": 0.5}


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([True, None, False], {"true", "false"}),
        ([7, 8], {"7", "8"}),
        ([7.0, np.nan, -8.0], {"7", "-8"}),
        (pd.Series(["a", "b"], dtype="category"), {"a", "b"}),
        (pd.Series([3, 4, None], dtype="Int64"), {"3", "4"}),
    ],
)
def test_categories_are_texts(values: Any, texts: set[str]) -> None:
    summary = Statistics({"x": Categorical()}).compute(pd.DataFrame({"x": values}))
    assert set(summary.column("x").state.counts()) == texts


def test_other_columns_of_each_category() -> None:
    frame = pd.DataFrame({"c": ["a", "b", "a", None], "x": [1.0, 5.0, 3.0, 9.0]})
    spec = Statistics({"c": Categorical("unique", of={"x": Numeric("mean")})})
    found = spec.compute(frame).metrics()
    means = {one.labels["value"]: one.value for one in found if one.name == "c.x.mean"}
    assert means == {"a": 2.0, "b": 5.0}


def test_arrays() -> None:
    found = numbers(
        [["p", "q", "p"], [], None, ["q", None]],
        Array(
            *("nulls", "empty", "element_nulls", "length.mean", "length.max", "unique"),
            *("top1_share", "coverage"),
            catalogue=8,
        ),
    )
    assert found == pytest.approx(
        {
            "rows": 4,
            "nulls": 1,
            "empty": 1,
            "element_nulls": 1,
            "length.mean": 5 / 3,
            "length.max": 3,
            "unique": 2,
            "top1_share": 0.5,
            "coverage": 0.25,
        }
    )


def test_texts() -> None:
    found = numbers(["日本", "", None, "abcd"], Text("present_share", "empty", "length.mean"))
    assert found == {"rows": 4, "present_share": 0.75, "empty": 1, "length.mean": 2.0}


def test_times_are_relative_to_the_one_given() -> None:
    naive = pd.to_datetime(pd.Series(["2026-05-01T00:00:00", None, "2026-05-01T18:00:00"]))
    for values in (naive, naive.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")):
        found = numbers(values, Time("freshness", "oldest", "span", "nulls"), AT)
        assert found == {
            "rows": 3,
            "freshness": 6 * 3600,
            "oldest": 24 * 3600,
            "span": 18 * 3600,
            "nulls": 1,
        }
    days = [AT.date(), None]
    assert numbers(days, Time("freshness"), AT)["freshness"] == 0


def test_freshness_of_merged_days_is_relative_to_the_last() -> None:
    spec = Statistics({"x": Time("freshness")})
    one, other = (
        spec.compute(pd.DataFrame({"x": pd.to_datetime([f"2026-05-0{day}T12:00"])}), at=at)
        for day, at in ((1, AT), (2, datetime(2026, 5, 3)))  # noqa: DTZ001  naive is UTC
    )
    for merged in (one + other, other + one):
        assert merged.metrics()["x.freshness"] == 12 * 3600


EVERY: list[Kind] = [
    Numeric("mean", "five", "skewness", "unique", "same_share", "sum", "zero_share", "var"),
    Categorical("unique", "entropy", "top1_share"),
    Text("length.mean"),
    Present("present_share", "count"),
]


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.name)
@pytest.mark.parametrize("many", [0, 3])
def test_a_column_without_values_has_no_numbers_but_counts(kind: Kind, many: int) -> None:
    values = pd.Series([None] * many, dtype="string" if kind.name == "text" else object)
    found = numbers(values, kind)
    assert found.pop("rows") == many
    counts: dict[str, float] = {"unique": 0, "count": 0}
    for name, value in found.items():
        wanted = counts.get(name)
        if name == "present_share" and many:
            wanted = 0.0
        assert value == wanted, name


def test_groups_are_labels() -> None:
    frame = pd.DataFrame({"r": ["jp", None, "jp", ""], "x": [1.0, 2.0, 5.0, 7.0]})
    found = Statistics({"x": Numeric("mean")}, by={"region": "r"}).compute(frame).metrics()
    means = {one.labels["region"]: one.value for one in found if one.name == "x.mean"}
    assert means == {"jp": 3.0, "(null)": 2.0, "(empty)": 7.0}
    nothing = Statistics({"x": Numeric("mean")}, by=["r"]).compute(frame[:0])
    assert len(nothing.metrics()) == 0


def test_what_is_usual_for_each_type() -> None:
    frame = pd.DataFrame({"n": [1], "c": ["a"], "l": [["a"]], "t": [pd.Timestamp(AT)], "o": [{}]})
    names = [one.name for one in Statistics().compute(frame, at=AT).metrics()]
    assert {"n.mean", "n.p50", "c.unique", "l.length.mean", "t.freshness"} <= set(names)
    assert "o.present_share" in names
    assert "t.freshness" not in [one.name for one in Statistics().compute(frame).metrics()]


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame(np.random.default_rng(1).normal(size=(60_000, 4)), columns=list("abcd"))
    one = Statistics().compute(frame)
    monkeypatch.setattr("lupus.statistics.compute.WORTH_THREADS", 10**9)
    assert Statistics().compute(frame).to_dict() == one.to_dict()


def test_a_summary_shows_itself() -> None:
    summary = Statistics({"x": ["mean"]}).compute(pd.DataFrame({"x": [1, 2]}))
    assert repr(summary) == "<Summary: 2 rows, 1 groups, 1 columns>"
    assert "x.mean" in summary._repr_html_()
    assert summary.to_pandas().to_dict("list") == {"metric": ["rows", "x.mean"], "value": [2, 1.5]}
