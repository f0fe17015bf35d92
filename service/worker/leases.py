"""The leases that a process has: renews its own, and finds those whose owner is gone."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from service import measures
from service.clock import Clock
from service.database.engine import Database
from service.database.leases import LeaseWatch, release, sightings
from service.database.queue import Job, count_held, renew, renew_held
from service.worker.identity import is_dead
from service.worker.settings import WorkerSettings

logger = logging.getLogger(__name__)


class Leases:
    """Every lease of one process."""

    def __init__(
        self, database: Database, clock: Clock, settings: WorkerSettings, holder: str
    ) -> None:
        self._database = database
        self._holder = holder
        self._clock = clock
        self._settings = settings
        self._watch = LeaseWatch(settings.lease_ms)
        self._lock = threading.Lock()
        self._mine: dict[str, Job] = {}

    @contextmanager
    def keeping(self, job: Job) -> Iterator[None]:
        """Renew the lease while a tick is worked at."""
        with self._lock:
            self._mine[job.id] = job
        try:
            yield
        finally:
            with self._lock:
                self._mine.pop(job.id, None)

    def renew_mine(self) -> None:
        """Prolong, also for what the launcher carries; a tick notices a loss when it settles."""
        with self._lock:
            jobs = list(self._mine.values())
        with self._database.read() as tx:
            carried = count_held(tx, self._holder)
        if not jobs and not carried:
            return
        with self._database.write() as tx:
            until_ms = self._clock.now_ms() + self._settings.lease_ms
            lost = renew(tx, jobs, until_ms)
            renew_held(tx, self._holder, until_ms)
        for job in lost:
            logger.warning("job %s: its lease is lost", job.dedupe_key)

    def release_lost(self) -> int:
        """Put back the jobs of workers that are gone."""
        # While nobody can write, nobody can renew: then this raises, and no time is counted.
        with self._database.write() as tx:
            seen = sightings(tx)
        lost = self._watch.lost(seen, self._clock.passed_ms(), is_dead)
        if not lost:
            return 0
        with self._database.write() as tx:
            released = sum(release(tx, one, self._clock.now_ms()) for one in lost)
        if released:
            measures.taken_over(released)
            logger.warning("%d jobs of workers that are gone go on here", released)
        return released
