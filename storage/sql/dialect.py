"""What differs between the engines that execute our SQL.

SQLGlot's generator knows quoting, escaping and types. This table holds what it cannot know:
expressions that give epoch milliseconds whatever the session's time zone is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from storage.local_time import DAY_MS
from storage.sql.matching import number, text

Name = Literal["duckdb", "hive", "spark"]
Build = Callable[[exp.Expr], exp.Expr]


# strptime's letters in Java's DateTimeFormatter and SimpleDateFormat.
_JAVA_LETTERS = {
    "%Y": "yyyy",
    "%m": "MM",
    "%d": "dd",
    "%H": "HH",
    "%M": "mm",
    "%S": "ss",
    "%f": "SSSSSS",
    "%z": "Z",
    "%j": "DDD",
    "%b": "MMM",
    "%%": "%",
}


@dataclass(frozen=True)
class Dialect:
    """One engine's ways to count milliseconds since 1970."""

    name: Name
    of_timestamp: Build  # of a TIMESTAMP column that holds UTC
    of_date: Build  # of a DATE as though its midnight were in UTC
    of_text: Callable[[exp.Expr, str], exp.Expr]  # with a format; a wall time as though in UTC


def call(function: str, *arguments: exp.Expr) -> exp.Expr:
    """A function that SQLGlot shall not translate."""
    return exp.Anonymous(this=function, expressions=list(arguments))


def bigint(value: exp.Expr) -> exp.Expr:
    """The value as a 64-bit integer."""
    return exp.cast(value, "bigint")


def times(value: exp.Expr, factor: int) -> exp.Expr:
    """The value multiplied."""
    return exp.Mul(this=value, expression=number(factor))


def java_format(format_: str) -> str:
    """A strptime format in Java's letters; other text in single quotes."""
    parts: list[str] = []
    position = 0
    while position < len(format_):
        pair = format_[position : position + 2]
        if pair in _JAVA_LETTERS:
            parts.append(_JAVA_LETTERS[pair])
            position += 2
        else:
            letter = format_[position]
            parts.append("''" if letter == "'" else f"'{letter}'" if letter.isalpha() else letter)
            position += 1
    return "".join(parts)


def _epoch_ms(value: exp.Expr) -> exp.Expr:
    return call("epoch_ms", value)


def _days(value: exp.Expr) -> exp.Expr:
    return times(bigint(call("datediff", value, text("1970-01-01"))), DAY_MS)


def _hive_timestamp(value: exp.Expr) -> exp.Expr:
    # unix_timestamp() and casts go through the session's zone; the fields of a TIMESTAMP do not.
    parts = [_days(call("to_date", value))]
    for field, unit in (("hour", 3_600_000), ("minute", 60_000), ("second", 1_000)):
        parts.append(times(bigint(call(field, value.copy())), unit))
    parts.append(bigint(call("date_format", value.copy(), text("SSS"))))
    total = parts[0]
    for part in parts[1:]:
        total = exp.Add(this=total, expression=part)
    return total


def _hive_text(value: exp.Expr, format_: str) -> exp.Expr:
    if "%z" in format_:
        # The text names its instant itself, so the session's zone does not matter.
        return times(bigint(call("unix_timestamp", value, text(java_format(format_)))), 1000)
    written = call("unix_timestamp", value, text(java_format(format_)))
    return _hive_timestamp(call("from_unixtime", written))


def _spark_text(value: exp.Expr, format_: str) -> exp.Expr:
    type_ = "to_timestamp" if "%z" in format_ else "to_timestamp_ntz"
    parsed = call(type_, value, text(java_format(format_)))
    return call("unix_millis", parsed) if "%z" in format_ else _hive_timestamp(parsed)


DUCKDB = Dialect(
    "duckdb",
    of_timestamp=_epoch_ms,
    of_date=_epoch_ms,
    of_text=lambda value, format_: _epoch_ms(call("strptime", value, text(format_))),
)
HIVE = Dialect("hive", _hive_timestamp, _days, _hive_text)
# Spark's TIMESTAMP is an instant, not fields.
SPARK = Dialect("spark", lambda value: call("unix_millis", value), _days, _spark_text)

DIALECTS: dict[Name, Dialect] = {each.name: each for each in (DUCKDB, HIVE, SPARK)}
