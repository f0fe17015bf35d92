"""A pandas or Polars table in long form: one row a point, labels in columns of their own."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from lupus.client.instant import instant
from lupus.client.points import number
from lupus.errors import MetricsError
from lupus.metric import Metric

_OWN = ("metric", "time", "value")


def table_rows(
    table: Any, at: Any, labels: Mapping[str, str]
) -> Iterator[tuple[Metric, str, Optional[float]]]:
    """Give the series, the time and the value of each row.

    Parameters
    ----------
    table : pandas.DataFrame or polars.DataFrame
        Columns ``metric`` and ``value``; ``time`` where ``at`` is None; all others are labels.

    Raises
    ------
    MetricsError
        If a column is missing, or a cell is none that the service takes.
    """
    columns = [str(name) for name in table.columns]
    _check_columns(columns, at)
    cells = {name: _cells(table, name) for name in columns}
    names = [name for name in columns if name not in _OWN]
    times = _times(cells["time"]) if at is None else [instant(at)] * len(cells["metric"])
    known: dict[tuple[Any, ...], Metric] = {}
    keys = zip(cells["metric"], *(cells[name] for name in names))
    for row, key in enumerate(keys):
        metric = known.get(key)
        if metric is None:
            own = {name: _label(name, cell) for name, cell in zip(names, key[1:])}
            metric = known[key] = Metric(_name(row, key[0]), None, {**own, **labels})
        yield metric, times[row], number(metric.name, cells["value"][row])


def _check_columns(columns: list[str], at: Any) -> None:
    if len(set(columns)) < len(columns):
        raise MetricsError(f"a column of the table is there twice: {', '.join(columns)}")
    for name in ("metric", "value"):
        if name not in columns:
            raise MetricsError(
                f"the table has no column {name!r} but {', '.join(columns)}: one row is one point, "
                "with the columns metric, value and a label in each other column"
            )
    if at is None and "time" not in columns:
        raise MetricsError("at is missing, and the table has no column 'time'")
    if at is not None and "time" in columns:
        raise MetricsError("the table has a column 'time', so at must be left out")


def _cells(table: Any, name: str) -> list[Any]:
    column = table[name]
    cells: list[Any] = column.to_list() if hasattr(column, "to_list") else column.tolist()
    return cells


def _times(cells: list[Any]) -> list[str]:
    known: dict[Any, str] = {}
    return [
        known[cell] if cell in known else known.setdefault(cell, instant(cell)) for cell in cells
    ]


def _name(row: int, cell: Any) -> str:
    if not isinstance(cell, str):
        raise MetricsError(f"row {row + 1} of the table: the metric's name is {cell!r}, not text")
    return cell


def _label(name: str, cell: Any) -> str:
    if cell is None or cell != cell or type(cell).__name__ == "NAType":
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int) or (isinstance(cell, dt.date) and not isinstance(cell, dt.datetime)):
        return str(cell)
    raise MetricsError(
        f"label {name} is {cell!r}: allowed are texts, whole numbers, booleans and dates"
    )
