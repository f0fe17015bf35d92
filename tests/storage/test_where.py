"""The optional condition of a mapping: what passes, and what never may."""

import pytest

from storage.errors import InvalidError
from storage.sql.dialect import Name
from storage.sql.where import parse_where

COLUMNS = ["a", "b", "dt"]


@pytest.mark.parametrize(
    ("where", "written"),
    [
        ("a = 1", '"a" = 1'),
        ("A > 1 and (b = 'x' or b is null)", '"A" > 1 AND ("b" = \'x\' OR "b" IS NULL)'),
        ("b in ('x', 'o''y')", "\"b\" IN ('x', 'o''y')"),
        ("not b like 'x%' -- but why", "NOT \"b\" LIKE 'x%'"),
        ("a between -1 and 2.5", '"a" BETWEEN -1 AND 2.5'),
        ("lower(b) <> coalesce(dt, '')", "LOWER(\"b\") <> COALESCE(\"dt\", '')"),
        ("cast(dt as date) >= date '2026-01-01'",
         "CAST(\"dt\" AS DATE) >= CAST('2026-01-01' AS DATE)"),
        ("a % 2 = 0 and round(a / 3, 1) < abs(a)",
         '"a" % 2 = 0 AND ROUND("a" / 3, 1) < ABS("a")'),
        ("case when a > 1 then b = 'x' else true end",
         "CASE WHEN \"a\" > 1 THEN \"b\" = 'x' ELSE TRUE END"),
    ],
)  # fmt: skip
def test_conditions_pass_with_their_columns_quoted(where: str, written: str) -> None:
    assert parse_where(where, "duckdb", COLUMNS).sql(dialect="duckdb") == written


@pytest.mark.parametrize("dialect", ["duckdb", "hive", "spark"])
@pytest.mark.parametrize(
    "where",
    [
        "",
        "a =",
        "a = 1; drop table points",
        "1 = 1 union select 1",
        "a = (select 1)",
        "a in (select 1)",
        "exists (select 1)",
        "a in unnest([1])",
        "read_csv('/etc/passwd') = 'x'",
        "read_text('/etc/passwd') = 'x'",
        "getenv('HOME') = 'x'",
        "current_setting('threads') = 1",
        "reflect('java.lang.System', 'exit', 1) = 'x'",
        "java_method('java.lang.System', 'exit', 1) = 'x'",
        "sleep(100) = 1",
        "random() < 0.5",
        "current_date > dt",
        "a = ?",
        "t.a = 1",
        "nothing = 1",
        "sum(a) > 1",
        "row_number() over () = 1",
        "a = 1 and " * 100 + "a = 1",
        "(" * 5_000,
        "*",
    ],
)
def test_everything_else_is_refused(where: str, dialect: Name) -> None:
    with pytest.raises(InvalidError, match="where"):
        parse_where(where, dialect, COLUMNS)


def test_a_comment_cannot_end_early() -> None:
    condition = parse_where("a = 1 -- */ or 1 = 1 /*", "duckdb", COLUMNS)
    assert condition.sql(dialect="duckdb") == '"a" = 1'


@pytest.mark.parametrize("dialect", ["hive", "spark"])
@pytest.mark.parametrize(
    ("where", "function"),
    [
        ("get_json_object(b, '$.x.y') = 'z'", "get_json_object"),
        ("pmod(a, 2) = 1", "PMOD"),
        ("date_add(dt, 1) > '2026-01-01'", "date_add"),
        ("regexp_extract(b, '(x)', 1) = 'x'", "regexp_extract"),
    ],
)
def test_an_operator_may_allow_a_function(where: str, function: str, dialect: Name) -> None:
    with pytest.raises(InvalidError, match="where"):
        parse_where(where, dialect, COLUMNS)
    with pytest.raises(InvalidError, match="where"):
        parse_where(where, dialect, COLUMNS, ["another"])
    written = parse_where(where, dialect, COLUMNS, [function]).sql(dialect=dialect)
    assert written.startswith(f"{function.upper()}(`")


@pytest.mark.parametrize(
    ("where", "function"),
    [
        ("reflect('java.lang.System', 'exit', 1) = 'x'", "reflect"),
        ("JAVA_METHOD('java.lang.System', 'exit', 1) = 'x'", "java_method"),
        ("pmod(reflect('java.lang.System', 'exit', 1), 2) = 1", "pmod"),
        ("other.pmod(a, 2) = 1", "pmod"),
        ("sum(a) > 1", "sum"),
        ("pmod((select 1), 2) = 1", "pmod"),
        ("pmod(nothing, 2) = 1", "pmod"),
    ],
)
def test_an_allowed_function_opens_no_other_door(where: str, function: str) -> None:
    for dialect in ("hive", "spark"):
        with pytest.raises(InvalidError, match="where"):
            parse_where(where, dialect, COLUMNS, [function])
