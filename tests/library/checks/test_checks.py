"""What a schema learns, what it lets pass, and what it says when something is wrong."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lupus.checks import Result, Schema, learn
from lupus.checks.file import read
from lupus.errors import CheckFailedError, ChecksError

AT = datetime(2026, 11, 2, tzinfo=UTC)


def _rows(seed: int = 0, rows: int = 2000) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": random.normal(40, 10, rows).round(),
            "price": random.lognormal(3, 1, rows),
            "country": random.choice(["jp", "tw", "no"], rows, p=[0.7, 0.2, 0.1]),
            "user": [f"u{row}" for row in range(rows)],
            "active": random.random(rows) > 0.3,
            "at": pd.Timestamp("2026-11-01")
            + pd.to_timedelta(random.integers(0, 86400, rows), "s"),
        }
    )


SCHEMA = learn(_rows(), at=AT)


def _one(rules: dict[str, Any], values: list[Any], **top: Any) -> Result:
    """Check one column ``x`` of a type that the rules' first key ``type`` says."""
    return Schema.from_dict({"columns": {"x": rules}, **top}).check(
        pd.DataFrame({"x": pd.Series(values)}), at=AT
    )


def _said(result: Result) -> list[str]:
    return [one.name for one in [*result.failures, *result.warnings]]


@pytest.mark.parametrize("engine", ["pandas", "polars", "arrow"])
def test_another_day_of_the_same_passes_from_every_kind_of_frame(engine: str) -> None:
    frame = _rows(1)
    other: Any = {"pandas": frame, "polars": pl.from_pandas(frame).lazy()}.get(engine)
    result = SCHEMA.check(pa.Table.from_pandas(frame) if other is None else other, at=AT, fail=True)
    assert result.ok
    assert not result.warnings
    whole = SCHEMA.check(frame, at=AT).metrics().to_dict()
    assert result.metrics().to_dict() == pytest.approx(whole)
    assert whole["checks.failed"] == 0
    assert whole["age.js"] is not None


def test_a_schema_is_a_file_that_does_not_change_by_itself(tmp_path: Path) -> None:
    for name in ("schema.yaml", "schema.json"):
        SCHEMA.save(tmp_path / name)
        again = Schema.load(tmp_path / name)
        assert again.to_dict() == SCHEMA.to_dict()
        again.save(tmp_path / f"again {name}")
        assert (tmp_path / f"again {name}").read_text() == (tmp_path / name).read_text()
    text = (tmp_path / "schema.yaml").read_text()
    assert "range: {at_least:" in text
    assert "known: [jp, 'no', tw]" in text  # a bare no would be false
    assert list(SCHEMA.columns) == list(_rows(0, 1).columns)


def test_without_yaml_the_file_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    text = SCHEMA.to_text()
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert Schema.from_text(SCHEMA.to_text()).to_dict() == SCHEMA.to_dict()
    with pytest.raises(ChecksError, match="YAML needs the package PyYAML"):
        Schema.from_text(text)


def test_every_planted_fault_is_found_and_nothing_else() -> None:
    good = _rows(1)
    faults: dict[str, pd.DataFrame] = {
        "rows": good[:500],
        "columns.missing": good.drop(columns="user"),
        "columns.unexpected": good.assign(more=1),
        "age.type": good.assign(age="old"),
        "at.type": good.assign(at="today"),  # and nothing of its freshness
        "user.present": good.assign(user=good["user"].where(good.index % 20 > 0)),
        "age.range": good.assign(age=good["age"].where(good.index % 200 > 0, 999)),
        "country.categories": good.assign(country=good["country"].where(good.index % 50 > 0, "kr")),
        "at.freshness": good.assign(at=good["at"] - pd.Timedelta(days=2)),
    }
    for name, frame in faults.items():
        assert _said(SCHEMA.check(frame, at=AT)) == [name]
    moved = SCHEMA.check(good.assign(price=(good["price"] * 3).clip(upper=500)), at=AT)
    assert moved.ok
    assert {one.name for one in moved.warnings} == {"price.quartiles", "price.distribution"}


