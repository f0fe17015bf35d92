"""Notes when tokens were used, beside the requests: none waits for it, and none fails with it."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from service.database.engine import Database
from service.database.tokens import note_uses
from service.errors import DatabaseError

logger = logging.getLogger(__name__)

# `last used` is for people: one write a minute and secret, not one a request.
EVERY_MS = 60_000
_MANY = 10_000


class LastUse:
    """What is to be written of the uses that this process saw."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._noted: dict[str, int] = {}
        self._waiting: dict[str, int] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="last-use")

    def note(self, hash_: str, stored_ms: int | None, now_ms: int) -> bool:
        """Have a use written, unless one of this minute is; ``stored_ms`` is the stored one."""
        with self._lock:
            latest = max(stored_ms or 0, self._noted.get(hash_, 0))
            # A clock that stepped back must not end the noting until it has caught up.
            if abs(now_ms - latest) < EVERY_MS:
                return False
            self._forget(now_ms)
            self._noted[hash_] = self._waiting[hash_] = now_ms
            if len(self._waiting) == 1:
                self._writer.submit(self._write)
        return True

    def flush(self) -> None:
        """Wait until everything noted so far was written, or refused."""
        self._writer.submit(bool).result()

    def close(self) -> None:
        """Write what is waiting, as far as the database takes it."""
        self._writer.shutdown()

    def _forget(self, now_ms: int) -> None:
        """Secrets that were replaced long ago are not kept for ever."""
        if len(self._noted) >= _MANY:
            recent = ((key, ms) for key, ms in self._noted.items() if now_ms - ms < EVERY_MS)
            self._noted = dict(recent)

    def _write(self) -> None:
        with self._lock:
            uses, self._waiting = self._waiting, {}
        try:
            with self._database.write() as tx:
                note_uses(tx, uses)
        except DatabaseError as error:
            logger.debug("uses of %d tokens are not noted: %s", len(uses), error)


@contextmanager
def noting_uses(database: Database) -> Iterator[LastUse]:
    """One for a process; what waits at its end is written."""
    notes = LastUse(database)
    try:
        yield notes
    finally:
        notes.close()
