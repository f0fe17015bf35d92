"""Rings inside the process when a committed transaction left work for the queue's workers.

Other processes look at the queue by themselves; this only spares the own worker the wait.
"""

import threading

from sqlalchemy import Connection

_ASKED = "lupus_ring_after_commit"


class Bell:
    """Counts rings, so that one between looking and waiting is not missed."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """How often it rang."""
        return self._count

    def ring(self) -> None:
        """Wake everybody who waits."""
        with self._rung:
            self._count += 1
            self._rung.notify_all()

    def wait(self, seen: int, seconds: float) -> bool:
        """Sleep until it rings once more than ``seen``, or the time is over (False)."""
        with self._rung:
            return self._rung.wait_for(lambda: self._count != seen, seconds)


def ring_after(tx: Connection) -> None:
    """Ring when this transaction is committed."""
    tx.info[_ASKED] = True


def asks_to_ring(tx: Connection) -> bool:
    """Whether the transaction asked for it; clears the wish."""
    return bool(tx.info.pop(_ASKED, False))
