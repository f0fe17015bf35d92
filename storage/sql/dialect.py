"""What differs between the engines that execute our SQL.

SQLGlot's generator knows quoting, escaping and types. This table holds what it cannot know:
expressions that give epoch milliseconds whatever the session's time zone is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from storage.local_time import DAY_MS
from storage.sql.build import bigint, call, days_since_1970, times, total
from storage.sql.matching import text
from storage.sql.parsed_text import parsed_text

Name = Literal["duckdb", "hive", "spark"]
Build = Callable[[exp.Expr], exp.Expr]


@dataclass(frozen=True)
class Dialect:
    """One engine's ways to count milliseconds since 1970."""

    name: Name
    of_timestamp: Build  # of a TIMESTAMP column that holds UTC
    of_date: Build  # of a DATE as though its midnight were in UTC
    of_text: Callable[[exp.Expr, str], exp.Expr]  # with a format; a wall time as though in UTC


def _epoch_ms(value: exp.Expr) -> exp.Expr:
    return call("epoch_ms", value)


def _days(value: exp.Expr) -> exp.Expr:
    return times(days_since_1970(value), DAY_MS)


def _of_fields(value: exp.Expr) -> exp.Expr:
    # unix_timestamp() and casts go through the session's zone; the fields of a TIMESTAMP do not.
    parts = [_days(call("to_date", value))]
    for field, unit in (("hour", 3_600_000), ("minute", 60_000), ("second", 1_000)):
        parts.append(times(bigint(call(field, value.copy())), unit))
    parts.append(bigint(call("date_format", value.copy(), text("SSS"))))
    return total(parts)


DUCKDB = Dialect(
    "duckdb",
    of_timestamp=_epoch_ms,
    of_date=_epoch_ms,
    of_text=lambda value, format_: _epoch_ms(call("strptime", value, text(format_))),
)
HIVE = Dialect("hive", _of_fields, _days, parsed_text)
# Spark's TIMESTAMP is an instant, not fields.
SPARK = Dialect("spark", lambda value: call("unix_millis", value), _days, parsed_text)

DIALECTS: dict[Name, Dialect] = {each.name: each for each in (DUCKDB, HIVE, SPARK)}
