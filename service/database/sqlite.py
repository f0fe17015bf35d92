"""The database in a file: one writer at a time, who has the lock from the beginning."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from service.database.access import BUSY_SECONDS, Access
from service.database.turns import Turns
from service.errors import (
    DamagedDatabaseError,
    DatabaseBusyError,
    DatabaseError,
    DatabaseFullError,
)

WRITES = "lupus_write"
_LOOK_AGAIN_SECONDS = 0.002  # the driver's own waits grow to 0.1 s: too long to find a gap


def make_engine(url: str, _access: Access) -> Engine:
    """A pool of connections to a file."""
    engine = create_engine(
        url,
        pool_size=16,
        max_overflow=48,
        pool_timeout=30,
        hide_parameters=True,  # an error's text never shows what callers sent
        connect_args={"timeout": BUSY_SECONDS},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def writer_of(engine: Engine) -> Engine:
    """Its transactions hold the write lock from their beginning."""
    return engine.execution_options(**{WRITES: Turns()})


@contextmanager
def turn_of(writer: Engine) -> Iterator[None]:
    """The only thread of this process that may begin to write: taken before a connection is."""
    turns: Turns = writer.get_execution_options()[WRITES]
    with turns.taken(BUSY_SECONDS):
        yield


def reader_of(engine: Engine) -> Engine:
    """Its transactions see one state."""
    return engine


def error_of(error: DBAPIError, engine: Engine) -> DatabaseError:
    """What the rooms above are told, with what helps."""
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    file = engine.url.database
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseBusyError(f"the database is locked: {error.orig}")
    if code == sqlite3.SQLITE_FULL:
        return DatabaseFullError(
            f"no room is left for the database {file}: free some; nothing that was accepted is lost"
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DamagedDatabaseError(
            f"the database {file} is damaged ({error.orig}): stop the service and put the backup "
            "in its place, with the files -wal and -shm beside it removed (docs/failures.md)"
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return DatabaseError(
            f"the database {file} cannot be written ({error.orig}): give this user the right to "
            "write the file and its folder, on a disk that is not read-only"
        )
    return DatabaseError(f"the database failed: {error.orig}")


def _prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # The driver would begin late and by its own rules; `_begin` begins instead.
    connection.isolation_level = None
    _switch_to_wal(connection)
    cursor = connection.cursor()
    # An answered 202 must survive a power cut: in WAL mode only FULL syncs at every commit.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _switch_to_wal(connection: Any) -> None:
    # The first switch needs the file alone, and does not wait for the busy time-out by itself.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as error:
            code = error.sqlite_errorcode & 0xFF
            if code != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _begin(connection: Connection) -> None:
    turns: Turns | None = connection.get_execution_options().get(WRITES)
    if turns is None:
        connection.exec_driver_sql("BEGIN")
    else:
        _begin_to_write(connection, turns.deadline)


def _begin_to_write(connection: Connection, deadline: float) -> None:
    """Wait for other processes; those of this one stand in line already."""
    raw: Any = connection.connection.driver_connection
    raw.execute("PRAGMA busy_timeout = 0").close()
    try:
        while True:
            try:
                raw.execute("BEGIN IMMEDIATE").close()
            except sqlite3.Error as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
                if time.monotonic() > deadline:
                    break
            else:
                return
            time.sleep(_LOOK_AGAIN_SECONDS)
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # raises what `error_of` understands
    finally:
        raw.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}").close()
