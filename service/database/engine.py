"""Opens the database: transactions that know from their beginning whether they write."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from service.database import postgresql, sqlite
from service.database.access import Access
from service.database.bell import Bell, asks_to_ring
from service.database.counters import next_value
from service.errors import DatabaseBusyError, DatabaseError, SettingsError

_KINDS: dict[str, ModuleType] = {"sqlite": sqlite, "postgresql": postgresql}


class Database:
    """One pool of connections; safe to share between threads, never across a fork."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.bell = Bell()
        self._trouble = threading.Event()
        self._kind = _KINDS[engine.dialect.name]
        self._writer: Engine = self._kind.writer_of(engine)
        self._reader: Engine = self._kind.reader_of(engine)

    @property
    def name(self) -> str:
        """What messages may show: no password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that may write: all of it or nothing.

        On SQLite it holds the write lock from its beginning, so it never fails half-way because
        another one wrote in between; a process's threads have it in the order of asking, and a
        write within a write of one thread is a RuntimeError. On PostgreSQL others write meanwhile:
        what is checked first and written then needs a lock of `locks` or of the row.
        """
        with self._translated(), self._kind.turn_of(self._writer), self._writer.begin() as tx:
            asks_to_ring(tx)  # what a rolled-back transaction left behind
            yield tx
            rings = asks_to_ring(tx)
        if rings:
            self.bell.ring()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view."""
        with self._translated(), self._reader.begin() as tx:
            yield tx

    def check(self) -> None:
        """Raise unless it answers and, after a failure, takes a change again."""
        with self.read() as tx:
            tx.execute(text("SELECT 1"))
        if self._trouble.is_set():
            with self.write() as tx:
                next_value(tx, "checks")
            self._trouble.clear()

    def close(self) -> None:
        """Close every connection of the pool."""
        self.engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeoutError:
            raise DatabaseBusyError("every connection to the database is in use") from None
        except DBAPIError as error:
            told = self._kind.error_of(error, self.engine)
            if isinstance(told, DatabaseError):
                self._trouble.set()
            # The driver's text may show values of rows, so it is not kept as the cause.
            raise told from None


def open_database(url: str, access: Access | None = None) -> Database:
    """A pool for the URL that the settings name; opens no connection yet."""
    try:
        kind = _KINDS.get(make_url(url).get_backend_name())
    except ArgumentError:
        kind = None
    if kind is None:
        raise SettingsError(
            "LUPUS_DATABASE: known are sqlite:////absolute/file.db and "
            "postgresql+psycopg://user@host/name"
        )
    engine: Engine = kind.make_engine(url, access or Access())
    return Database(engine)
