"""The SQL of a selector: one golden text per engine. `test_external.py` executes DuckDB's."""

import pytest
from sqlglot import exp, parse_one

from storage.errors import InvalidError
from storage.local_time import LocalTime
from storage.selector import Selector
from storage.source import ExternalMapping, PartitionColumn, TimeColumns
from storage.sql.dialect import DIALECTS, Name
from storage.sql.mapping import Type, check_mapping, type_of
from storage.sql.points import points_query
from tests.storage.points import DAY_MS, START_MS

LONG = ExternalMapping(
    connection="warehouse",
    table="ml_metrics.daily_eval",
    time=TimeColumns(("dt",), "string", "%Y%m%d"),
    metric_column="name",
    value_column="value",
    label_columns=("region", "model", "is_test", "born"),
    partitions=(PartitionColumn("dt", "%Y%m%d"),),
    ordering_column="loaded_at",
    where="not name = 'it''s'",
)
COLUMNS: dict[str, Type] = {
    "dt": "text", "name": "text", "value": "number", "region": "text", "model": "integer",
    "is_test": "boolean", "born": "date", "loaded_at": "integer", "at": "timestamp",
    "day": "date", "recall": "number", "seconds": "integer", "real_seconds": "number",
}  # fmt: skip
SELECTOR = Selector(
    ("ndcg@10", 'it\'s \\ "x"', "re*.1?"),
    START_MS,
    START_MS + 7 * DAY_MS,
    {"region": ("jp", "o'hare\\"), "model": None, "is_test": ("!true",), "absent": ("x",)},
)


def sql(mapping: ExternalMapping, dialect: Name, selector: Selector = SELECTOR) -> str:
    local = LocalTime("Asia/Tokyo", selector.start_ms, selector.end_ms)
    table = exp.to_table("ml_metrics.daily_eval")
    query = points_query(mapping, COLUMNS, DIALECTS[dialect], table, selector, local)
    return query.sql(dialect=dialect)


