"""A process that works off jobs, to be killed: ``python -m tests.service.queue_process URL``."""

import sys
import time

from service.clock import SystemClock
from service.database.audit import record_change
from service.database.engine import open_database
from service.database.leases import LeaseWatch, release, sightings
from service.database.queue import Leaser, finish, lease
from service.errors import LeaseLostError
from service.worker.identity import is_dead, process_identity

LEASE_MS = 2000


def work(url: str) -> None:
    """Until nothing is left; the effect of a job is one line of the audit log."""
    database = open_database(url)
    clock = SystemClock()
    leaser = Leaser(process_identity(), "")
    watch = LeaseWatch(LEASE_MS)
    source = ""
    while True:
        with database.write() as tx:
            job = lease(tx, leaser, ("run",), clock.now_ms(), LEASE_MS, source)
        if job is None:
            with database.write() as tx:
                seen = sightings(tx)
                for lost in watch.lost(seen, clock.passed_ms(), is_dead):
                    release(tx, lost, clock.now_ms())
            if not seen:
                return
            time.sleep(0.02)
            continue
        source = job.source
        time.sleep(0.003)
        try:
            with database.write() as tx:
                record_change(tx, clock.now_ms(), leaser.owner, "did", job.dedupe_key)
                time.sleep(0.002)  # a kill in here must undo the effect
                finish(tx, job)
        except LeaseLostError:
            continue


if __name__ == "__main__":
    work(sys.argv[1])
