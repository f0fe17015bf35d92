"""Small expressions that all engines have."""

from collections.abc import Sequence
from functools import reduce

from sqlglot import exp

from storage.sql.matching import number, text


def call(function: str, *arguments: exp.Expr) -> exp.Expr:
    """A function that SQLGlot shall not translate."""
    return exp.Anonymous(this=function, expressions=list(arguments))


def bigint(value: exp.Expr) -> exp.Expr:
    """The value as a 64-bit integer."""
    return exp.cast(value, "bigint")


def times(value: exp.Expr, factor: int) -> exp.Expr:
    """The value multiplied."""
    return exp.Mul(this=value, expression=number(factor))


def total(parts: Sequence[exp.Expr]) -> exp.Expr:
    """The sum of some values."""
    return reduce(lambda left, right: exp.Add(this=left, expression=right), parts)


def days_since_1970(value: exp.Expr) -> exp.Expr:
    """Days of a DATE, or of a text such as 2026-01-02, as Hive and Spark count them."""
    return bigint(call("datediff", value, text("1970-01-01")))
