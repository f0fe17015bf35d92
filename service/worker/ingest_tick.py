"""One try of an ingest, together with those that wait behind it; again ends in the same."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from service.clock import Clock
from service.database.engine import Database
from service.database.ingests import Ingest, get_ingest, update_ingest
from service.database.queue import Job, finish, lease_followers, put_back, renew
from service.errors import DatabaseError, LeaseLostError
from service.worker.ingest_end import GIVE_UP_MS, Ended, end_ingests
from service.worker.parts import WorkerParts
from service.worker.settings import WorkerSettings
from storage.errors import RefusedError, StorageError
from workflows.codec import from_plain
from workflows.context import StepContext
from workflows.errors import IngestRejectedError, WorkflowError
from workflows.ingest import ingest_together
from workflows.request import IngestRequest

_LEAST_TRIES = 100  # a clock set forward by a day is no day of trying
MOST_TOGETHER = 500
MOST_BYTES_TOGETHER = 16 * 1024 * 1024
Tried = tuple[Job, Ingest]
logger = logging.getLogger(__name__)


def tick_ingest(parts: WorkerParts, job: Job) -> None:
    """Carry out the ingest of a leased job."""
    carry_out(parts.database, parts.context, parts.clock, job, parts.settings)


def carry_out(
    database: Database, context: StepContext, clock: Clock, job: Job, pace: WorkerSettings
) -> None:
    """The same for whoever has leased the job."""
    hand = _Hand(database, context, clock, pace)
    with database.write() as tx:
        jobs = [job]
        if not job.interrupted:
            now_ms = clock.now_ms()
            most = (MOST_TOGETHER, MOST_BYTES_TOGETHER)
            jobs += lease_followers(tx, job, *most, now_ms, pace.lease_ms)
        tried = hand.begin(tx, jobs)
    if tried:
        with _renewing(database, clock, jobs, pace.lease_ms):
            hand.go(tried)


@dataclass(frozen=True)
class _Hand:
    database: Database
    context: StepContext
    clock: Clock
    pace: WorkerSettings

    def begin(self, tx: Connection, jobs: Sequence[Job]) -> list[Tried]:
        """Those whose ingests are not over."""
        tried = []
        for job in jobs:
            found = get_ingest(tx, str(job.payload["ingest"]))
            if found is None or found.ended:
                finish(tx, job)
            else:
                update_ingest(tx, found.id, state="running")
                tried.append((job, found))
        return tried

    def go(self, tried: Sequence[Tried]) -> None:
        """Carry out the ingests of leased jobs: together, or each alone where that fails."""
        try:
            self._try(tried)
        except LeaseLostError:
            raise
        except (StorageError, WorkflowError, OSError) as error:
            lasting = isinstance(error, StorageError | WorkflowError) and not error.transient
            # A store that lets nobody write is mended by people; the points were accepted.
            lasting = lasting and not isinstance(error, RefusedError)
            self._failed(tried, str(error), lasting)
        except Exception:
            if len(tried) == 1:
                raise
            logger.exception("%d ingests together failed: each is tried alone", len(tried))
            self._each_alone(tried)

    def _try(self, tried: Sequence[Tried]) -> None:
        requests = [from_plain(IngestRequest, row.request) for _, row in tried]
        done = ingest_together(self.context, requests, self._stored)
        ended = []
        for (job, row), one in zip(tried, done, strict=True):
            if isinstance(one, IngestRejectedError):
                rows = [vars(error) for error in one.rows]
                ended.append(Ended(job, row, error=str(one), rows=rows))
            else:
                ended.append(Ended(job, row, one.points, one.metrics))
        end_ingests(self.database, self.clock, self.pace, ended)

    def _stored(self, ids: Sequence[str]) -> None:
        with self.database.write() as tx:
            for id_ in ids:
                update_ingest(tx, id_, state="stored")

    def _failed(self, tried: Sequence[Tried], error: str, lasting: bool) -> None:
        if lasting and len(tried) > 1:
            self._each_alone(tried)
            return
        now_ms = self.clock.now_ms()
        for job, row in tried:
            late = now_ms > row.accepted_ms + GIVE_UP_MS
            if lasting or (late and job.failures >= _LEAST_TRIES):
                end_ingests(self.database, self.clock, self.pace, [Ended(job, row, error=error)])
            else:
                self._try_later(job, row, error)

    def _each_alone(self, tried: Sequence[Tried]) -> None:
        for one in tried:
            self.go([one])

    def _try_later(self, job: Job, row: Ingest, error: str) -> None:
        now_ms = self.clock.now_ms()
        logger.warning("ingest %s: %s; it is tried again", row.id, error)
        with self.database.write() as tx:
            update_ingest(tx, row.id, state="queued", error=error)
            delay_ms = self.pace.backoff_ms(job.failures)
            put_back(tx, job, now_ms, delay_ms, error=error)


@contextmanager
def _renewing(
    database: Database, clock: Clock, jobs: Sequence[Job], lease_ms: int
) -> Iterator[None]:
    """Keep the leases while a slow store is waited for."""
    done = threading.Event()

    def keep() -> None:
        while not done.wait(lease_ms / 3000):
            try:
                with database.write() as tx:
                    renew(tx, jobs, clock.now_ms() + lease_ms)
            except DatabaseError:
                continue  # the next try may be in time

    keeper = threading.Thread(target=keep, name="lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()
