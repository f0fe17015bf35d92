"""A table cut into named series."""

import itertools
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors import Series
from detectors.errors import SeriesError
from service.tryout.columns import Columns
from service.tryout.errors import TryError

# A number below is in that unit: 1e11 seconds are the year 5138, 1e11 milliseconds 1973.
EPOCH_UNITS = ((10**11, "s"), (10**14, "ms"), (10**17, "us"))
DATES = (19000101, 21001231)  # whole numbers like 20261108


@dataclass(frozen=True)
class NamedSeries:
    """One series of the file: its name as people write it, and its points."""

    name: str
    metric: str
    labels: dict[str, str]
    series: Series


def cut_series(table: pa.Table, columns: Columns, timezone: str) -> list[NamedSeries]:
    """Group by labels and value column; naive times are local times of ``timezone``."""
    epoch_ms = _epoch_ms(table.column(columns.time), columns.time, timezone)
    found = []
    for value in columns.values:
        numbers = _numbers(table.column(value), value)
        for labels, rows in _groups(table, columns.by):
            name = ",".join(f'{key}="{text}"' for key, text in labels.items())
            try:
                series = Series(epoch_ms[rows], numbers[rows])
            except SeriesError as error:
                raise TryError(f"column {columns.time!r}: {error}") from None
            found.append(
                NamedSeries(f"{value}{{{name}}}" if name else value, value, labels, series)
            )
    return found


def _groups(
    table: pa.Table, by: tuple[str, ...]
) -> list[tuple[dict[str, str], np.ndarray[Any, np.dtype[np.int64]]]]:
    if not by:
        return [({}, np.arange(table.num_rows))]
    codes = np.zeros(table.num_rows, np.int64)
    for name in by:
        encoded = pc.dictionary_encode(table.column(name).cast(pa.string())).combine_chunks()
        column = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False) + 1
        codes = codes * (len(encoded.dictionary) + 1) + column
        codes = np.unique(codes, return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    groups = []
    for rows in np.split(order, cuts):
        first = int(rows[0])
        texts = {name: table.column(name)[first].cast(pa.string()).as_py() for name in by}
        groups.append(({name: text for name, text in texts.items() if text}, rows))
    return groups


def _numbers(column: pa.ChunkedArray, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        floats = column.cast(pa.float64())
    except pa.ArrowInvalid as error:
        raise TryError(f"column {name!r} does not hold numbers: {error}") from error
    return np.asarray(floats.to_numpy(), dtype=np.float64)


def _epoch_ms(
    column: pa.ChunkedArray, name: str, timezone: str
) -> np.ndarray[Any, np.dtype[np.int64]]:
    if column.null_count:
        raise TryError(f"column {name!r} has {column.null_count} rows without a time")
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        numbers = column.to_numpy()
        if not _are_dates(numbers):
            return _of_epoch(numbers)
        column = column.cast(pa.int64()).cast(pa.string())
        column = pc.strptime(column, format="%Y%m%d", unit="s", error_is_null=True)
        if column.null_count:
            raise TryError(f"column {name!r}: {column.null_count} rows are no dates like 20261108")
    if pa.types.is_string(column.type):
        column = _parsed(column, name)
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        return np.asarray(column.cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64()))
    if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        raise TryError(f"column {name!r} is {column.type}, which is not a time")
    naive = column.cast(pa.timestamp("us")).cast(pa.timestamp("ms"), safe=False).combine_chunks()
    if timezone != "UTC":
        ZoneInfo(timezone)
        naive = pc.assume_timezone(naive, timezone, ambiguous="earliest", nonexistent="latest")
    return np.asarray(naive.cast(pa.int64()))


def _are_dates(numbers: np.ndarray[Any, np.dtype[Any]]) -> bool:
    first, last = DATES
    return bool(((numbers >= first) & (numbers <= last)).all())


def _of_epoch(numbers: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Epoch milliseconds of seconds, milliseconds, microseconds or nanoseconds."""
    largest = float(np.abs(numbers).max())
    unit = next((unit for below, unit in EPOCH_UNITS if largest < below), "ns")
    if unit == "s":
        return np.asarray(np.rint(numbers * 1000).astype(np.int64))
    return np.asarray(numbers.astype(np.int64) // {"ms": 1, "us": 1000, "ns": 1_000_000}[unit])


def _parsed(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    connection = duckdb.connect()
    connection.register("texts", pa.table({"text": column}))
    try:
        # DuckDB reads ISO 8601 with or without offset; without one it is taken as UTC.
        connection.execute("SET TimeZone = 'UTC'")
        relation: Any = connection.sql("SELECT CAST(text AS TIMESTAMPTZ) AS t FROM texts")
        parsed = relation.to_arrow_table()
    except duckdb.Error as error:
        raise TryError(f"column {name!r}: {str(error).splitlines()[0]}") from error
    finally:
        connection.close()
    times: pa.ChunkedArray = parsed.column("t")
    return times


def median_step(found: list[NamedSeries]) -> np.timedelta64:
    """The typical distance between points, over all series."""
    gaps = [np.median(np.diff(s.series.epoch_ms)) for s in found if len(s.series) > 1]
    if not gaps:
        raise TryError("every series has a single point: there is nothing to compare it with")
    return np.timedelta64(int(np.median(gaps)), "ms")


def span(found: list[NamedSeries]) -> tuple[np.datetime64, np.datetime64]:
    """First and last time in the file."""
    times = list(
        itertools.chain.from_iterable((s.series.times[0], s.series.times[-1]) for s in found)
    )
    return min(times), max(times)
