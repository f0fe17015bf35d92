"""What the values of a column mean: numbers, names of classes, truth."""

from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from lupus.errors import FrameError
from lupus.evaluation.columns import Column

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MISSING = -1


def numbers(column: Column, name: str) -> Floats:
    """Numbers as float64, NaN where one is missing; FrameError when a value is no number."""
    if column.dtype.kind in "biuf":
        return column.astype(np.float64)
    if column.dtype.kind != "O":
        raise FrameError(f"column {name!r} must hold numbers, not {column.dtype}")
    for value in column:
        if isinstance(value, (str, bytes, list, tuple, dict, np.ndarray)):
            raise FrameError(f"column {name!r} must hold numbers, not {_short(value)}")
    try:
        return np.array([np.nan if value is None else float(value) for value in column])
    except (TypeError, ValueError) as error:
        raise FrameError(f"column {name!r} must hold numbers: {error}") from error


def names(column: Column) -> tuple[Ints, list[str]]:
    """Each row's place in a list of names, -1 where a value is missing.

    Whole numbers have one name whatever their type, so that a label that became a float because
    some are missing is still the same class.
    """
    if column.dtype.kind in "biu":
        values, codes = np.unique(column, return_inverse=True)
        return codes.reshape(-1).astype(np.int64), [name_of(value) for value in values.tolist()]
    if column.dtype.kind == "f":
        missing = np.isnan(column)
        values, codes = np.unique(column[~missing], return_inverse=True)
        every = np.full(len(column), MISSING, dtype=np.int64)
        every[~missing] = codes.reshape(-1)
        return every, [name_of(value) for value in values.tolist()]
    return _by_first_sight(column)


def name_of(value: Any) -> str:
    """Name of a class, a group or an item: ``true``, ``3`` also for 3.0, or the text itself."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def truth(column: Column, name: str, positive: Any = None) -> Floats:
    """Give 1 for the positive class, 0 for the other, NaN where a value is missing.

    Raises
    ------
    FrameError
        If there is no ``positive`` and a value is neither 0, 1, False nor True.
    """
    if positive is not None:
        codes, classes = names(column)
        wanted = name_of(positive)
        place = classes.index(wanted) if wanted in classes else MISSING - 1
        return np.where(codes == MISSING, np.nan, (codes == place).astype(np.float64))
    try:
        values = numbers(column, name)
    except FrameError as error:
        raise FrameError(f"{error}; say which value is the positive class: positive=") from error
    odd = values[~np.isnan(values) & (values != 0) & (values != 1)]
    if len(odd):
        raise FrameError(
            f"column {name!r} must hold 0 and 1, or False and True, not {odd[0]:g}; "
            "say which value is the positive class: positive="
        )
    return values


def _by_first_sight(column: Column) -> tuple[Ints, list[str]]:
    places: dict[str, int] = {}
    known: dict[Any, int] = {None: MISSING}
    codes = np.empty(len(column), dtype=np.int64)
    for row, value in enumerate(column.tolist()):
        try:
            code = known.get(value)
        except TypeError as error:
            raise FrameError(f"a class or a group cannot be {_short(value)}") from error
        if code is None:
            missing = value != value  # NaN and NaT
            code = MISSING if missing else places.setdefault(name_of(value), len(places))
            known[value] = code
        codes[row] = code
    return codes, list(places)


def _short(value: Any, limit: int = 40) -> str:
    said = repr(value)
    return said if len(said) <= limit else f"{said[:limit]}…"


def first_bad(values: Floats, bad: NDArray[np.bool_]) -> Optional[float]:
    """Give the first value that is bad, or None."""
    return float(values[bad][0]) if bad.any() else None
