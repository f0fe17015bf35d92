"""The tables of the index file, and the check that a file is one of ours.

Arrays of points and bands are packed little-endian 64-bit numbers, NaN for null: a chart reads
them back without parsing. Anomalies carry two columns that no document shows: ``severity_rank``
to compare with, and ``version``, which guards updates. A series remembers in ``step_sequence``
which entry taught its step, so that entries without one change nothing.
"""

import sqlite3

from storage.errors import InvalidError

VERSION = 1
APPLICATION_ID = 0x4C757031  # "Lup1"

# Each kind of document and the columns that identify one.
KEYS = {
    "anomalies": "id",
    "points": "source, series, day",
    "bands": "source, series, rule, run",
    "series": "source, metric, series",
}

_STATEMENTS = (
    """
    CREATE TABLE anomalies (
        id TEXT PRIMARY KEY,
        source TEXT NOT NULL, rule TEXT NOT NULL, series TEXT NOT NULL,
        metric TEXT NOT NULL, labels TEXT NOT NULL, ts_ms INTEGER NOT NULL,
        value REAL, expected REAL, lower REAL, upper REAL, score REAL,
        severity TEXT NOT NULL, direction TEXT NOT NULL, reason TEXT NOT NULL,
        status TEXT NOT NULL, cause TEXT, transition INTEGER NOT NULL,
        episode_start_ms INTEGER NOT NULL, detector TEXT NOT NULL, detector_hash TEXT NOT NULL,
        run TEXT NOT NULL, generation INTEGER NOT NULL, written_at_ms INTEGER NOT NULL,
        verdict TEXT NOT NULL DEFAULT 'none', comment TEXT NOT NULL DEFAULT '',
        verdict_by TEXT NOT NULL DEFAULT '', verdict_at_ms INTEGER, change TEXT,
        severity_rank INTEGER NOT NULL, version INTEGER NOT NULL DEFAULT 1
    ) WITHOUT ROWID
    """,
    "CREATE INDEX anomalies_by_time ON anomalies (ts_ms DESC, id)",
    "CREATE INDEX anomalies_by_source ON anomalies (source, ts_ms DESC, id)",
    "CREATE INDEX anomalies_by_series ON anomalies (source, series, rule, ts_ms)",
    "CREATE INDEX anomalies_by_run ON anomalies (run, ts_ms DESC, id)",
    """
    CREATE TABLE points (
        source TEXT NOT NULL, series TEXT NOT NULL, day TEXT NOT NULL,
        sequence INTEGER NOT NULL, ts_ms BLOB NOT NULL, point_values BLOB NOT NULL,
        PRIMARY KEY (source, series, day)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE bands (
        source TEXT NOT NULL, series TEXT NOT NULL, rule TEXT NOT NULL, run TEXT NOT NULL,
        generation INTEGER NOT NULL, ts_ms BLOB NOT NULL,
        expected BLOB NOT NULL, lower BLOB NOT NULL, upper BLOB NOT NULL,
        PRIMARY KEY (source, series, rule, run)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE series (
        source TEXT NOT NULL, metric TEXT NOT NULL, series TEXT NOT NULL, labels TEXT NOT NULL,
        step_ms INTEGER, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
        sequence INTEGER NOT NULL, step_sequence INTEGER,
        PRIMARY KEY (source, metric, series)
    ) WITHOUT ROWID
    """,
)


# Columns that files of earlier versions lack: table, name and type. Whoever wrote such a file can
# go on using it, so they are no reason for another version.
_ADDED = (("anomalies", "change", "TEXT"),)


def prepare(connection: sqlite3.Connection, name: str) -> None:
    """Create the tables in an empty file, add the columns that an older one lacks.

    Raises
    ------
    InvalidError
        The file is not ours, or of a newer version.
    """
    if _is_ready(connection, name) and not _lacking(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have created them while this one waited for the lock.
        if not _is_ready(connection, name):
            for statement in _STATEMENTS:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        for table, column, kind in _lacking(connection):
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _lacking(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    return [
        (table, column, kind)
        for table, column, kind in _ADDED
        if not connection.execute(
            "SELECT count(*) FROM pragma_table_info(?) WHERE name = ?", (table, column)
        ).fetchone()[0]
    ]


def _is_ready(connection: sqlite3.Connection, name: str) -> bool:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION_ID:
        if tables:
            raise InvalidError(
                f"index file {name}: holds something else; the index needs a file of its own"
            )
        return False
    if version > VERSION:
        raise InvalidError(
            f"index file {name}: was written by a newer Lupus (schema {version}, this one knows "
            f"{VERSION}); upgrade, or name another file and run rebuild-index"
        )
    return True
