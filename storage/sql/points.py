"""The points of an external table as one SELECT, whatever its columns are called.

It gives ``metric``, ``label_<name>`` (empty when absent), ``ts`` (UTC milliseconds, or wall-clock
ones for local times: see `storage.local_time`), ``value`` (null instead of NaN and infinity) and
``ordering``, in which the last row of one series and time wins.
"""

import re
from collections.abc import Collection, Mapping
from datetime import date

from sqlglot import exp

from storage.conditions import ABSENT, glob_regex
from storage.local_time import LocalTime
from storage.selector import Selector
from storage.source import ExternalMapping, PartitionColumn
from storage.sql.build import bigint, call, times
from storage.sql.dialect import Dialect
from storage.sql.mapping import Type
from storage.sql.matching import label_conditions, metric_condition, name, number, text, within
from storage.sql.where import parse_where

# More dates than this are no pruning worth its text.
_MOST_DATES = 20_000
# The time of a row whose text is none; far outside of every range.
UNREAD = -(10**17)
_RANGES = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y%m", "%Y-%m")  # sorted as text as by time
_LARGEST = exp.Literal.number("1.7976931348623157E308")


def points_query(
    mapping: ExternalMapping,
    columns: Mapping[str, Type],
    dialect: Dialect,
    table: exp.Expr,
    selector: Selector,
    local: LocalTime,
    functions: Collection[str] = (),
    *,
    unread: bool = False,
) -> exp.Select:
    """The selected points, versions unresolved and unordered.

    ``functions`` are those that the connection allows in the mapping's condition besides. With
    ``unread`` rows whose written time does not fit its format are given too, with `UNREAD` for a
    time; DuckDB refuses such a row by itself.
    """
    types = {column.lower(): type_ for column, type_ in columns.items()}
    rows = exp.select(
        exp.alias_(_metric(mapping), "metric", quoted=True),
        *(
            exp.alias_(_label(column, types[column.lower()]), f"label_{column}", quoted=True)
            for column in mapping.label_columns
        ),
        exp.alias_(_time(mapping, types, dialect), "ts", quoted=True),
        exp.alias_(_value(mapping), "value", quoted=True),
        exp.alias_(_ordering(mapping), "ordering", quoted=True),
    ).from_(table)
    if mapping.value_columns:
        rows = rows.join(_metric_rows(mapping, selector), join_type="cross")
    rows = rows.where(*partition_conditions(mapping, types, selector, local))
    if mapping.where is not None:
        rows = rows.where(parse_where(mapping.where, dialect.name, columns, functions))
    start, end = selector.start_ms, selector.end_ms
    if is_local(mapping):
        start, end = local.wall_from(start), local.wall_from(end)
    return (
        exp.select(exp.Star())
        .from_(rows.subquery("points"))
        .where(_in_range(start, end, unread))
        .where(exp.NEQ(this=name("metric"), expression=text("")))
        .where(*metric_condition(name("metric"), selector.metrics))
        .where(*label_conditions(lambda label: _mapped_label(mapping, label), selector.labels))
    )


def is_local(mapping: ExternalMapping) -> bool:
    """Whether the table's times are on the source's wall rather than in UTC."""
    time = mapping.time
    return time.kind == "date" or (time.kind == "string" and "%z" not in (time.format or ""))


def formatted_dates(partition: PartitionColumn, dates: list[date]) -> list[str]:
    """A partition column's values for some dates, in order, each once."""
    return list(dict.fromkeys(day.strftime(partition.format) for day in dates))


def _metric(mapping: ExternalMapping) -> exp.Expr:
    if mapping.value_columns:
        return name("name", "metrics")
    if mapping.metric_column is not None:
        return exp.Coalesce(this=name(mapping.metric_column), expressions=[text("")])
    return text(mapping.metric or mapping.value_column or "")


def _label(column: str, type_: Type) -> exp.Expr:
    value = name(column)
    if type_ == "boolean":
        no = exp.Not(this=value.copy())
        return exp.Case().when(value, text("true")).when(no, text("false")).else_(text(ABSENT))
    written = value if type_ == "text" else exp.cast(value, "text")
    return exp.Coalesce(this=written, expressions=[text(ABSENT)])


def _mapped_label(mapping: ExternalMapping, label: str) -> exp.Expr:
    return name(f"label_{label}") if label in mapping.label_columns else text(ABSENT)


def _time(mapping: ExternalMapping, types: Mapping[str, Type], dialect: Dialect) -> exp.Expr:
    time = mapping.time
    column = name(time.columns[0])
    if time.kind == "epoch_s":
        if types[time.columns[0].lower()] == "integer":
            return times(bigint(column), 1000)
        return bigint(exp.Floor(this=times(column, 1000)))
    if time.kind == "epoch_ms":
        return bigint(column)
    if time.kind == "timestamp":
        return dialect.of_timestamp(column)
    if time.kind == "date":
        return dialect.of_date(column)
    written = written_time(mapping)
    read = dialect.of_text(written, time.format or "")
    if dialect.name == "duckdb":
        return read
    there = exp.not_(exp.Is(this=written.copy(), expression=exp.Null()))
    return exp.Coalesce(this=read, expressions=[exp.Case().when(there, number(UNREAD))])


