"""Sessions that are kept: a new one costs seconds, and on Hive an application master of its own."""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from storage.errors import BusyError, InvalidError
from storage.hive.cancellation import Cancellation
from storage.hive.deadline import Deadline
from storage.hive.session import Session

_ALIVE_SECONDS = 5.0
_CLOSING_SECONDS = 10.0


class Pool:
    """Lends sessions to threads; the one used last is lent first, unused ones are closed."""

    def __init__(
        self, name: str, open_: Callable[[Deadline], Session], size: int, idle_seconds: float
    ) -> None:
        self._name = name
        self._open = open_
        self._idle_seconds = idle_seconds
        self._size = size
        self._places = threading.Semaphore(size)
        self._lock = threading.Lock()
        self._idle: list[Session] = []
        self._lent: set[Session] = set()
        self._cancellations: set[Cancellation] = set()
        self._timer: threading.Timer | None = None
        self._closed = False
        self._owner = os.getpid()

    def take(self, deadline: Deadline) -> Session:
        """A session that the server knows, to be given back or given up."""
        self._after_fork()
        if not self._places.acquire(timeout=max(deadline.left(), 0)):
            raise BusyError(f"{self._name}: all {self._size} sessions are in use")
        try:
            session = self._kept() or self._open(deadline)
        except BaseException:
            self._places.release()
            raise
        with self._lock:
            self._lent.add(session)
        return session

    def _kept(self) -> Session | None:
        while True:
            with self._lock:
                if self._closed:
                    raise InvalidError(f"{self._name}: the connection is closed")
                if not self._idle:
                    return None
                session = self._idle.pop()
            if session.alive(_ALIVE_SECONDS):
                return session
            session.messages.close()

    def give_back(self, session: Session) -> None:
        """Keep a session for the next statement."""
        session.unused_since = time.monotonic()
        with self._lock:
            self._lent.discard(session)
            keep = session.usable and not self._closed
            if keep:
                self._idle.append(session)
                self._watch()
        self._places.release()
        if not keep:
            session.close()

    def give_up(self, session: Session, operation: Any) -> None:
        """Throw a session away and cancel what it was doing, without waiting for that."""
        cancellation = Cancellation(session, operation)
        with self._lock:
            self._lent.discard(session)
            self._cancellations = {each for each in self._cancellations if each.is_alive()}
            cancellation.start()
            self._cancellations.add(cancellation)
        self._places.release()

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._idle_seconds, self._close_unused)
            self._timer.daemon = True
            self._timer.start()

    def _close_unused(self) -> None:
        oldest = time.monotonic() - self._idle_seconds
        with self._lock:
            unused = [session for session in self._idle if session.unused_since <= oldest]
            self._idle = [session for session in self._idle if session.unused_since > oldest]
            self._timer = None
            if self._idle and not self._closed:
                self._watch()
        for session in unused:
            session.close()

    def close(self) -> None:
        """Close what is kept, end what is running and wait for its cancellation, but not long."""
        self._after_fork()
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            lent = list(self._lent)
            if self._timer is not None:
                self._timer.cancel()
        for session in lent:
            session.messages.interrupt()
        for session in idle:
            session.close()
        end = Deadline(_CLOSING_SECONDS)
        for cancellation in list(self._cancellations):
            cancellation.join(max(end.left(), 0))

    def _after_fork(self) -> None:
        if self._owner == os.getpid():
            return
        # The parent goes on using its connections: here they are only forgotten.
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._places = threading.Semaphore(self._size)
        self._idle, self._lent, self._cancellations, self._timer = [], set(), set(), None
