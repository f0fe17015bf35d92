"""What charts draw, in SQLite: points by day and bands by run."""

# ruff: noqa: S608 - texts are made of our own column names, values are parameters

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from storage.index import Band, PointsDay
from storage.sqlite.filters import marks

_FIRST_MS = -62_135_596_800_000  # 0001-01-01
_LAST_MS = 253_402_300_799_000  # 9999-12-31

# External versions: a document is replaced unless the stored one is newer.
_PUT_POINTS = """
    INSERT INTO points (source, series, day, sequence, ts_ms, point_values)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (source, series, day) DO UPDATE SET
        sequence = excluded.sequence, ts_ms = excluded.ts_ms,
        point_values = excluded.point_values
    WHERE excluded.sequence >= points.sequence
"""
_PUT_BAND = """
    INSERT INTO bands (source, series, rule, run, generation, ts_ms, expected, lower, upper)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (source, series, rule, run) DO UPDATE SET
        generation = excluded.generation, ts_ms = excluded.ts_ms, expected = excluded.expected,
        lower = excluded.lower, upper = excluded.upper
    WHERE excluded.generation >= bands.generation
"""


def put_points(connection: sqlite3.Connection, days: Sequence[PointsDay]) -> None:
    """Replace documents of days whose stored sequence is not higher."""
    connection.executemany(
        _PUT_POINTS,
        (
            (d.source, d.series, d.day, d.sequence, _pack_times(d.ts_ms), _pack(d.values))
            for d in days
        ),
    )


def put_bands(connection: sqlite3.Connection, bands: Sequence[Band]) -> None:
    """Replace bands whose stored generation is not higher."""
    connection.executemany(
        _PUT_BAND,
        (
            (
                *(b.source, b.series, b.rule, b.run, b.generation, _pack_times(b.ts_ms)),
                *(_pack(b.expected), _pack(b.lower), _pack(b.upper)),
            )
            for b in bands
        ),
    )


def points(
    connection: sqlite3.Connection, source: str, series: Sequence[str], start_ms: int, end_ms: int
) -> list[PointsDay]:
    """Days that touch [start, end), by series then day."""
    sql = f"""
        SELECT * FROM points WHERE source = ? AND series IN ({marks(series)})
        AND day >= ? AND day <= ? ORDER BY series, day
    """
    first, last = _day(start_ms), _day(end_ms - 1)
    rows = connection.execute(sql, (source, *series, first, last))
    return [
        PointsDay(
            source=row["source"],
            series=row["series"],
            day=row["day"],
            ts_ms=_unpack_times(row["ts_ms"]),
            values=_unpack(row["point_values"]),
            sequence=row["sequence"],
        )
        for row in rows
    ]


def bands(
    connection: sqlite3.Connection, source: str, series: Sequence[str], rule: str | None
) -> list[Band]:
    """Bands of some series, oldest generation first."""
    condition, parameters = ("AND rule = ?", (rule,)) if rule is not None else ("", ())
    sql = f"""
        SELECT * FROM bands WHERE source = ? AND series IN ({marks(series)}) {condition}
        ORDER BY generation, series, rule, run
    """
    rows = connection.execute(sql, (source, *series, *parameters))
    return [
        Band(
            source=row["source"],
            rule=row["rule"],
            series=row["series"],
            run=row["run"],
            generation=row["generation"],
            ts_ms=_unpack_times(row["ts_ms"]),
            expected=_unpack(row["expected"]),
            lower=_unpack(row["lower"]),
            upper=_unpack(row["upper"]),
        )
        for row in rows
    ]


def _pack_times(times: Sequence[int]) -> bytes:
    return np.asarray(times, dtype="<i8").tobytes()


def _unpack_times(data: bytes) -> list[int]:
    times: list[int] = np.frombuffer(data, dtype="<i8").tolist()
    return times


def _pack(values: Sequence[float | None]) -> bytes:
    packed = np.array(values, dtype="<f8")  # None becomes NaN
    packed[~np.isfinite(packed)] = np.nan
    return packed.tobytes()


def _unpack(data: bytes) -> list[float | None]:
    values = np.frombuffer(data, dtype="<f8")
    unpacked: list[float | None] = values.tolist()
    for position in np.flatnonzero(np.isnan(values)):
        unpacked[position] = None
    return unpacked


def _day(ts_ms: int) -> str:
    ts_ms = min(max(ts_ms, _FIRST_MS), _LAST_MS)  # bounds may mean "everything"
    return datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%Y-%m-%d")
