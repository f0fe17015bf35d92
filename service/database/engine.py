"""Opens the database: transactions that know from their beginning whether they write."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from service.database.bell import Bell, asks_to_ring
from service.errors import DatabaseBusyError, DatabaseError, SettingsError

# A renewal that waits this long leaves time for another before the lease ends (a third more).
BUSY_SECONDS = 8.0
_WRITE_OPTION = "lupus_write"


class Database:
    """One pool of connections; safe to share between threads, never across a fork."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.bell = Bell()
        self._writer = engine.execution_options(**{_WRITE_OPTION: True})

    @property
    def name(self) -> str:
        """What messages may show: no password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that may write: all of it or nothing.

        On SQLite it holds the write lock from its beginning, so it never fails half-way because
        another one wrote in between.
        """
        with _translated(), self._writer.begin() as tx:
            asks_to_ring(tx)  # what a rolled-back transaction left behind
            yield tx
            rings = asks_to_ring(tx)
        if rings:
            self.bell.ring()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view."""
        with _translated(), self.engine.begin() as tx:
            yield tx

    def close(self) -> None:
        """Close every connection of the pool."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """A pool for the URL that the settings name; opens no connection yet."""
    if make_url(url).get_backend_name() != "sqlite":
        raise SettingsError("LUPUS_DATABASE: this version knows sqlite:////absolute/file.db")
    engine = create_engine(
        url,
        pool_size=16,
        max_overflow=48,
        pool_timeout=30,
        hide_parameters=True,  # an error's text never shows what callers sent
        connect_args={"timeout": BUSY_SECONDS},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return Database(engine)


def _prepare_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # The driver would begin late and by its own rules; `_begin_sqlite` begins instead.
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


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITE_OPTION, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseBusyError("every connection to the database is in use") from error
    except OperationalError as error:
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise DatabaseBusyError(f"the database is locked: {error.orig}") from error
        raise DatabaseError(f"the database failed: {error.orig}") from error
    except DBAPIError as error:
        raise DatabaseError(f"the database failed: {error.orig}") from error
