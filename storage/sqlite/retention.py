"""Whole months of documents, counted and removed."""

# ruff: noqa: S608 - texts are made of our own column names, values are parameters

import sqlite3
import struct

from storage.index import ExpiredMonth
from storage.months import month_of

# A band is of the month of its last time, which ends its packed array.
_MONTH = {
    "anomalies": "lupus_month(ts_ms)",
    "bands": "lupus_last_month(ts_ms)",
    "points": "substr(day, 1, 7)",
}


def expired(connection: sqlite3.Connection, before_ms: int) -> list[ExpiredMonth]:
    """The months that ended by then."""
    _teach(connection)
    found: list[ExpiredMonth] = []
    for kind, month in _MONTH.items():
        sql = f"SELECT {month} AS month, count(*) FROM {kind} GROUP BY month HAVING month < ?"
        rows = connection.execute(sql, (month_of(before_ms),))
        found.extend(ExpiredMonth(row[0], kind, row[1]) for row in rows)
    return sorted(found, key=lambda each: (each.month, each.kind))


def remove(connection: sqlite3.Connection, month: ExpiredMonth, key: str, limit: int) -> int:
    """Remove at most so many documents of a month in the open transaction; says how many."""
    _teach(connection)
    return connection.execute(
        f"DELETE FROM {month.kind} WHERE ({key}) IN (SELECT {key} FROM {month.kind} "
        f"WHERE {_MONTH[month.kind]} = ? LIMIT ?)",
        (month.month, limit),
    ).rowcount


def _teach(connection: sqlite3.Connection) -> None:
    connection.create_function("lupus_month", 1, month_of, deterministic=True)
    connection.create_function("lupus_last_month", 1, _last_month, deterministic=True)


def _last_month(packed: bytes) -> str:
    times = struct.iter_unpack("<q", packed)
    return month_of(max((ts_ms for (ts_ms,) in times), default=0))
