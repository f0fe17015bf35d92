"""Which column is the time, which are values and which are labels."""

import re
from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from service.tryout.apart import distinct_rows, repeated_times
from service.tryout.commas import how_read
from service.tryout.errors import TryError

TIME_NAMES = ("time", "timestamp", "ts", "date", "dt", "datetime", "day", "ds", "@timestamp")
VALUE_NAMES = ("value", "val", "y", "count", "metric_value")
MAX_LABEL_VALUES = 1000
# Whole numbers that name something: `model_id`, `version`, `modelId`.
_NAMING = re.compile(r"(?i:^id$|[_\-. ]id$|version$)|[a-z]Id$")
MAX_NAMING_VALUES = 50


@dataclass(frozen=True)
class Columns:
    """The roles of a table's columns, and the sentences that say what was guessed."""

    time: str
    values: tuple[str, ...]
    by: tuple[str, ...]
    said: tuple[str, ...] = ()


def assign_columns(
    table: pa.Table, time: str | None, values: tuple[str, ...], by: tuple[str, ...] | None
) -> Columns:
    """Take what the caller named, guess the rest."""
    names = table.column_names
    for name in (*((time,) if time else ()), *values, *(by or ())):
        if name not in names:
            raise TryError(f"there is no column {name!r}; the file has {', '.join(names)}")
    said: list[str] = []
    if time is None:
        time = _guess_time(table)
        said.append(f"time is {time!r} ({table.schema.field(time).type})")
    naming = _naming_numbers(table, {time, *values, *(by or ())}, time)
    if not values:
        values = _guess_values(table, {time, *(by or ())}, naming)
        said.append(f"value is {_quoted(values)}" + _each_a_metric(values))
    for name in values:
        if how := how_read(table.schema.field(name)):
            said.append(f"in {name!r} {how}")
    if by is None:
        by = _guess_labels(table, {time, *values}, naming)
        said.append(f"series by {_quoted(by)}" if by else "one series: no label columns")
    if repeated := repeated_times(table, time, values, by):
        said.append(repeated)
    return Columns(time, values, by, tuple(said))


def _each_a_metric(values: tuple[str, ...]) -> str:
    return ", each a metric" if len(values) > 1 else ""


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in names)


def _guess_time(table: pa.Table) -> str:
    typed = [
        f.name for f in table.schema if pa.types.is_timestamp(f.type) or pa.types.is_date(f.type)
    ]
    if typed:
        named = [name for name in typed if name.lower() in TIME_NAMES]
        return str((named or typed)[0])
    for field in table.schema:
        if field.name.lower() in TIME_NAMES and (
            pa.types.is_integer(field.type)
            or pa.types.is_floating(field.type)
            or pa.types.is_string(field.type)
        ):
            return str(field.name)
    raise TryError(
        f"no column looks like a time; name it with --time: {', '.join(table.column_names)}"
    )


def _is_number(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_floating(type_) or pa.types.is_integer(type_) or pa.types.is_decimal(type_)
    )


def _naming_numbers(table: pa.Table, taken: set[str], time: str) -> tuple[str, ...]:
    """Columns of few whole numbers that name something, or tell rows of one time apart."""
    few = [
        field.name
        for field in table.schema
        if field.name not in taken
        and field.name.lower() not in VALUE_NAMES
        and pa.types.is_integer(field.type)
        and _has_few(table, field.name, MAX_NAMING_VALUES)
    ]
    naming = [name for name in few if _NAMING.search(name)]
    rest = [name for name in few if name not in naming]
    known = [time, *_guess_labels(table, taken, naming)]
    if rest and distinct_rows(table, known) < table.num_rows:
        naming += [n for n in rest if distinct_rows(table, [*known, n]) == table.num_rows][:1]
    return tuple(naming)


def _has_few(table: pa.Table, name: str, most: int) -> bool:
    distinct = pc.count_distinct(table.column(name)).as_py()
    return bool(distinct <= min(most, max(2, table.num_rows // 2)))


def _guess_values(table: pa.Table, taken: set[str], naming: Collection[str]) -> tuple[str, ...]:
    every = [f.name for f in table.schema if f.name not in taken and _is_number(f.type)]
    numbers = [name for name in every if name not in naming] or every
    named = [name for name in numbers if name.lower() in VALUE_NAMES]
    if named:
        return (named[0],)
    if not numbers:
        texts = ", ".join(name for name in table.column_names if name not in taken)
        raise TryError(
            "no column holds numbers only; --value names the column of values and says which cell "
            f"is none: {texts}"
        )
    return tuple(numbers)


def _guess_labels(table: pa.Table, taken: set[str], naming: Collection[str]) -> tuple[str, ...]:
    """Text and boolean columns with few values, many are identifiers; and numbers that name."""
    labels = []
    for field in table.schema:
        if field.name in taken:
            continue
        is_text = pa.types.is_string(field.type) or pa.types.is_boolean(field.type)
        if field.name in naming or (is_text and _has_few(table, field.name, MAX_LABEL_VALUES)):
            labels.append(field.name)
    return tuple(labels)
