"""Categories as texts, the same from every engine."""

from datetime import date, datetime
from typing import Any

import numpy as np

from lupus.errors import StatisticsError


def texts(name: str, values: Any, type_name: str) -> Any:
    """Give values of a type as texts: 7, true, 2026-05-01; shape (n,) of str.

    Raises
    ------
    StatisticsError
        If a number has a fraction: it is no category.
    """
    if type_name == "text":
        return values
    if type_name == "float":
        whole = values.astype(np.float64)
        if not (np.isfinite(whole) & (whole == np.floor(whole))).all():
            raise StatisticsError(f"{name} has numbers with fractions, which are no categories")
        return _objects(str(int(value)) for value in whole.tolist())
    return _objects(_text(value) for value in values.tolist())


def _text(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.date().isoformat() if not value.time() else value.isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def _objects(values: Any) -> Any:
    listed = list(values)
    result = np.empty(len(listed), dtype=object)
    result[:] = listed
    return result
