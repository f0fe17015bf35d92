"""The catalog of series in SQLite."""

# ruff: noqa: S608 - texts are made of our own column names, values are parameters

import json
import sqlite3
from collections.abc import Mapping, Sequence

from storage import cursor as cursors
from storage.index import MetricSummary, Page, SeriesEntry
from storage.selector import LabelCondition
from storage.sqlite.filters import Where

# Entries may arrive in any order: first and last only widen, a newer step replaces an older.
_PUT = """
    INSERT INTO series (
        source, metric, series, labels, step_ms, first_ms, last_ms, sequence, step_sequence
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (source, metric, series) DO UPDATE SET
        first_ms = min(series.first_ms, excluded.first_ms),
        last_ms = max(series.last_ms, excluded.last_ms),
        step_ms = CASE
            WHEN excluded.step_sequence >= coalesce(series.step_sequence, -1)
            THEN excluded.step_ms ELSE series.step_ms END,
        step_sequence = max(
            coalesce(excluded.step_sequence, series.step_sequence),
            coalesce(series.step_sequence, excluded.step_sequence)
        ),
        sequence = max(series.sequence, excluded.sequence)
"""
_METRICS = """
    SELECT metric, count(*) AS series, max(step_ms) AS step_ms,
           min(first_ms) AS first_ms, max(last_ms) AS last_ms
    FROM series WHERE source = ? GROUP BY metric ORDER BY metric
"""


def put(connection: sqlite3.Connection, entries: Sequence[SeriesEntry]) -> None:
    """Widen what is known of each series."""
    connection.executemany(_PUT, (_row(entry) for entry in entries))


def search(
    connection: sqlite3.Connection,
    source: str,
    metrics: Sequence[str],
    labels: Mapping[str, LabelCondition],
    limit: int,
    cursor: str | None,
) -> Page[SeriesEntry]:
    """By metric, then series id."""
    where = Where()
    where.equals("source", source)
    where.metrics(metrics)
    where.labels(labels)
    if cursor is not None:
        where.add("(metric, series) > (?, ?)", *cursors.decode("series", cursor))
    sql = f"SELECT * FROM series WHERE {where} ORDER BY metric, series LIMIT ?"
    rows = connection.execute(sql, (*where.parameters, limit + 1)).fetchall()
    items = [_document(row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(
        items, cursors.encode("series", items[-1].metric, items[-1].series) if more else None
    )


def summaries(connection: sqlite3.Connection, source: str) -> dict[str, MetricSummary]:
    """Each metric of a source with its coarsest step."""
    return {
        row["metric"]: MetricSummary(row["series"], row["step_ms"], row["first_ms"], row["last_ms"])
        for row in connection.execute(_METRICS, (source,))
    }


def _row(entry: SeriesEntry) -> tuple[str | int | None, ...]:
    labels = json.dumps(dict(entry.labels), ensure_ascii=False, sort_keys=True)
    times = (entry.step_ms, entry.first_ms, entry.last_ms)
    step_sequence = None if entry.step_ms is None else entry.sequence
    key = (entry.source, entry.metric, entry.series)
    return (*key, labels, *times, entry.sequence, step_sequence)


def _document(row: sqlite3.Row) -> SeriesEntry:
    return SeriesEntry(
        source=row["source"],
        series=row["series"],
        metric=row["metric"],
        labels=json.loads(row["labels"]),
        step_ms=row["step_ms"],
        first_ms=row["first_ms"],
        last_ms=row["last_ms"],
        sequence=row["sequence"],
    )
