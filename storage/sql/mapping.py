"""Checks an external mapping: by itself at acceptance, against the table's columns in plan.

Label columns become text by spelled casts, because engines print other types differently:
text as it is, integers in decimal digits, booleans ``true`` and ``false``, dates ``YYYY-MM-DD``.
Null is the empty text, an absent label. Doubles and timestamps are refused.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from storage.errors import InvalidError, NotFoundError
from storage.source import ExternalMapping
from storage.sql.dialect import Name
from storage.sql.where import parse_where

Type = Literal["text", "integer", "number", "boolean", "date", "timestamp", "other"]

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TIME_LETTERS = "%Y %m %d %H %M %S %f %z %j %b"
_LETTER = re.compile(r"%(.?)")
_TABLE_PART = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*")

_TYPE_NAMES: dict[str, Type] = {
    **dict.fromkeys(("varchar", "string", "char", "text"), "text"),
    **dict.fromkeys(
        ("tinyint", "smallint", "int", "integer", "bigint", "hugeint", "utinyint", "usmallint",
         "uinteger", "ubigint"),
        "integer",
    ),
    **dict.fromkeys(("float", "double", "real", "decimal"), "number"),
    "boolean": "boolean",
    "date": "date",
    **dict.fromkeys(
        ("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone",
         "timestamp_ntz"),
        "timestamp",
    ),
}  # fmt: skip

_TIME_TYPES: dict[str, tuple[Type, ...]] = {
    "epoch_s": ("integer", "number"),
    "epoch_ms": ("integer", "number"),
    "timestamp": ("timestamp",),
    "date": ("date",),
    "string": ("text", "integer", "date"),
}


def type_of(engine_type: str) -> Type:
    """The family of an engine's type name, as DESCRIBE prints it."""
    return _TYPE_NAMES.get(re.sub(r"\(.*?\)", "", engine_type).strip().lower(), "other")


def check_mapping(
    mapping: ExternalMapping, dialect: Name = "duckdb", functions: Collection[str] = ()
) -> None:
    """Refuse what no table could make right; the message names the field.

    A condition is written in the words of the engine that its connection reaches; ``functions``
    are those that the connection allows in it besides.
    """
    for part in mapping.table.replace("/", ".").split("."):
        if not _TABLE_PART.fullmatch(part):
            raise InvalidError(
                f"table {mapping.table!r}: allowed are names of letters, digits, _ = and - "
                "joined by . or /"
            )
    for field, columns in _columns(mapping):
        for column in columns:
            if not IDENTIFIER.fullmatch(column):
                raise InvalidError(
                    f"{field}: {column!r} is not a column name: letters, digits and _, "
                    "not a digit first"
                )
        if len(set(columns)) != len(columns):
            raise InvalidError(f"{field}: a column is named twice")
    _check_values(mapping)
    _check_time(mapping)
    for partition in mapping.partitions:
        _check_format("partitions.format", partition.format)
    if mapping.where is not None:
        parse_where(mapping.where, dialect, None, functions)


def check_columns(
    mapping: ExternalMapping,
    columns: Mapping[str, Type],
    dialect: Name = "duckdb",
    functions: Collection[str] = (),
) -> None:
    """Refuse a mapping that the table cannot serve: absent columns, unfit types."""
    known = {name.lower(): type_ for name, type_ in columns.items()}
    for field, names in _columns(mapping):
        for name in names:
            if name.lower() not in known:
                raise NotFoundError(
                    f"{field}: table {mapping.table} has no column {name!r}; it has "
                    f"{', '.join(sorted(columns))}"
                )
    kind = mapping.time.kind
    _require_type("time.columns", mapping.time.columns, known, _TIME_TYPES[kind])
    values = mapping.value_columns or tuple(filter(None, [mapping.value_column]))
    _require_type("value_column", values, known, ("integer", "number"))
    _require_type("label_columns", mapping.label_columns, known,
                  ("text", "integer", "boolean", "date"))  # fmt: skip
    _require_type("metric_column", tuple(filter(None, [mapping.metric_column])), known, ("text",))
    if mapping.where is not None:
        parse_where(mapping.where, dialect, columns, functions)


def _columns(mapping: ExternalMapping) -> list[tuple[str, tuple[str, ...]]]:
    def one(column: str | None) -> tuple[str, ...]:
        return () if column is None else (column,)

    return [
        ("time.columns", mapping.time.columns),
        ("value_column", one(mapping.value_column)),
        ("value_columns", mapping.value_columns),
        ("metric_column", one(mapping.metric_column)),
        ("label_columns", mapping.label_columns),
        ("partitions.column", tuple(p.column for p in mapping.partitions)),
        ("ordering_column", one(mapping.ordering_column)),
    ]


def _check_values(mapping: ExternalMapping) -> None:
    if bool(mapping.value_column) == bool(mapping.value_columns):
        raise InvalidError("value_column, value_columns: give one of them, not both")
    if mapping.value_columns and (mapping.metric_column or mapping.metric):
        raise InvalidError("value_columns: each is a metric, so no metric or metric_column")
    if mapping.metric_column and mapping.metric:
        raise InvalidError("metric, metric_column: give one of them, not both")


def _check_time(mapping: ExternalMapping) -> None:
    time = mapping.time
    if time.kind == "string":
        if not time.columns or not time.format:
            raise InvalidError("time: kind string needs columns and a format")
        _check_format("time.format", time.format)
    elif len(time.columns) != 1 or time.format is not None:
        raise InvalidError(f"time: kind {time.kind} takes exactly one column and no format")


def _check_format(field: str, format_: str) -> None:
    for letter in _LETTER.findall(format_):
        if f"%{letter}" not in (*TIME_LETTERS.split(), "%%"):
            raise InvalidError(f"{field}: %{letter} is not known; allowed are {TIME_LETTERS}")
    if not _LETTER.search(format_):
        raise InvalidError(f"{field}: {format_!r} holds no time; allowed are {TIME_LETTERS}")


def _require_type(
    field: str, names: Sequence[str], known: Mapping[str, Type], allowed: tuple[Type, ...]
) -> None:
    for name in names:
        found = known[name.lower()]
        if found not in allowed:
            raise InvalidError(
                f"{field}: column {name!r} is {found}; allowed here is {' or '.join(allowed)}"
            )
