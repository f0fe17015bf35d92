"""The archive's way to a server: statements in, Arrow batches out; shared by threads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import pyarrow as pa

import storage.hive.extra  # noqa: F401  # first: says what to install
from storage.errors import StorageError, UnreachableError
from storage.hive.deadline import Deadline
from storage.hive.errors import LostConnectionError, LostSessionError
from storage.hive.options import HiveDialect, HiveOptions
from storage.hive.pool import Pool
from storage.hive.session import Session


class HiveConnection:
    """One server under a name. Each statement has a session of the pool for itself.

    A deadline holds until an answer begins, and again for each part of a stream. What takes longer,
    is closed early or loses its connection is cancelled on the server.
    """

    def __init__(self, name: str, options: HiveOptions) -> None:
        self.name = name
        self.options = options
        self._pool = Pool(
            name, partial(Session, name, options), options.sessions, options.idle_seconds
        )

    @property
    def dialect(self) -> HiveDialect:
        """Whose SQL is spoken."""
        return self.options.dialect

    def execute(self, sql: str, deadline_seconds: float | None = None) -> None:
        """Carry out a statement to its end; nothing that may have begun is begun again."""
        deadline = self._deadline(deadline_seconds)
        _twice(LostSessionError, deadline, lambda: self._done(sql, deadline))

    def table(self, sql: str, deadline_seconds: float | None = None) -> pa.Table:
        """The whole answer to a small question; asked again once if the connection is lost."""
        deadline = self._deadline(deadline_seconds)
        return _twice(LostConnectionError, deadline, lambda: self._whole(sql, deadline))

    def stream(self, sql: str, deadline_seconds: float | None = None) -> Iterator[pa.RecordBatch]:
        """The answer in parts of some thousand rows; closing it early cancels the statement.

        Without rows nothing is given. Lost before its first row, the question is asked again once.
        """
        deadline = self._deadline(deadline_seconds)
        session, operation, first, rest = _twice(
            LostConnectionError, deadline, lambda: self._first(sql, deadline)
        )
        with self._lent(session, operation):
            yield from first
            del first
            yield from rest

    def close(self) -> None:
        """End all sessions; statements of other threads end with an error."""
        self._pool.close()

    def _deadline(self, seconds: float | None) -> Deadline:
        return Deadline(self.options.deadline_seconds if seconds is None else seconds)

    def _begun(self, sql: str, deadline: Deadline) -> tuple[Session, Any]:
        """A session on which the statement is done and its rows, if any, can be fetched."""
        session = self._pool.take(deadline)
        operation = None
        try:
            operation = session.start(sql, deadline)
            session.wait(operation, deadline)
        except BaseException as error:
            self._let_go(session, operation, error)
            if isinstance(error, UnreachableError) and deadline.passed:
                raise UnreachableError(
                    f"{self.name}: not done within {deadline.seconds:g} s, so it is cancelled"
                ) from None
            raise
        return session, operation

    def _done(self, sql: str, deadline: Deadline) -> None:
        session, operation = self._begun(sql, deadline)
        with self._lent(session, operation):
            pass

    def _whole(self, sql: str, deadline: Deadline) -> pa.Table:
        session, operation = self._begun(sql, deadline)
        with self._lent(session, operation):
            schema = session.schema(operation, deadline.seconds)
            batches = list(session.batches(operation, schema, deadline.seconds))
        return pa.Table.from_batches(batches, schema)

    def _first(
        self, sql: str, deadline: Deadline
    ) -> tuple[Session, Any, list[pa.RecordBatch], Iterator[pa.RecordBatch]]:
        """The first part of the answer, if there is one, and what gives the others."""
        session, operation = self._begun(sql, deadline)
        try:
            schema = session.schema(operation, deadline.seconds)
            rest = session.batches(operation, schema, deadline.seconds)
            return session, operation, list(islice(rest, 1)), rest
        except BaseException as error:
            self._let_go(session, operation, error)
            raise

    @contextmanager
    def _lent(self, session: Session, operation: Any) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._let_go(session, operation, error)
            raise
        self._give_back(session, operation)

    def _let_go(self, session: Session, operation: Any, error: BaseException) -> None:
        # Only a failure that the server itself has told leaves nothing running there.
        told = isinstance(error, StorageError) and not isinstance(error, UnreachableError)
        if told and session.usable:
            self._give_back(session, operation)
        else:
            self._pool.give_up(session, operation)

    def _give_back(self, session: Session, operation: Any) -> None:
        if operation is not None:
            with suppress(StorageError):  # what was asked for is there; the session's end is seen
                session.finish(operation)
        self._pool.give_back(session)


Answer = TypeVar("Answer")


def _twice(
    lost: type[LostConnectionError], deadline: Deadline, ask: Callable[[], Answer]
) -> Answer:
    try:
        return ask()
    except lost:
        if deadline.passed:
            raise
    return ask()
