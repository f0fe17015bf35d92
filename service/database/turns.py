"""Turns: the threads of one process get something one at a time, in the order of asking."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import DatabaseBusyError


class Turns:
    """First come, first served.

    SQLite's own lock is polled: whoever looks at the right moment has it. Threads that poll
    against each other, and against other processes, can lose for longer than they may wait.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: deque[_Ticket] = deque()  # the first one has the turn
        self.deadline = 0.0  # monotonic; of the one who has the turn

    @contextmanager
    def taken(self, seconds: float) -> Iterator[None]:
        """Have the turn; DatabaseBusyError when it comes too late, RuntimeError when nested."""
        ticket = _Ticket(time.monotonic() + seconds)
        with self._lock:
            if self._asking and self._asking[0].thread == ticket.thread:
                raise RuntimeError("a write within a write of the same thread would wait for ever")
            self._asking.append(ticket)
            self._call_first()
        try:
            if not ticket.called.wait(seconds):
                raise DatabaseBusyError(
                    "the database is locked: other writers were first for too long"
                )
            self.deadline = ticket.deadline
            yield
        finally:
            with self._lock:
                self._asking.remove(ticket)
                self._call_first()

    def _call_first(self) -> None:
        if self._asking:
            self._asking[0].called.set()


class _Ticket:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.thread = threading.get_ident()
        self.called = threading.Event()
