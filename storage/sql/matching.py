"""Conditions on metric, labels and time as SQL expressions."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from sqlglot import exp

from storage.conditions import ABSENT, glob_regex, is_glob, label_tests
from storage.selector import LabelCondition


def text(value: str) -> exp.Expr:
    """A string literal; the generator escapes it for its dialect."""
    return exp.Literal.string(value)


def number(value: int) -> exp.Expr:
    """An integer literal."""
    return exp.convert(value)


def name(column: str, table: str | None = None) -> exp.Column:
    """A quoted column."""
    return exp.column(column, table=table, quoted=True)


def within(column: exp.Expr, start: int, end: int) -> list[exp.Expr]:
    """start <= column < end."""
    return [
        exp.GTE(this=column.copy(), expression=number(start)),
        exp.LT(this=column.copy(), expression=number(end)),
    ]


def metric_condition(column: exp.Expr, metrics: Sequence[str]) -> list[exp.Expr]:
    """One of some names or globs; none given asks nothing."""
    if not metrics or "*" in metrics:
        return []
    names = [text(metric) for metric in metrics if not is_glob(metric)]
    tests: list[exp.Expr] = [
        exp.RegexpLike(this=column.copy(), expression=text(glob_regex(metric)))
        for metric in metrics
        if is_glob(metric)
    ]
    if names:
        tests.insert(0, exp.In(this=column.copy(), expressions=names))
    return [exp.or_(*tests)]


def label_conditions(
    column_of: Callable[[str], exp.Expr], conditions: Mapping[str, LabelCondition]
) -> Iterator[exp.Expr]:
    """What `storage.conditions` says, over expressions that are the empty text when absent."""
    for test in label_tests(conditions):
        column = column_of(test.name)
        if test.any_of:
            yield exp.In(this=column.copy(), expressions=[text(value) for value in test.any_of])
        if test.none_of:
            unwanted = [text(value) for value in test.none_of]
            yield exp.not_(exp.In(this=column.copy(), expressions=unwanted))


def label_of_map(label: str) -> exp.Expr:
    """A label of the archive's own map column."""
    value = exp.Bracket(this=name("labels"), expressions=[text(label)])
    return exp.Coalesce(this=value, expressions=[text(ABSENT)])