def test_a_failure_says_what_was_seen_and_what_was_allowed() -> None:
    rules = {"type": "number", "range": {"at_least": 0, "at_most": 120}}
    result = _one(rules, [31.0, -5.0, 998.0, 40.0])
    with pytest.raises(CheckFailedError) as failure:
        result.raise_if_failed()
    assert str(failure.value) == (
        "1 check failed\n- x.range: 2 of 4 numbers lie outside: -5, 998 "
        "(allowed: at least 0 and at most 120, but for 0 %)"
    )
    assert result.metrics()["x.outside_share"] == 0.5
    assert "x.range" in str(result)
    table = result.to_pandas()
    assert table.loc[table["check"] == "range", "outcome"].item() == "fail"
    assert "-5, 998" in result._repr_html_()


def test_a_severity_is_the_files() -> None:
    rules = {"type": "number", "range": {"at_least": 0, "severity": "warn"}}
    result = _one(rules, [-1.0])
    assert result.ok
    assert _said(result) == ["x.range"]
    result.raise_if_failed()
    assert result.metrics()["checks.warned"] == 1


def test_bounds_are_inside() -> None:
    rules = {"type": "number", "range": {"at_least": 1, "at_most": 1}}
    assert _one(rules, [1, 1]).ok
    assert _said(_one(rules, [1, 2])) == ["x.range"]
    upper = {"type": "number", "range": {"at_most": 3}}
    assert _one(upper, [-1e300, 3]).ok
    infinite = _one(upper, [1.0, float("inf")])
    assert infinite.failures[0].examples == ("infinite",)
    half = {"type": "number", "range": {"at_most": 3, "outside": 0.5}}
    assert _one(half, [3.0, 4.0]).ok


def test_patterns_are_of_whole_texts() -> None:
    rules = {"type": "text", "pattern": {"regex": "[a-z]{2}", "mismatch": 0.25}}
    assert _one(rules, ["jp", "tw", "us", "usa"]).ok
    result = _one(rules, ["jp", "USA", "USA", "x" * 100, None])
    found = result.failures[0]
    assert found.said == "3 of 4 texts do not match"
    assert found.examples[0] == "'USA' (2 rows)"
    assert len(found.examples[1]) < 60
    assert result.metrics()["x.mismatch_share"] == 0.75


def test_not_null_and_categories_of_numbers() -> None:
    rules = {
        "type": "number",
        "present": {"at_least": 1},
        "categories": {"known": [1, 2], "unknown": 0},
    }
    assert _one(rules, [1, 2, 2]).ok
    assert _said(_one(rules, [1, 2, 3])) == ["x.categories"]
    assert _said(_one({"type": "text", "present": {"at_least": 1}}, ["a", None])) == ["x.present"]


def test_a_distribution_has_a_probability() -> None:
    shares = {"jp": 0.9, "tw": 0.1}
    rules: dict[str, Any] = {"type": "text"}
    rules["distribution"] = {"rows": 999, "shares": shares, "log_probability": -1}
    values = ["jp"] * 9 + ["tw"]
    likely = _one(rules, values)
    assert likely.metrics()["x.js"] == pytest.approx(0, abs=1e-12)
    entropy = 0.9 * np.log(0.9) + 0.1 * np.log(0.1)
    assert likely.metrics()["x.log_probability"] == pytest.approx(entropy, abs=0.01)
    assert not likely.warnings
    assert _said(_one(rules, ["kr"] * 10)) == ["x.distribution"]
    rules["distribution"] = {**rules["distribution"], "js": 1}  # only the probability is left
    assert not _one(rules, values).warnings
    rare = _one(rules, ["tw"] * 10).warnings[0]
    assert rare.said.endswith("the mean log probability is -2.3")


