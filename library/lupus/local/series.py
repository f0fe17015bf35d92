"""A table cut into series, as the service would have them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from detectors import DetectorError, Series
from detectors.wall_clock import to_utc
from lupus.errors import MetricsError
from lupus.metric import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY_MS = 86_400_000


@dataclass(frozen=True)
class NamedSeries:
    """One series: what it is called, and its points."""

    metric: str
    labels: Mapping[str, str]
    series: Series

    @property
    def name(self) -> str:
        """As people write it."""
        return str(Metric(self.metric, None, self.labels)).rsplit(" ", 1)[0]


def cut_series(
    table: pd.DataFrame, time: str, values: Sequence[str], by: Sequence[str], timezone: str
) -> list[NamedSeries]:
    """Cut a table by its labels, each column of values a metric."""
    for name in (time, *values, *by):
        if name not in table.columns:
            there = ", ".join(map(str, table.columns))
            raise MetricsError(f"the table has no column {name!r}; there are {there}")
    if table.empty:
        raise MetricsError("the table has no rows")
    epoch_ms = utc_ms(table[time], timezone)
    found = []
    for labels, rows in _groups(table, by):
        times = epoch_ms[rows]
        if len(np.unique(times)) < len(times):
            raise MetricsError(
                f"rows of one series share a time{_of(labels)}: by= names the columns that tell "
                "them apart"
            )
        for value in values:
            numbers = pd.to_numeric(table[value].iloc[rows], errors="coerce").to_numpy(np.float64)
            try:
                found.append(NamedSeries(value, labels, Series(times, numbers)))
            except DetectorError as error:
                raise MetricsError(f"column {time!r}: {error}") from None
    return found


def _of(labels: Mapping[str, str]) -> str:
    return f" ({', '.join(f'{name}={value}' for name, value in labels.items())})" if labels else ""


def _groups(
    table: pd.DataFrame, by: Sequence[str]
) -> Iterator[tuple[Mapping[str, str], "NDArray[np.int64]"]]:
    if not by:
        yield {}, np.arange(len(table))
        return
    for key, rows in table.groupby(
        list(by), sort=True, dropna=False, observed=True
    ).indices.items():
        cells = key if isinstance(key, tuple) else (key,)
        labels = {name: _text(cell) for name, cell in zip(by, cells)}
        yield {name: text for name, text in labels.items() if text}, np.sort(rows)


def _text(cell: Any) -> str:
    if cell is None or cell != cell:
        return ""
    return str(cell).lower() if isinstance(cell, (bool, np.bool_)) else str(cell)


def utc_ms(times: Any, timezone: str) -> "NDArray[np.int64]":
    """UTC milliseconds; those without a zone are local times of ``timezone``."""
    column = pd.Series(times)
    if column.isna().any():
        raise MetricsError(f"{int(column.isna().sum())} rows have no time")
    if pd.api.types.is_numeric_dtype(column):
        raise MetricsError(
            "times are numbers: say what they count with pd.to_datetime(..., unit='ms', utc=True)"
        )
    try:
        as_text = column.map(str) if column.dtype == object else column
        moments = pd.to_datetime(as_text, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise MetricsError(f"times cannot be read: {str(error).splitlines()[0]}") from None
    if moments.dtype == object:
        moments = pd.to_datetime(as_text, format="ISO8601", utc=True)
    if moments.dt.tz is None:
        wall_ms: NDArray[np.int64] = moments.to_numpy("datetime64[ms]").astype(np.int64)
        return wall_ms if timezone == "UTC" else to_utc(wall_ms, timezone)
    utc = moments.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray(utc.to_numpy("datetime64[ms]").astype(np.int64))


def median_step_ms(found: Sequence[NamedSeries]) -> int:
    """Give the typical distance between points of all series; a day if each has a single one."""
    gaps = [np.median(np.diff(one.series.epoch_ms)) for one in found if len(one.series) > 1]
    return int(np.median(gaps)) if gaps else DAY_MS
