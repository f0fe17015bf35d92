"""What is refused, in one sentence that says what was wrong and what is allowed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lupus.statistics import (
    Array,
    Categorical,
    Numeric,
    Statistics,
    StatisticsError,
    Summary,
    Text,
    Time,
)

FRAME = pd.DataFrame(
    {
        "age": [1, 2, 3],
        "share": [0.5, 0.1, 0.2],
        "title": ["a", "b", "c"],
        "tags": [["a"], [], None],
        "seen": pd.to_datetime(["2026-05-01"] * 3),
    }
)


def compute(*words: Any, **named: Any) -> Summary:
    return Statistics(*words, **named).compute(FRAME)


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: compute({"title": Numeric("mean")}), "title is text: Numeric (mean) is for integer"),
    (lambda: compute({"title": ["mean"]}), "title is text, and has no mean: Categorical has"),
    (lambda: compute({"age": ["mean", "entropy"]}), "age is integer, and has no mean, entropy"),
    (lambda: compute({"age": Text()}), "age is integer: Text"),
    (lambda: compute({"tags": Categorical()}), "tags is array of text: Categorical"),
    (lambda: compute({"share": Categorical()}), "share has numbers with fractions"),
    (lambda: compute({"agee": Numeric()}), "there is no column 'agee'; there are age, share"),
    (lambda: compute(by=["land"]), "by: there is no column 'land'"),
    (lambda: compute(by=["tags"]), "by: tags is array of text, which makes no groups"),
    (lambda: compute(by=["age"], groups=2), "age make more than 2 groups"),
    (lambda: compute({"seen": Time()}), "seen: freshness needs the time"),
    (
        lambda: compute({"title": Categorical(of={"agee": Numeric()})}),
        "title, of: there is no column 'agee'",
    ),
    (
        lambda: compute({"title": Categorical(of={"age": Numeric()}, of_most=2)}),
        "title has more than 2 categories",
    ),
    (lambda: Numeric("median"), "Numeric gives count, nulls"),
    (lambda: Numeric("p101"), "not 'p101'"),
    (lambda: Numeric("histogram"), "a histogram has at least two ascending edges"),
    (lambda: Numeric("histogram", edges=[1, 1]), "a histogram has at least two ascending edges"),
    (lambda: Numeric("p50", buckets=3), "buckets is at least 16, not 3"),
    (lambda: Categorical("top0_share"), "not 'top0_share'"),
    (lambda: Categorical("shares", values="jp"), "values is a list of texts, not 'jp'"),
    (lambda: Categorical(capacity=0), "capacity is at least 1, not 0"),
    (lambda: Array("coverage"), "coverage needs how many elements"),
    (lambda: Text("length.median"), "Numeric gives"),
    (lambda: Statistics("age"), "columns is a list of names or a mapping, not 'age'"),
    (lambda: Statistics({"age": 3}), "age: names of metrics, or one of numeric"),  # type: ignore[dict-item]
    (lambda: Statistics(by="age"), "by is a list of columns or a mapping, not 'age'"),
    (lambda: Statistics(by=["my column"]), "'my column' is no label"),
    (lambda: Statistics(by=["value"]), "neither bin nor value"),
    (lambda: Statistics(by=["age", "age"]), "by names a column twice"),
    (lambda: Statistics(groups=0), "groups is at least 1, not 0"),
    (lambda: Statistics().compute([1, 2]), "not from builtins.list"),
    (lambda: Statistics().compute(FRAME["age"]), "not from pandas"),
    (lambda: Statistics().compute(FRAME, at="today"), "at is a datetime, not 'today'"),  # type: ignore[arg-type]
    (
        lambda: Statistics().compute(pd.concat([FRAME, FRAME], axis=1)),
        "the table has a column twice: age, seen, share, tags, title",
    ),
    (
        lambda: Statistics.from_dict({"colums": {}}),
        "statistics have by, columns, groups; not colums",
    ),
    (lambda: Statistics.from_dict({"columns": {"a": {"kind": "number"}}}), "a: kind is one of"),
    (
        lambda: Statistics.from_dict({"columns": {"a": {"kind": "numeric", "edge": 1}}}),
        "a: Numeric does not take edge",
    ),
    (
        lambda: Statistics.from_dict({"columns": {"a": {"kind": "text", "metrics": ["mean"]}}}),
        "a: Text gives",
    ),
    (lambda: Summary.from_dict({}), "this is no summary of statistics"),
    (lambda: Summary.from_json("{"), "this is no summary of statistics"),
    (
        lambda: Summary.from_dict({"format": "lupus.summary", "version": 9}),
        "a summary of version 9; this lupus reads 1",
    ),
    (
        lambda: Summary.from_dict({"format": "lupus.summary", "version": 1, "kinds": {}}),
        "the summary is damaged",
    ),
    (lambda: compute(["age"]) + compute(["share"]), "these summaries have different columns"),
    (
        lambda: compute({"age": ["mean"]}) + compute({"age": ["max"]}),
        "age: Numeric(",
    ),
]


@pytest.mark.parametrize(("wrong", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_a_wrong_request_is_one_clear_error(wrong: Callable[[], Any], said: str) -> None:
    with pytest.raises(StatisticsError) as refused:
        wrong()
    assert said in str(refused.value)


def test_merging_too_many_groups_is_refused() -> None:
    spec = Statistics({"age": ["mean"]}, by=["title"], groups=3)
    first = spec.compute(FRAME)
    other = spec.compute(FRAME.assign(title=["c", "d", "e"]))
    with pytest.raises(StatisticsError, match="title make more than 3 groups"):
        first.merge(other)


def test_a_part_without_values_merges_with_any_kind() -> None:
    spec = Statistics(["age"])
    empty = spec.compute(pd.DataFrame({"age": [None, None]}, dtype=object))
    for merged in (empty + spec.compute(FRAME), spec.compute(FRAME) + empty):
        assert merged.metrics()["age.mean"] == 2.0
        assert merged.metrics()["age.present_share"] == 0.6
        assert merged.types == {"age": ("integer",)}


YAML = """
by: {region: title}
columns:
  age: [mean, p95]
  share: numeric
  tags: {kind: array, metrics: [coverage], catalogue: 9}
"""


def test_a_file_declares_statistics(tmp_path: Path) -> None:
    wanted = Statistics(
        {
            "age": ["mean", "p95"],
            "share": Numeric(),
            "tags": Array("coverage", catalogue=9),
        },
        by={"region": "title"},
    )
    (tmp_path / "wanted.yaml").write_text(YAML)
    (tmp_path / "wanted.json").write_text(json.dumps(wanted.to_dict()))
    for name in ("wanted.yaml", "wanted.json"):
        read = Statistics.from_file(tmp_path / name)
        assert read == wanted
        assert read.compute(FRAME).metrics() == wanted.compute(FRAME).metrics()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "{", "is no JSON"),
        ("a.yaml", "a: [", "is no YAML"),
        ("a.yaml", "- age", "statistics are declared by a mapping"),
        ("none.yaml", None, "No such file"),
    ],
)
def test_a_wrong_file_is_one_clear_error(
    tmp_path: Path, name: str, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(StatisticsError, match=said):
        Statistics.from_file(tmp_path / name)
