"""Connections to one SQLite file: one for each thread, never shared with a forked child."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import (
    BusyError,
    CorruptError,
    FullError,
    InvalidError,
    RefusedError,
    StorageError,
    UnreachableError,
)
from storage.sqlite.schema import prepare
from storage.translation import from_number, system_errors

BUSY_SECONDS = 30.0

_BY_CODE: dict[int, type[StorageError]] = {
    sqlite3.SQLITE_BUSY: BusyError,
    sqlite3.SQLITE_LOCKED: BusyError,
    sqlite3.SQLITE_FULL: FullError,
    sqlite3.SQLITE_READONLY: RefusedError,
    sqlite3.SQLITE_PERM: RefusedError,
    sqlite3.SQLITE_AUTH: RefusedError,
    sqlite3.SQLITE_CANTOPEN: RefusedError,
    sqlite3.SQLITE_CORRUPT: CorruptError,
    sqlite3.SQLITE_NOTADB: CorruptError,
    sqlite3.SQLITE_IOERR: UnreachableError,
    sqlite3.SQLITE_NOMEM: BusyError,
    sqlite3.SQLITE_TOOBIG: InvalidError,
}
_ADVICE: dict[type[StorageError], str] = {
    CorruptError: "; stop the service, remove the file with the -wal and -shm beside it, and run "
    "`lupus-server rebuild-index` (docs/failures.md)",
}


class Connections:
    """Opens the file where a thread first needs it, closes all at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[sqlite3.Connection] = []
        self._owner = os.getpid()
        self._inherited: list[object] = []
        self._closed = False
        with system_errors(f"index folder {path.parent}"):
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.translated():
                prepare(self.get(), path.name)
        except BaseException:
            self.close()
            raise

    def get(self) -> sqlite3.Connection:
        """This thread's connection, in autocommit."""
        if self._closed:
            raise InvalidError(f"index {self.path.name}: is closed")
        if os.getpid() != self._owner:
            # SQLite forbids to use, and even to close, connections carried over a fork.
            self._inherited.append((self._local, self._open))
            self._local, self._open, self._owner = threading.local(), [], os.getpid()
            self._lock = threading.Lock()
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
            with self._lock:
                self._open.append(connection)
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        try:
            _switch_to_wal(connection)
            # A run is reported only after its documents are here: they survive a power cut too.
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for queries, errors translated."""
        with self.translated():
            yield self.get()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that has the write lock from its beginning."""
        with self.translated():
            connection = self.get()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # A full disk has rolled back by itself already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn SQLite's errors into the room's."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            kind = _BY_CODE.get(code, InvalidError)
            if code == sqlite3.SQLITE_CANTOPEN:
                kind = _why_closed(self.path)
            raise kind(f"index {self.path.name}: {error}{_ADVICE.get(kind, '')}") from error

    def close(self) -> None:
        """Close every thread's connection; using the index afterwards is an error."""
        self._closed = True
        if os.getpid() != self._owner:
            return
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()


def _why_closed(path: Path) -> type[StorageError]:
    """SQLite says the same of a missing right and of a process that has too many files open."""
    try:
        os.close(os.open(path if path.exists() else path.parent, os.O_RDONLY))
    except OSError as error:
        return type(from_number(error.errno, ""))
    may_write = os.access(path.parent, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))
    return UnreachableError if may_write else RefusedError


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # The switch needs the file alone and does not wait for the busy time-out by itself.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
