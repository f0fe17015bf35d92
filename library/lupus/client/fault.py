"""Rows that the service refused, as the points that they were."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lupus.client.points import Points
from lupus.errors import PointAtFault, PointsError, RefusedError

_POINTER = re.compile(r"/points/(?P<row>\d+)(?:/(?P<column>\w*))?")


def refusal(found: Mapping[str, Any], points: Points, error: RefusedError) -> RefusedError:
    """Give an error that names the points at fault; the error itself where there are none.

    Parameters
    ----------
    found : mapping
        A problem document (``pointer``, ``detail``) or an ingest that failed (``row``, counted
        from 1, ``column``, ``message``).
    """
    at_fault = [
        PointAtFault(_name(points, row), column, reason)
        for row, column, reason in _rows(found.get("errors") or ())
    ]
    if not at_fault:
        return error
    title = str(found.get("detail") or found.get("error") or "points at fault")
    readable = PointsError(f"nothing was stored: {title}", at_fault, 422, error.problem)
    readable.replayed = error.replayed
    return readable


def _rows(errors: Any) -> Iterator[tuple[int, str, str]]:
    for one in errors:
        if "row" in one:
            yield int(one["row"]) - 1, str(one["column"]), str(one["message"])
        else:
            place = _POINTER.fullmatch(str(one.get("pointer")))
            row = int(place["row"]) if place else -1
            yield row, (place and place["column"]) or "", str(one.get("detail"))


def _name(points: Points, row: int) -> str:
    return points.name(row) if 0 <= row < len(points) else "all points"
