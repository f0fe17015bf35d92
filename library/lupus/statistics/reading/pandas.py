"""Tables of pandas."""

from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from lupus.errors import StatisticsError
from lupus.statistics.column import Codes, Column, Lists, Numbers, Presence, Times
from lupus.statistics.reading.texts import texts

_KINDS = {"i": "integer", "u": "integer", "f": "float", "b": "boolean", "M": "timestamp"}
_INFERRED = {
    "string": "text",
    "boolean": "boolean",
    "integer": "integer",
    "floating": "float",
    "mixed-integer-float": "float",
    "decimal": "decimal",
    "date": "date",
    "datetime": "timestamp",
    "datetime64": "timestamp",
    "empty": "null",
}


class PandasTable:
    """A DataFrame of pandas."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.names = [str(name) for name in frame.columns]
        self.rows = len(frame)
        if len(set(self.names)) != len(self.names):
            twice = sorted({name for name in self.names if self.names.count(name) > 1})
            raise StatisticsError(f"the table has a column twice: {', '.join(twice)}")
        self._types: dict[str, str] = {}

    def type_of(self, name: str) -> str:
        """Type of a column."""
        if name not in self._types:
            self._types[name] = _type_of(self._column(name))
        return self._types[name]

    def read(self, name: str, form: str) -> Column:
        """Read a column in a form."""
        column = self._column(name)
        if hasattr(column.dtype, "pyarrow_dtype"):
            from lupus.statistics.reading.arrow import ArrowTable  # noqa: PLC0415  only it needs it

            return ArrowTable(_arrow(name, column)).read(name, form)
        column = _plain(column) if form != "codes" else column
        found: Column = _READ[form](name, column, self.type_of(name))
        return found

    def _column(self, name: str) -> Any:
        return self._frame.iloc[:, self.names.index(name)]


def _arrow(name: str, column: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415  a column of its types is there

    return pa.table({name: pa.chunked_array(pa.array(column))})


def _type_of(column: Any) -> str:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _type_of(pd.Series(dtype.categories)) if len(dtype.categories) else "text"
    if hasattr(dtype, "pyarrow_dtype"):
        from lupus.statistics.reading.arrow import type_name  # noqa: PLC0415  only it needs it

        return type_name(dtype.pyarrow_dtype)
    if isinstance(dtype, pd.StringDtype):
        return "text"
    if dtype.kind in _KINDS:
        return _KINDS[dtype.kind]
    if dtype.kind != "O":
        return f"other: {dtype}"
    return _type_of_objects(column)


def _type_of_objects(column: Any) -> str:
    inferred = pd.api.types.infer_dtype(column, skipna=True)
    if inferred in _INFERRED:
        return _INFERRED[inferred]
    first = column[column.notna()].iloc[0]
    if isinstance(first, (list, tuple, np.ndarray)):
        elements = list(chain.from_iterable(_listed(value) for value in column[:1000]))
        return f"array of {_type_of_objects(pd.Series(elements, dtype=object))}"
    return f"other: {inferred} of {type(first).__name__}"


def _plain(column: Any) -> Any:
    """Without categories."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(column.dtype.categories.dtype)
    return column


def _valid(column: Any) -> Any:
    missing = column.isna().to_numpy()
    return ~missing if missing.any() else None


def _numbers(name: str, column: Any, type_name: str) -> Numbers:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iufb":
        values = column.to_numpy()
        return Numbers(values.view(np.uint8) if values.dtype == bool else values)
    valid = _valid(column)
    if column.dtype.kind == "O":
        # The dearest way, for Decimal and for booleans with None.
        floats = [np.nan if one is None or one is pd.NA else float(one) for one in column]
        values = np.array(floats, dtype=np.float64)
        return Numbers(values, None if valid is None else valid | _nan_objects(column))
    return Numbers(column.to_numpy(dtype=np.float64, na_value=np.nan), valid)


def _nan_objects(column: Any) -> Any:
    """Where an object is a NaN: a number that is none, not a missing one."""
    return np.array(
        [isinstance(one, (float, Decimal)) and one != one for one in column],
        dtype=bool,
    )


def _codes(name: str, column: Any, type_name: str) -> Codes:
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, found = column.cat.codes.to_numpy(), column.cat.categories
    else:
        codes, found = pd.factorize(column)
    return Codes(codes, texts(name, np.asarray(found, dtype=object), type_name))


def _lists(name: str, column: Any, type_name: str) -> Lists:
    values = column.to_numpy()
    lengths = np.fromiter((_length(value) for value in values), np.int64, len(values))
    valid = lengths >= 0
    lengths = np.maximum(lengths, 0)
    elements = list(chain.from_iterable(_listed(value) for value in values))
    objects = np.empty(len(elements), dtype=object)
    objects[:] = elements
    codes, found = pd.factorize(objects)
    named = texts(name, np.asarray(found, dtype=object), type_name.partition(" of ")[2])
    return Lists(
        np.cumsum(lengths) - lengths,
        Numbers(lengths, None if valid.all() else valid),
        Codes(codes, named),
    )


def _listed(value: Any) -> Any:
    return value if isinstance(value, (list, tuple, np.ndarray)) else ()


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (list, tuple, np.ndarray)) else -1


def _characters(name: str, column: Any, type_name: str) -> Numbers:
    valid = _valid(column)
    lengths = column.str.len().to_numpy(dtype=np.float64, na_value=np.nan)
    return Numbers(lengths, valid)


def _times(name: str, column: Any, type_name: str) -> Times:
    if column.dtype.kind == "O":
        plain = [None if pd.isna(one) else _utc(one) for one in column]
        times = np.array(plain, dtype="datetime64[us]")
    else:
        aware = getattr(column.dtype, "tz", None) is not None
        times = (column.dt.tz_convert("UTC").dt.tz_localize(None) if aware else column).to_numpy()
    valid = ~np.isnat(times)
    return Times(times.astype("datetime64[us]").astype(np.int64), None if valid.all() else valid)


def _utc(one: Any) -> Any:
    if isinstance(one, datetime) and one.tzinfo is not None:
        return pd.Timestamp(one).tz_convert("UTC").tz_localize(None).to_datetime64()
    return np.datetime64(one, "us")


def _presence(name: str, column: Any, type_name: str) -> Presence:
    return Presence(column.isna().to_numpy())


_READ: dict[str, Any] = {
    "numbers": _numbers,
    "codes": _codes,
    "lists": _lists,
    "characters": _characters,
    "times": _times,
    "presence": _presence,
}
