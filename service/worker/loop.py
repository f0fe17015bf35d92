"""The worker: threads that lease jobs and tick them, and one that keeps the leases."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping

from service import measures
from service.database.leases import release_held
from service.database.queue import (
    Job,
    Leaser,
    NewJob,
    add_job,
    count_held,
    lease,
    put_back,
    wake_held,
)
from service.errors import DatabaseError, LeaseLostError
from service.worker.delivery_tick import tick_delivery
from service.worker.identity import process_identity
from service.worker.ingest_tick import tick_ingest
from service.worker.janitor import tick_janitor
from service.worker.leases import Leases
from service.worker.load_tick import tick_load
from service.worker.parts import WorkerParts
from service.worker.run_tick import tick_run
from service.worker.upkeep import queue_expiry, tick_compaction, tick_expiry

Tick = Callable[[WorkerParts, Job], None]
# What a launcher carries: such a job is started only while it has a free slot.
CARRIED = ("run", "load")
CHORES = ("compact", "janitor", "expire")
TICKS: Mapping[str, Tick] = {
    "run": tick_run,
    "ingest": tick_ingest,
    "load": tick_load,
    "delivery": tick_delivery,
    "compact": tick_compaction,
    "janitor": tick_janitor,
    "expire": tick_expiry,
}
_AGAIN_SECONDS = 1.0
logger = logging.getLogger(__name__)


class Worker:
    """All threads of one process. Any number of them may work at one queue."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._identity = process_identity()
        self._stopping = threading.Event()
        self._leases = Leases(parts.database, parts.clock, parts.settings, parts.holder)
        groups = [("runs", CARRIED), ("ingests", ("ingest",)), ("chores", CHORES)]
        groups += [(f"delivery-{n}", ("delivery",)) for n in range(parts.settings.delivery_threads)]
        self._threads = [
            threading.Thread(target=self._work, args=(name, kinds), name=name, daemon=True)
            for name, kinds in groups
        ]
        self._threads += [
            threading.Thread(target=self._keep, name="leases", daemon=True),
            threading.Thread(target=self._listen, name="launcher", daemon=True),
        ]

    def start(self) -> None:
        """Take over what dead workers left, then work."""
        now_ms = self._parts.clock.now_ms()
        with self._parts.database.write() as tx:
            add_job(tx, NewJob("janitor", "janitor", ""), now_ms)
            queue_expiry(tx, now_ms)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Lease nothing more, let ticks end, and let go of what the launcher carries."""
        self._stopping.set()
        self._parts.database.bell.ring()
        deadline = time.monotonic() + self._parts.settings.drain_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._parts.shared:  # the others go on, or this one when it starts again
            return
        try:
            with self._parts.database.write() as tx:
                release_held(tx, self._parts.holder, self._parts.clock.now_ms())
        except DatabaseError as error:
            logger.warning("what was carried is not released, others will take it: %s", error)

    def _work(self, name: str, kinds: Collection[str]) -> None:
        leaser = Leaser(f"{self._identity}/{name}", self._parts.holder)
        bell = self._parts.database.bell
        source, carried = "", True
        while not self._stopping.is_set():
            rung = bell.count
            measures.looked(name)
            job = self._lease(leaser, kinds, source, not carried)
            if job is None:
                bell.wait(rung, self._parts.settings.poll_ms / 1000)
            else:
                carried = job.holder is not None
                if not carried:  # else looks at what is carried would give turns away
                    source = job.source
                self._tick(job)

    def _lease(
        self, leaser: Leaser, kinds: Collection[str], source: str, carried_first: bool
    ) -> Job | None:
        """The next job. Starts go round the sources; where a launcher carries what was started,
        starts and looks take turns, so that neither waits for the end of the others."""
        settings = self._parts.settings
        now_ms = self._parts.clock.now_ms()
        try:
            with self._parts.database.write() as tx:
                if kinds != CARRIED:
                    return lease(tx, leaser, kinds, now_ms, settings.lease_ms, source)
                full = count_held(tx, leaser.holder) >= settings.slots
                for carried in (True, False) if carried_first else (False, True):
                    if full and not carried:
                        continue
                    ms = settings.lease_ms
                    job = lease(tx, leaser, kinds, now_ms, ms, source, carried=carried)
                    if job is not None:
                        return job
        except DatabaseError as error:
            logger.warning("the queue cannot be read: %s", error)
        except Exception:  # without this thread its kinds of jobs would be left to nobody
            logger.exception("the queue cannot be read")
        return None

    def _tick(self, job: Job) -> None:
        began = time.perf_counter()
        outcome = "done"
        try:
            with self._leases.keeping(job):
                TICKS[job.kind](self._parts, job)
        except LeaseLostError as error:
            outcome = "lost"
            logger.warning("%s; what was done is discarded", error)
        except Exception as error:
            outcome = "failed"
            logger.exception("job %s: the tick failed", job.dedupe_key)
            self._try_later(job, error)
        measures.ticked(job.kind, outcome, time.perf_counter() - began)

    def _try_later(self, job: Job, error: Exception) -> None:
        """What is held stays held: its launcher may be working at it."""
        settings = self._parts.settings
        delay_ms = settings.backoff_ms(job.failures)
        if job.holder is not None:
            delay_ms = min(delay_ms, settings.lease_ms // 3)  # else it would seem abandoned
        told = f"{type(error).__name__}: {error}"
        try:
            with self._parts.database.write() as tx:
                put_back(tx, job, self._parts.clock.now_ms(), delay_ms, job.holder, told)
        except (LeaseLostError, DatabaseError) as second:
            logger.warning("job %s: %s", job.dedupe_key, second)  # its lease will run out
        except Exception:
            logger.exception("job %s: its failure cannot be kept", job.dedupe_key)

    def _keep(self) -> None:
        pause = self._parts.settings.lease_ms / 3000
        while True:
            measures.looked("leases")
            kept = False
            try:
                self._leases.renew_mine()
                kept = True
                self._leases.release_lost()
            except DatabaseError as error:
                logger.warning("leases cannot be kept: %s", error)
            except Exception:  # without this thread others would take what this process works at
                logger.exception("leases cannot be kept")
            # A renewal that failed is late: others watch from when the database works again.
            if self._stopping.wait(pause if kept else min(pause, _AGAIN_SECONDS)):
                return

    def _listen(self) -> None:
        """Look at once at what the launcher ended."""
        while not self._stopping.is_set():
            try:
                if self._parts.launcher.wait(1.0) and not self._stopping.is_set():
                    with self._parts.database.write() as tx:
                        wake_held(tx, self._parts.clock.now_ms(), self._parts.holder)
            except DatabaseError as error:
                logger.warning("the queue cannot be written: %s", error)
            except Exception:  # without this thread no cancelled run would be ended
                logger.exception("the launcher cannot be listened to")
                self._stopping.wait(1.0)
