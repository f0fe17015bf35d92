"""One try of one ingest; the same ingest again ends in the same documents."""

import logging
from dataclasses import dataclass

from service import measures
from service.clock import DAY_MS, Clock
from service.database.engine import Database
from service.database.ingests import Ingest, get_ingest, update_ingest
from service.database.metrics import learn_metrics
from service.database.queue import Job, fail, finish, put_back, wake_source
from service.worker.parts import WorkerParts
from service.worker.settings import WorkerSettings
from service.worker.upkeep import queue_compaction
from storage.errors import RefusedError, StorageError
from workflows.codec import from_plain
from workflows.context import StepContext
from workflows.errors import IngestRejectedError, WorkflowError
from workflows.ingest import Ingested, ingest
from workflows.request import IngestRequest

_GIVE_UP_MS = DAY_MS
_LEAST_TRIES = 100  # a clock set forward by a day is no day of trying
logger = logging.getLogger(__name__)


def tick_ingest(parts: WorkerParts, job: Job) -> None:
    """Carry out the ingest of a leased job."""
    carry_out(parts.database, parts.context, parts.clock, job, parts.settings)


def carry_out(
    database: Database, context: StepContext, clock: Clock, job: Job, pace: WorkerSettings
) -> None:
    """The same for whoever has leased the job."""
    with database.write() as tx:
        found = get_ingest(tx, str(job.payload["ingest"]))
        if found is None or found.ended:
            finish(tx, job)
            return
        update_ingest(tx, found.id, state="running")
    _Try(database, context, clock, job, pace, found).go()


@dataclass(frozen=True)
class _Try:
    database: Database
    context: StepContext
    clock: Clock
    job: Job
    pace: WorkerSettings
    row: Ingest

    def go(self) -> None:
        request = from_plain(IngestRequest, self.row.request)
        try:
            done = ingest(self.context, request, self._stored)
        except IngestRejectedError as error:
            self._fail(str(error), [vars(row) for row in error.rows])
        except (StorageError, WorkflowError, OSError) as error:
            lasting = isinstance(error, StorageError | WorkflowError) and not error.transient
            # A store that lets nobody write is mended by people; the points were accepted.
            lasting = lasting and not isinstance(error, RefusedError)
            late = self.clock.now_ms() > self.row.accepted_ms + _GIVE_UP_MS
            if lasting or (late and self.job.failures >= _LEAST_TRIES):
                self._fail(str(error), [])
            else:
                self._try_later(str(error))
        else:
            self._succeed(done)

    def _stored(self) -> None:
        with self.database.write() as tx:
            update_ingest(tx, self.row.id, state="stored")

    def _succeed(self, done: Ingested) -> None:
        now_ms = self.clock.now_ms()
        source = self.row.source
        with self.database.write() as tx:
            learn_metrics(tx, source, done.metrics, now_ms)
            update_ingest(
                tx, self.row.id, state="succeeded", points=done.points, ended_ms=now_ms, error=""
            )
            finish(tx, self.job)
            wake_source(tx, now_ms, "run", source)
            queue_compaction(tx, source, now_ms, self.pace.compact_ms)
        self._measure("succeeded", done.points, now_ms)

    def _fail(self, error: str, rows: list[dict[str, object]]) -> None:
        now_ms = self.clock.now_ms()
        with self.database.write() as tx:
            update_ingest(
                tx, self.row.id, state="failed", error=error, errors=rows, ended_ms=now_ms
            )
            fail(tx, self.job, error)
            wake_source(tx, now_ms, "run", self.row.source)
        self._measure("failed", 0, now_ms)

    def _measure(self, outcome: str, points: int, now_ms: int) -> None:
        seconds = max(0, now_ms - self.row.accepted_ms) / 1000
        measures.ingest_ended(outcome, points, seconds)

    def _try_later(self, error: str) -> None:
        now_ms = self.clock.now_ms()
        logger.warning("ingest %s: %s; it is tried again", self.row.id, error)
        with self.database.write() as tx:
            update_ingest(tx, self.row.id, state="queued", error=error)
            delay_ms = self.pace.backoff_ms(self.job.failures)
            put_back(tx, self.job, now_ms, delay_ms, error=error)
