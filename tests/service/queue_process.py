"""A process that works off jobs, to be killed: ``python -m tests.service.queue_process URL``.

With ``fast`` behind the URL it does nothing but the queue's own work.
"""

import sys
import time
from dataclasses import dataclass, field

from service.clock import SystemClock
from service.database.audit import record_change
from service.database.engine import Database, open_database
from service.database.leases import LeaseWatch, release, sightings
from service.database.queue import Job, Leaser, finish, lease
from service.errors import DatabaseBusyError, LeaseLostError
from service.worker.identity import is_dead, process_identity

LEASE_MS = 2000


@dataclass
class _Worker:
    database: Database
    fast: bool
    clock: SystemClock = field(default_factory=SystemClock)
    leaser: Leaser = field(default_factory=lambda: Leaser(process_identity(), ""))
    watch: LeaseWatch = field(default_factory=lambda: LeaseWatch(LEASE_MS))
    source: str = ""

    def turn(self) -> bool:
        """One job, or a look after lost ones; False when nothing is left."""
        with self.database.write() as tx:
            job = lease(tx, self.leaser, ("run",), self.clock.now_ms(), LEASE_MS, self.source)
        if job is None:
            return self.look_after()
        self.source = job.source
        self.do(job)
        return True

    def look_after(self) -> bool:
        with self.database.write() as tx:
            seen = sightings(tx)
            for lost in self.watch.lost(seen, self.clock.passed_ms(), is_dead):
                release(tx, lost, self.clock.now_ms())
        if seen:
            time.sleep(0.02)
        return bool(seen)

    def do(self, job: Job) -> None:
        """The effect of a job is one line of the audit log."""
        if not self.fast:
            time.sleep(0.003)
        try:
            with self.database.write() as tx:
                now_ms = self.clock.now_ms()
                record_change(tx, now_ms, self.leaser.owner, "did", job.dedupe_key)
                if not self.fast:
                    time.sleep(0.002)  # a kill in here must undo the effect
                finish(tx, job)
        except LeaseLostError:
            return


def work(url: str, fast: bool) -> None:
    """Until nothing is left; a database that is away is waited for."""
    worker = _Worker(open_database(url), fast)
    going_on = True
    while going_on:
        try:
            going_on = worker.turn()
        except DatabaseBusyError:
            time.sleep(0.2)


if __name__ == "__main__":
    work(sys.argv[1], "fast" in sys.argv[2:])
