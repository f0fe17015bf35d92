"""Tables of PyArrow."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupus.statistics.column import Codes, Column, Lists, Numbers, Presence, Times
from lupus.statistics.reading.texts import texts

_TYPES = (
    (pa.types.is_null, "null"),
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "float"),
    (pa.types.is_decimal, "decimal"),
    (pa.types.is_string, "text"),
    (pa.types.is_large_string, "text"),
    (pa.types.is_date, "date"),
    (pa.types.is_timestamp, "timestamp"),
)
_PER_UNIT = {"s": 1_000_000, "ms": 1000, "us": 1}
_DAY = 86_400_000_000


def type_name(kind: Any) -> str:
    """Name a type."""
    if pa.types.is_dictionary(kind):
        return type_name(kind.value_type)
    if _is_list(kind):
        return f"array of {type_name(kind.value_type)}"
    return next((name for fits, name in _TYPES if fits(kind)), f"other: {kind}")


class ArrowTable:
    """A table or a record batch of PyArrow."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.names: list[str] = list(frame.schema.names)
        self.rows: int = frame.num_rows

    def type_of(self, name: str) -> str:
        """Type of a column."""
        return type_name(self._frame.schema.field(name).type)

    def read(self, name: str, form: str) -> Column:
        """Read a column in a form."""
        return read(name, self._frame.column(self.names.index(name)), form)


def read(name: str, column: Any, form: str) -> Column:
    """Read an array in a form."""
    if isinstance(column, pa.ChunkedArray):
        column = _one(column)
    if pa.types.is_dictionary(column.type) and form != "codes":
        column = column.cast(column.type.value_type)
    found: Column = _READ[form](name, column)
    return found


def _one(column: Any) -> Any:
    if column.num_chunks == 1:
        return column.chunk(0)
    if not column.num_chunks:
        return pa.array([], column.type)
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return pa.concat_arrays(column.chunks)


def _is_list(kind: Any) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _valid(column: Any) -> Any:
    return column.is_valid().to_numpy(zero_copy_only=False) if column.null_count else None


def _filled(column: Any) -> Any:
    """Values as numpy, 0 where there is none."""
    return (column.fill_null(0) if column.null_count else column).to_numpy(zero_copy_only=False)


def _numbers(name: str, column: Any) -> Numbers:
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    elif pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    return Numbers(_filled(column), _valid(column))


def _codes(name: str, column: Any) -> Codes:
    kind = type_name(column.type)
    if pa.types.is_floating(column.type):
        # NaN is no category: neither a value nor another one of them.
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes = encoded.indices
    codes = codes.cast(pa.int64()).fill_null(-1) if codes.null_count else codes
    values = np.empty(len(encoded.dictionary), dtype=object)
    values[:] = encoded.dictionary.to_pylist()
    return Codes(codes.to_numpy(zero_copy_only=False), texts(name, values, kind))


def _lists(name: str, column: Any) -> Lists:
    if pa.types.is_fixed_size_list(column.type):
        column = column.cast(pa.list_(column.type.value_type))
    offsets = column.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
    valid = _valid(column)
    lengths = np.diff(offsets)
    return Lists(offsets[:-1], Numbers(lengths, valid), _codes(name, column.values))


def _characters(name: str, column: Any) -> Numbers:
    return Numbers(_filled(pc.utf8_length(column)), _valid(column))


def _times(name: str, column: Any) -> Times:
    valid = _valid(column)
    if pa.types.is_date32(column.type):
        return Times(_filled(column.cast(pa.int32())).astype(np.int64) * _DAY, valid)
    if pa.types.is_date64(column.type):
        return Times(_filled(column.cast(pa.int64())) * _PER_UNIT["ms"], valid)
    values = _filled(column.cast(pa.int64()))
    unit = column.type.unit
    return Times(values // 1000 if unit == "ns" else values * _PER_UNIT[unit], valid)


def _presence(name: str, column: Any) -> Presence:
    missing = column.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_floating(column.type):
        missing = missing | np.isnan(_filled(column))
    return Presence(missing)


_READ: dict[str, Any] = {
    "numbers": _numbers,
    "codes": _codes,
    "lists": _lists,
    "characters": _characters,
    "times": _times,
    "presence": _presence,
}