def test_nothing_to_check_is_not_a_failure_of_that_check() -> None:
    nothing = SCHEMA.check(_rows(0, 0), at=AT)
    assert {one.name for one in nothing.failures} <= {"rows", "at.freshness", "user.type",
                                                     "country.type"}  # fmt: skip
    assert nothing.metrics()["age.outside_share"] is None
    missing = _one({"type": "number", "range": {"at_least": 0}}, [None, None])
    assert missing.ok
    assert SCHEMA.check(pd.DataFrame({"other": [1]}), at=AT).metrics()["columns.missing"] == 6


def test_an_optional_column_may_be_missing() -> None:
    schema = Schema.from_dict(
        {"columns": {"x": {"type": "number"}, "y": {"type": "text", "optional": True}}}
    )
    assert schema.check(pd.DataFrame({"x": [1]})).ok


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("[]", "the schema is a mapping"),
        ("{", "the schema is no YAML"),
        ('{"columns": {}}', "name at least one"),
        ('{"schema": 2, "columns": {"x": {"type": "number"}}}', "schema: 2 is not known here"),
        ('{"columns": {"x": {"type": "int"}}}', "columns.x.type is one of number"),
        ('{"columns": {"x": {"type": "number", "rnge": {}}}}', "columns.x has type, .*; not rnge"),
        ('{"columns": {"x": {"type": "number", "range": {}}}}', "at_least, at_most, or both"),
        ('{"columns": {"x": {"type": "text", "range": {}}}}', "range is for number, not for text"),
        (
            '{"columns": {"x": {"type": "number", "range": {"at_least": "a"}}}}',
            "columns.x.range: at_least is a number",
        ),
        (
            '{"columns": {"x": {"type": "number", "range": {"at_least": 2, "at_most": 1}}}}',
            "at_least <= at_most",
        ),
        ('{"columns": {"x": {"type": "text", "pattern": {"regex": "("}}}}', "regex '\\(' is none"),
        (
            '{"columns": {"x": {"type": "text", "present": {"severity": "stop"}}}}',
            "columns.x.present: severity is one of fail, warn",
        ),
        (
            '{"columns": {"x": {"type": "number", "distribution": {"rows": 1, "edges": [1, 2],'
            ' "shares": [1]}}}}',
            "2 edges have 3 shares, not 1",
        ),
        ('{"rows": {"at_least": -1}, "columns": {"x": {"type": "text"}}}', "rows: at_least"),
        ('{"unexpected_columns": "no", "columns": {"x": {"type": "text"}}}', "unexpected_columns"),
    ],
)
def test_a_wrong_file_is_said_where(document: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "schema.yaml"
    file.write_text(document)
    with pytest.raises(ChecksError, match=said):
        Schema.load(file)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ChecksError, match="No such file"):
        Schema.load(tmp_path / "none.yaml")
    with pytest.raises(ChecksError, match="No such file"):
        read(tmp_path / "none.csv")
    with pytest.raises(ChecksError, match="ends with one of"):
        read(tmp_path / "none.xlsx")


def test_learning_needs_rows_and_columns() -> None:
    with pytest.raises(ChecksError, match="there are none"):
        learn(_rows(0, 0))
    with pytest.raises(ChecksError, match="no column 'agee'; there are age"):
        learn(_rows(0, 5), ["agee"])


def test_files_of_tables_are_read(tmp_path: Path) -> None:
    table = pa.table({"x": [1, 2, 3], "name": ["a", "b", "c"]})
    pq.write_table(table, tmp_path / "rows.parquet")
    (tmp_path / "rows.csv").write_text("x,name\n1,a\n2,b\n3,c\n")
    (tmp_path / "rows.ndjson").write_text(
        "\n".join(json.dumps(row) for row in table.to_pylist()) + "\n"
    )
    schema = learn(table)
    for name in ("rows.parquet", "rows.csv", "rows.ndjson"):
        assert schema.check(read(tmp_path / name)).ok, name