def written_time(mapping: ExternalMapping) -> exp.Expr:
    """The text in which a row says its time."""
    parts: list[exp.Expr] = []
    for each in mapping.time.columns:
        parts += [text(" "), exp.cast(name(each), "text")]
    return parts[1] if len(parts) == 2 else call("concat", *parts[1:])


def _in_range(start: int, end: int, unread: bool) -> exp.Expr:
    inside = exp.and_(*within(name("ts"), start, end))
    if not unread:
        return inside
    return exp.or_(inside, exp.EQ(this=name("ts"), expression=number(UNREAD)))


def _value(mapping: ExternalMapping) -> exp.Expr:
    if not mapping.value_columns:
        return _finite(mapping.value_column or "")
    case = exp.Case()
    for column in mapping.value_columns:
        asked = exp.EQ(this=name("name", "metrics"), expression=text(column))
        case = case.when(asked, _finite(column))
    return case


def _finite(column: str) -> exp.Expr:
    # One test for all engines: it is false for infinity, and for NaN wherever that sorts.
    value = exp.cast(name(column), "double")
    test = exp.LTE(this=exp.Abs(this=value), expression=_LARGEST.copy())
    return exp.Case().when(test, value.copy())


def _ordering(mapping: ExternalMapping) -> exp.Expr:
    return number(0) if mapping.ordering_column is None else name(mapping.ordering_column)


def _metric_rows(mapping: ExternalMapping, selector: Selector) -> exp.Expr:
    """The value columns asked for, as rows to cross with the table's."""
    wanted = [
        column
        for column in mapping.value_columns
        if not selector.metrics or any(_matches(glob, column) for glob in selector.metrics)
    ]
    rows = [exp.select(exp.alias_(text(column), "name", quoted=True)) for column in wanted]
    if not rows:
        nothing = exp.select(exp.alias_(text(""), "name", quoted=True))
        return nothing.subquery("metrics")
    whole: exp.Query = rows[0]
    for row in rows[1:]:
        whole = exp.union(whole, row, distinct=False)
    return whole.subquery("metrics")


def _matches(glob: str, metric: str) -> bool:
    return re.fullmatch(glob_regex(glob), metric) is not None


def partition_conditions(
    mapping: ExternalMapping, types: Mapping[str, Type], selector: Selector, local: LocalTime
) -> list[exp.Expr]:
    """What leaves the partitions that may hold points of the range, and no others."""
    dates = local.dates(selector.start_ms, selector.end_ms)
    if not mapping.partitions or len(dates) > _MOST_DATES:
        return []
    if not dates:
        return [exp.false()]
    *outer, last = mapping.partitions
    column, kind = name(last.column), types[last.column.lower()]
    if not outer and last.format in _RANGES:
        values = formatted_dates(last, dates)
        return [
            exp.GTE(this=column, expression=_value_of(kind, values[0])),
            exp.LTE(this=column.copy(), expression=_value_of(kind, values[-1])),
        ]
    inner: dict[tuple[str, ...], dict[str, None]] = {}
    for day in dates:
        prefix = tuple(day.strftime(each.format) for each in outer)
        inner.setdefault(prefix, {})[day.strftime(last.format)] = None
    return [
        exp.or_(
            *(_one_of(prefix, list(values), mapping, types) for prefix, values in inner.items())
        )
    ]


def _one_of(
    prefix: tuple[str, ...],
    values: list[str],
    mapping: ExternalMapping,
    types: Mapping[str, Type],
) -> exp.Expr:
    *outer, last = mapping.partitions
    tests: list[exp.Expr] = [
        _is_value(name(each.column), types[each.column.lower()], value)
        for each, value in zip(outer, prefix, strict=True)
    ]
    kind = types[last.column.lower()]
    listed = [each for value in values for each in _spellings(kind, value)]
    return exp.and_(*tests, exp.In(this=name(last.column), expressions=listed))


def _is_value(column: exp.Expr, kind: Type, value: str) -> exp.Expr:
    first, *others = _spellings(kind, value)
    if others:
        return exp.In(this=column, expressions=[first, *others])
    return exp.EQ(this=column, expression=first)


def _spellings(kind: Type, value: str) -> list[exp.Expr]:
    """A partition's value, and as text also without its zeros: month=1 is what engines write."""
    short = plain(value)
    written = [value] if kind != "text" or short == value else [value, short]
    return [_value_of(kind, each) for each in written]


def plain(value: str) -> str:
    """A whole number without leading zeros; any other text as it is."""
    return str(int(value)) if value.isdecimal() and value.isascii() else value


def _value_of(kind: Type, value: str) -> exp.Expr:
    """A partition's value as its column's type; only so do engines skip what is not asked for."""
    if kind == "integer":
        return number(int(value)) if value.isdecimal() else text(value)
    return exp.cast(text(value), "date") if kind == "date" else text(value)
