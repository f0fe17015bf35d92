"""Columns of a pandas, Polars or Arrow frame, or of a mapping, as arrays of numpy.

Integers, booleans and floats stay what they are; whatever has missing integers, and everything
else, is an array of objects with None where a value is missing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lupus.errors import FrameError

Column = NDArray[Any]
Columns = dict[str, Column]


def is_spark(frame: Any) -> bool:
    """Whether this is a frame of PySpark, classic or Connect."""
    return any(kind.__module__.startswith("pyspark.sql") for kind in type(frame).__mro__)


def columns_of(frame: Any, names: Iterable[str]) -> Columns:
    """Give these columns as arrays.

    Raises
    ------
    FrameError
        If the frame is of no known kind, a column is missing, or columns differ in length.
    """
    wanted = list(dict.fromkeys(names))
    kind = type(frame).__module__.split(".")[0]
    if kind == "polars":
        return _polars(frame, wanted)
    if kind == "pandas":
        there = [str(name) for name in frame.columns]
        _present(wanted, there)
        return {name: _pandas(frame.iloc[:, there.index(name)]) for name in wanted}
    if kind == "pyarrow":
        _present(wanted, frame.column_names)
        return {name: _arrow(frame.column(name)) for name in wanted}
    if isinstance(frame, Mapping):
        _present(wanted, [str(name) for name in frame])
        columns = {name: _array(frame[name]) for name in wanted}
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise FrameError(f"columns have different lengths: {lengths}")
        return columns
    raise FrameError(
        "a frame of pandas, Polars or PySpark, an Arrow table, or a mapping of names to arrays "
        f"is needed, not {type(frame).__module__}.{type(frame).__qualname__}"
    )


def names_of(frame: Any) -> list[str]:
    """Names of all columns, in their order."""
    kind = type(frame).__module__.split(".")[0]
    if kind == "polars" and hasattr(frame, "collect_schema"):
        return list(frame.collect_schema().names())
    if kind == "pyarrow":
        return list(frame.column_names)
    return [str(name) for name in (frame if isinstance(frame, Mapping) else frame.columns)]


def flattened(column: Column, name: str) -> tuple[NDArray[np.int64], Column, NDArray[np.int64]]:
    """Row, value and place of everything in a column of lists; a missing list is empty.

    Raises
    ------
    FrameError
        If a value is no list.
    """
    lists = [() if one is None else one for one in column]
    for one in lists:
        if isinstance(one, (str, bytes)) or not hasattr(one, "__len__"):
            raise FrameError(f"column {name!r} must hold lists, not {one!r}")
    lengths = np.array([len(one) for one in lists], dtype=np.int64)
    values = np.empty(int(lengths.sum()), dtype=object)
    values[:] = [value for one in lists for value in one]
    rows = np.repeat(np.arange(len(lists)), lengths)
    places = np.arange(len(values)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return rows, values, places


def _present(wanted: list[str], there: list[str]) -> None:
    missing = [name for name in wanted if name not in there]
    if missing:
        raise FrameError(
            f"the frame has no column {', '.join(map(repr, missing))}; "
            f"it has {', '.join(map(repr, there)) or 'none'}"
        )
    twice = [name for name in wanted if there.count(name) > 1]
    if twice:
        raise FrameError(f"the frame has column {twice[0]!r} more than once")


def _polars(frame: Any, wanted: list[str]) -> Columns:
    _present(wanted, names_of(frame))
    chosen = frame.select(wanted)
    chosen = chosen.collect() if hasattr(chosen, "collect") else chosen
    return {name: _series(chosen.get_column(name)) for name in wanted}


def _series(series: Any) -> Column:
    dtype = series.dtype
    whole = dtype.is_integer() or str(dtype) == "Boolean"
    if dtype.is_float() or (whole and not series.null_count()):
        return np.asarray(series.to_numpy())
    return _objects(series.to_list())


def _pandas(series: Any) -> Column:
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biufmM":
        return np.asarray(series.to_numpy())
    numeric = getattr(series.dtype, "kind", "O")
    if numeric == "f":
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
    if numeric in "biu" and not series.isna().any():
        return np.asarray(series.to_numpy(dtype=np.bool_ if numeric == "b" else np.int64))
    return np.asarray(series.to_numpy(dtype=object, na_value=None))


def _arrow(column: Any) -> Column:
    if not column.null_count and str(column.type) in _ARROW_NUMBERS:
        return np.asarray(column.to_numpy())
    return _array(column.to_pylist())


def _array(values: Any) -> Column:
    if isinstance(values, np.ndarray):
        return values
    values = list(values)
    if any(isinstance(value, (list, tuple, set, dict, np.ndarray)) for value in values):
        return _objects(values)
    if any(value is None for value in values):
        kinds = {type(value) for value in values if value is not None}
        if kinds <= {float}:
            return np.array([np.nan if value is None else value for value in values], np.float64)
        return _objects(values)
    array = np.asarray(values)
    return array if array.dtype.kind in "biufmM" else _objects(values)


def _objects(values: list[Any]) -> Column:
    """Give an array of objects; lists of equal length stay lists."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


_ARROW_NUMBERS = {
    "bool", "double", "float", "halffloat",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}  # fmt: skip
