"""Anomalies in SQLite: guarded writes, search, verdicts."""

# ruff: noqa: S608 - texts are made of our own column names, values are parameters

import dataclasses
import json
import math
import sqlite3
from collections.abc import Sequence
from typing import Any

from storage import cursor as cursors
from storage.errors import InvalidError
from storage.index import Anomaly, AnomalyQuery, AnomalyWrite, Page, StoredAnomaly
from storage.sqlite.filters import Where, marks

SEVERITY_RANK = {"warning": 1, "major": 2, "critical": 3}

_FIELDS = tuple(field.name for field in dataclasses.fields(Anomaly))
_PEOPLE = ("verdict", "comment", "verdict_by", "verdict_at_ms")
_DETECTION = tuple(name for name in _FIELDS if name not in _PEOPLE)
_COLUMNS = (*_DETECTION, "severity_rank")

# A newer run may have withdrawn what an older one still wants to say: every write is guarded.
_CREATE = f"""
    INSERT INTO anomalies ({", ".join(_COLUMNS)}) VALUES ({marks(_COLUMNS)})
    ON CONFLICT (id) DO NOTHING
"""
_SET = ", ".join(f"{name} = ?" for name in _COLUMNS)
_UPDATE = f"""
    UPDATE anomalies SET {_SET}, version = version + 1
    WHERE id = ? AND version = ? AND generation <= ?
"""
_REPLACE_OLDER = f"""
    UPDATE anomalies SET {_SET}, version = version + 1 WHERE id = ? AND generation < ?
"""
_SELECT = f"SELECT {', '.join(_FIELDS)}, version FROM anomalies"
# Without statistics SQLite would rather scan a source's whole time range than sort a few rows.
_SELECT_SERIES = f"{_SELECT} INDEXED BY anomalies_by_series"


def write(connection: sqlite3.Connection, item: AnomalyWrite) -> bool:
    """Write one document in the open transaction; False when a newer generation is stored."""
    anomaly = item.anomaly
    row = _row(anomaly)
    if item.version is None:
        done = connection.execute(_CREATE, row).rowcount
    else:
        guard = (anomaly.id, _version_number(item.version), anomaly.generation)
        done = connection.execute(_UPDATE, (*row, *guard)).rowcount
    return bool(done) or _write_after_conflict(connection, anomaly, row)


def _write_after_conflict(
    connection: sqlite3.Connection, anomaly: Anomaly, row: tuple[Any, ...]
) -> bool:
    stored = connection.execute(
        "SELECT generation FROM anomalies WHERE id = ?", (anomaly.id,)
    ).fetchone()
    if stored is None:  # removed since it was read
        connection.execute(_CREATE, row)
        return True
    if stored["generation"] > anomaly.generation:
        return False
    # Of my own generation: an earlier attempt of mine wrote it, and nothing is left to do.
    connection.execute(_REPLACE_OLDER, (*row, anomaly.id, anomaly.generation))
    return True


def known(
    connection: sqlite3.Connection,
    source: str,
    rule: str,
    series: Sequence[str],
    start_ms: int,
    end_ms: int,
) -> list[StoredAnomaly]:
    """What is stored of a rule for these series, by series and time."""
    sql = f"""
        {_SELECT_SERIES} WHERE source = ? AND rule = ? AND series IN ({marks(series)})
        AND ts_ms >= ? AND ts_ms < ? ORDER BY series, ts_ms
    """
    rows = connection.execute(sql, (source, rule, *series, start_ms, end_ms))
    return [StoredAnomaly(_document(row), str(row["version"])) for row in rows]


def search(
    connection: sqlite3.Connection, query: AnomalyQuery, limit: int, cursor: str | None
) -> Page[Anomaly]:
    """Newest first, then by id."""
    where = _where(query)
    if cursor is not None:
        ts_ms, id_ = cursors.decode("anomalies", cursor)
        where.add("ts_ms <= ? AND (ts_ms < ? OR id > ?)", ts_ms, ts_ms, id_)
    select = _SELECT if query.source is None or query.series is None else _SELECT_SERIES
    sql = f"{select} WHERE {where} ORDER BY ts_ms DESC, id LIMIT ?"
    rows = connection.execute(sql, (*where.parameters, limit + 1)).fetchall()
    items = [_document(row) for row in rows[:limit]]
    more = len(rows) > limit
    after = cursors.encode("anomalies", items[-1].ts_ms, items[-1].id) if more else None
    return Page(items, after)


def get(connection: sqlite3.Connection, id_: str) -> Anomaly | None:
    """One by id."""
    row = connection.execute(f"{_SELECT} WHERE id = ?", (id_,)).fetchone()
    return None if row is None else _document(row)


def set_verdict(connection: sqlite3.Connection, id_: str, *people: str | int) -> Anomaly | None:
    """Write people's fields (in the order of the document) and nothing else."""
    assignments = ", ".join(f"{name} = ?" for name in _PEOPLE)
    connection.execute(f"UPDATE anomalies SET {assignments} WHERE id = ?", (*people, id_))
    return get(connection, id_)


def _where(query: AnomalyQuery) -> Where:
    where = Where()
    for name in ("source", "rule", "series", "status", "verdict", "run"):
        where.equals(name, getattr(query, name))
    if query.sources is not None:
        where.one_of("source", query.sources)
    where.metrics(query.metrics)
    where.labels(query.labels)
    if query.start_ms is not None:
        where.add("ts_ms >= ?", query.start_ms)
    if query.end_ms is not None:
        where.add("ts_ms < ?", query.end_ms)
    if query.min_severity is not None:
        where.add("severity_rank >= ?", SEVERITY_RANK[query.min_severity])
    return where


def _row(anomaly: Anomaly) -> tuple[Any, ...]:
    values = [_stored(getattr(anomaly, name)) for name in _DETECTION]
    values[_DETECTION.index("labels")] = json.dumps(
        dict(anomaly.labels), ensure_ascii=False, sort_keys=True
    )
    if anomaly.change is not None:
        values[_DETECTION.index("change")] = json.dumps(dict(anomaly.change))
    return (*values, SEVERITY_RANK[anomaly.severity])


def _stored(value: Any) -> Any:
    # No store and no JSON answer can hold NaN or infinity: they are null everywhere.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _document(row: sqlite3.Row) -> Anomaly:
    values = {name: row[name] for name in _FIELDS}
    values["labels"] = json.loads(values["labels"])
    values["change"] = None if values["change"] is None else json.loads(values["change"])
    return Anomaly(**values)


def _version_number(version: str) -> int:
    try:
        return int(version)
    except ValueError:
        raise InvalidError(f"version {version!r} is not one that this index gave") from None