GOLDEN: dict[Name, str] = {
    "duckdb": (
        'SELECT * FROM (SELECT COALESCE("name", \'\') AS "metric", COALESCE("region", \'\') AS '
        '"label_region", COALESCE(CAST("model" AS TEXT), \'\') AS "label_model", CASE WHEN '
        "\"is_test\" THEN 'true' WHEN NOT \"is_test\" THEN 'false' ELSE '' END AS "
        '"label_is_test", COALESCE(CAST("born" AS TEXT), \'\') AS "label_born", '
        'EPOCH_MS(STRPTIME(CAST("dt" AS TEXT), \'%Y%m%d\')) AS "ts", CASE WHEN '
        'ABS(CAST("value" AS DOUBLE)) <= 1.7976931348623157E308 THEN CAST("value" AS DOUBLE) '
        'END AS "value", "loaded_at" AS "ordering" FROM ml_metrics.daily_eval WHERE ("dt" >= '
        "'20260101' AND \"dt\" <= '20260108') AND NOT \"name\" = 'it''s') AS points WHERE "
        '((("ts" >= 1767258000000 AND "ts" < 1767862800000) AND "metric" <> \'\') AND '
        "(\"metric\" IN ('ndcg@10', 'it''s \\ \"x\"') OR REGEXP_MATCHES(\"metric\", "
        "'^re.*\\.1.$'))) "
        "AND '' IN ('x') AND NOT \"label_is_test\" IN ('true') AND \"label_model\" IN ('') AND "
        "\"label_region\" IN ('jp', 'o''hare\\')"
    ),
    "hive": (
        "SELECT * FROM (SELECT COALESCE(`name`, '') AS `metric`, COALESCE(`region`, '') AS "
        "`label_region`, COALESCE(CAST(`model` AS STRING), '') AS `label_model`, CASE WHEN "
        "`is_test` THEN 'true' WHEN NOT `is_test` THEN 'false' ELSE '' END AS "
        "`label_is_test`, COALESCE(CAST(`born` AS STRING), '') AS `label_born`, "
        "COALESCE(CASE WHEN CAST(`dt` AS STRING) RLIKE "
        "'^(\\\\d{4})(1[0-2]|0?[1-9])(3[01]|[12][0-9]|0?[1-9])$' THEN "
        "CAST(DATEDIFF(CONCAT(REGEXP_EXTRACT(CAST(`dt` AS STRING), "
        "'^(\\\\d{4})(1[0-2]|0?[1-9])(3[01]|[12][0-9]|0?[1-9])$', 1), '-', "
        "LPAD(REGEXP_EXTRACT(CAST(`dt` AS STRING), "
        "'^(\\\\d{4})(1[0-2]|0?[1-9])(3[01]|[12][0-9]|0?[1-9])$', 2), 2, '0'), '-', "
        "LPAD(REGEXP_EXTRACT(CAST(`dt` AS STRING), "
        "'^(\\\\d{4})(1[0-2]|0?[1-9])(3[01]|[12][0-9]|0?[1-9])$', 3), 2, '0')), '1970-01-01') "
        "AS BIGINT) * 86400000 END, CASE WHEN NOT CAST(`dt` AS STRING) IS NULL THEN "
        "-100000000000000000 END) AS `ts`, CASE WHEN ABS(CAST(`value` AS DOUBLE)) <= "
        "1.7976931348623157E308 THEN CAST(`value` AS DOUBLE) END AS `value`, `loaded_at` AS "
        "`ordering` FROM ml_metrics.daily_eval WHERE (`dt` >= '20260101' AND `dt` <= "
        "'20260108') AND NOT `name` = CONCAT('it', 's')) AS points WHERE (((`ts` >= "
        "1767258000000 AND `ts` < 1767862800000) AND `metric` <> '') AND (`metric` IN "
        "('ndcg@10', 'it\\'s \\\\ \"x\"') OR `metric` RLIKE '^re.*\\\\.1.$')) AND '' IN ('x') AND "
        "NOT `label_is_test` IN ('true') AND `label_model` IN ('') AND `label_region` IN "
        "('jp', 'o\\'hare\\\\')"
    ),
    "spark": (
        "SELECT * FROM (SELECT COALESCE(`name`, '') AS `metric`, COALESCE(`region`, '') AS "
        "`label_region`, COALESCE(CAST(`model` AS STRING), '') AS `label_model`, CASE WHEN "
        "`is_test` THEN 'true' WHEN NOT `is_test` THEN 'false' ELSE '' END AS "
        "`label_is_test`, COALESCE(CAST(`born` AS STRING), '') AS `label_born`, "
        "COALESCE(CASE WHEN CAST(`dt` AS STRING) RLIKE "
        "'^(\\\\d{4})(1[0-2]|0?[1-9])(3[01]|[12][0-9]|0?[1-9])$' THEN "
        "CAST(DATEDIFF(CONCAT(REGEXP_EXTRACT(CAST(`dt` AS STRING), "
        "'^(\\\\d{4})(1[0-2]|0?[1-9])(3[01]|[12][0-9]|0?[1-9])$', 1), '-', "
        "LPAD(REGEXP_EXTRACT(CAST(`dt` AS STRING), "
        "'^(\\\\d{4})(1[0-2]|0?[1-9])(3[01]|[12][0-9]|0?[1-9])$', 2), 2, '0'), '-', "
        "LPAD(REGEXP_EXTRACT(CAST(`dt` AS STRING), "
        "'^(\\\\d{4})(1[0-2]|0?[1-9])(3[01]|[12][0-9]|0?[1-9])$', 3), 2, '0')), '1970-01-01') "
        "AS BIGINT) * 86400000 END, CASE WHEN NOT CAST(`dt` AS STRING) IS NULL THEN "
        "-100000000000000000 END) AS `ts`, CASE WHEN ABS(CAST(`value` AS DOUBLE)) <= "
        "1.7976931348623157E308 THEN CAST(`value` AS DOUBLE) END AS `value`, `loaded_at` AS "
        "`ordering` FROM ml_metrics.daily_eval WHERE (`dt` >= '20260101' AND `dt` <= "
        "'20260108') AND NOT `name` = CONCAT('it', 's')) AS points WHERE (((`ts` >= "
        "1767258000000 AND `ts` < 1767862800000) AND `metric` <> '') AND (`metric` IN "
        "('ndcg@10', 'it\\'s \\\\ \"x\"') OR `metric` RLIKE '^re.*\\\\.1.$')) AND '' IN ('x') AND "
        "NOT `label_is_test` IN ('true') AND `label_model` IN ('') AND `label_region` IN "
        "('jp', 'o\\'hare\\\\')"
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_golden_text(dialect: Name) -> None:
    assert sql(LONG, dialect) == GOLDEN[dialect]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_text_parses_in_its_dialect(dialect: Name) -> None:
    """And gives the literals back as they went in, whatever quotes they hold."""
    parsed = parse_one(sql(LONG, dialect), dialect=dialect)
    literals = {each.this for each in parsed.find_all(exp.Literal) if each.is_string}
    assert {"ndcg@10", 'it\'s \\ "x"', "o'hare\\", "^re.*\\.1.$"} <= literals


TIMES: list[tuple[TimeColumns, Name, str]] = [
    (TimeColumns(("seconds",), "epoch_s"), "duckdb", 'CAST("seconds" AS BIGINT) * 1000'),
    (TimeColumns(("real_seconds",), "epoch_s"), "hive",
     "CAST(FLOOR(`real_seconds` * 1000) AS BIGINT)"),
    (TimeColumns(("seconds",), "epoch_ms"), "spark", "CAST(`seconds` AS BIGINT)"),
    (TimeColumns(("at",), "timestamp"), "duckdb", 'EPOCH_MS("at")'),
    (TimeColumns(("at",), "timestamp"), "spark", "UNIX_MILLIS(`at`)"),
    (TimeColumns(("at",), "timestamp"), "hive",
     "CAST(DATEDIFF(TO_DATE(`at`), '1970-01-01') AS BIGINT) * 86400000 + CAST(HOUR(`at`) AS BIGINT)"
     " * 3600000 + CAST(MINUTE(`at`) AS BIGINT) * 60000 + CAST(SECOND(`at`) AS BIGINT) * 1000 + "
     "CAST(DATE_FORMAT(`at`, 'SSS') AS BIGINT)"),
    (TimeColumns(("day",), "date"), "duckdb", 'EPOCH_MS("day")'),
    (TimeColumns(("day",), "date"), "hive",
     "CAST(DATEDIFF(`day`, '1970-01-01') AS BIGINT) * 86400000"),
    (TimeColumns(("dt", "name"), "string", "%Y%m%d %H%z"), "spark",
     "CAST(DATEDIFF(CONCAT(REGEXP_EXTRACT(CONCAT(CAST(`dt` AS STRING), ' ', CAST(`name` AS STRING))"
     ),
]  # fmt: skip


@pytest.mark.parametrize(("time", "dialect", "expected"), TIMES)
def test_times_per_engine(time: TimeColumns, dialect: Name, expected: str) -> None:
    mapping = ExternalMapping("warehouse", "t", time, value_column="value")
    quote = '"' if dialect == "duckdb" else "`"
    written = f"{expected} AS {quote}ts{quote}" if time.format is None else expected
    assert written in sql(mapping, dialect)


def test_wide_tables_cross_with_the_wanted_metrics_only() -> None:
    mapping = ExternalMapping(
        "warehouse", "t", TimeColumns(("day",), "date"), value_columns=("value", "recall")
    )
    text = sql(mapping, "hive", Selector(("rec*",), START_MS, START_MS + 1))
    assert "(SELECT 'recall' AS `name`) AS metrics" in text
    assert "'value' AS `name`" not in text


@pytest.mark.parametrize(
    ("name", "type_"),
    [("VARCHAR", "text"), ("varchar(20)", "text"), ("DECIMAL(18,3)", "number"), ("int", "integer"),
     ("TIMESTAMP WITH TIME ZONE", "timestamp"), ("STRUCT(a INTEGER)", "other"), ("DATE", "date"),
     ("INTEGER[]", "other"), ("boolean", "boolean")],
)  # fmt: skip
def test_types_of_engines(name: str, type_: Type) -> None:
    assert type_of(name) == type_


BASE = {"connection": "warehouse", "table": "t", "time": TimeColumns(("dt",), "date"),
        "value_column": "value"}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"table": "../x"}, "table"),
        ({"table": "/etc"}, "table"),
        ({"table": "a/../../b"}, "table"),
        ({"table": ""}, "table"),
        ({"table": "a b"}, "table"),
        ({"value_column": 'v" or 1=1'}, "value_column"),
        ({"value_column": None}, "value_column"),
        ({"value_columns": ("a",)}, "value_column"),
        ({"value_column": None, "value_columns": ("a", "a")}, "value_columns"),
        ({"value_column": None, "value_columns": ("a",), "metric": "m"}, "value_columns"),
        ({"metric": "m", "metric_column": "n"}, "metric"),
        ({"label_columns": ("a", "1b")}, "label_columns"),
        ({"ordering_column": "a;b"}, "ordering_column"),
        ({"partitions": (PartitionColumn("dt", "plain"),)}, "partitions.format"),
        ({"partitions": (PartitionColumn("d t"),)}, "partitions.column"),
        ({"time": TimeColumns(("dt",), "string")}, "time"),
        ({"time": TimeColumns(("dt",), "string", "%Q")}, "time.format"),
        ({"time": TimeColumns(("dt",), "date", "%Y")}, "time"),
        ({"time": TimeColumns((), "date")}, "time"),
        ({"where": "read_csv('x')"}, "where"),
    ],
)
def test_mappings_that_no_table_could_serve_are_refused(
    change: dict[str, object], field: str
) -> None:
    mapping = ExternalMapping(**(BASE | change))  # type: ignore[arg-type]
    with pytest.raises(InvalidError, match=field):
        check_mapping(mapping)
