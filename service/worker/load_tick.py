"""One look at one large ingest: start it, watch it, try it again, close it.

As with a run, truth is in its commits; the launcher only says whether somebody works at it.
"""

import logging
from dataclasses import dataclass

from sqlalchemy import Connection

from service.database.ingests import Ingest, get_ingest, update_ingest
from service.database.queue import Job, finish, put_back
from service.worker.ingest_end import GIVE_UP_MS, Ended, end_ingests
from service.worker.parts import WorkerParts
from storage.errors import StorageError
from workflows.codec import from_plain, to_plain
from workflows.errors import CommitError, WorkflowError
from workflows.failure import read_failures
from workflows.ingest_job import IngestOutcome, end_ingest, ingest_root, is_stored, read_outcome
from workflows.launcher import Launched
from workflows.request import IngestRequest

_HOURS = GIVE_UP_MS // 3_600_000
logger = logging.getLogger(__name__)


def tick_load(parts: WorkerParts, job: Job) -> None:
    """Look once at the large ingest of a job and settle the job."""
    with parts.database.write() as tx:
        row = get_ingest(tx, str(job.payload["ingest"]))
        if row is None or row.ended:
            finish(tx, job)
            return
    _LoadTick(parts, job, row, parts.clock.now_ms()).go()


@dataclass(frozen=True)
class _LoadTick:
    parts: WorkerParts
    job: Job
    row: Ingest
    now_ms: int

    def go(self) -> None:
        try:
            outcome = read_outcome(self.parts.stores.objects, self.row.id)
        except CommitError as error:  # altered, or of a newer version: it stays unreadable
            self._close(IngestOutcome(error=str(error)))
            return
        if outcome is not None:
            self._close(outcome)
        elif self.now_ms > self.row.accepted_ms + GIVE_UP_MS:
            last = f"; last: {self.row.error}" if self.row.error else ""
            self._give_up(f"the ingest was not over {_HOURS} hours after it was accepted{last}")
        elif self.row.state == "queued":
            self._start()
        else:
            self._watch()

    def _start(self) -> None:
        """The state first, then the work: who is killed in between finds the attempt absent."""
        with self.parts.database.write() as tx:
            update_ingest(tx, self.row.id, state="running")
            self._hold(tx)
        self._launch()

    def _watch(self) -> None:
        attempt = self._request.attempt
        launched = self.parts.launcher.look(self.row.id, attempt)
        if launched.state == "ended":
            # What it committed last may be younger than what was read before.
            outcome = read_outcome(self.parts.stores.objects, self.row.id)
            if outcome is not None:
                self._close(outcome)
            else:
                self._ended(launched)
            return
        stored = is_stored(self.parts.stores.objects, self.row.id)
        with self.parts.database.write() as tx:
            state = "stored" if stored else "running"
            if (state, "") != (self.row.state, self.row.error):
                update_ingest(tx, self.row.id, state=state, error="")
            self._hold(tx)
        if launched.state == "absent":
            self._launch()

    def _launch(self) -> None:
        """Again is a no-op; the next look finds absent what could not be launched."""
        try:
            self.parts.launcher.launch(self._request, self._request.attempt)
        except (StorageError, WorkflowError) as error:
            logger.warning("ingest %s is not launched: %s", self.row.id, error)
            with self.parts.database.write() as tx:
                update_ingest(tx, self.row.id, error=f"not launched: {error}")

    def _ended(self, launched: Launched) -> None:
        """An attempt ended without an outcome."""
        reason = self._reason(launched)
        if not launched.transient:
            self._give_up(reason)
            return
        logger.warning("ingest %s: %s; it is tried again", self.row.id, reason)
        again = to_plain(self._request) | {"attempt": self._request.attempt + 1}
        with self.parts.database.write() as tx:
            update_ingest(tx, self.row.id, request=again, error=reason)
            delay_ms = self.parts.settings.backoff_ms(self._request.attempt - 1)
            put_back(tx, self.job, self.now_ms, delay_ms, error=reason)

    def _reason(self, launched: Launched) -> str:
        """As the step told it."""
        failures = read_failures(self.parts.stores.objects, ingest_root(self.row.id))
        lasting = [one for one in failures if not one.transient]
        if lasting and not launched.transient:
            return lasting[-1].message
        return launched.error or "the attempt ended and did not say why"

    def _give_up(self, error: str) -> None:
        """Commit the failure first: then no late attempt can say otherwise."""
        self.parts.launcher.cancel(self.row.id)
        self._close(end_ingest(self.parts.context, self.row.id, IngestOutcome(error=error)))

    def _close(self, outcome: IngestOutcome) -> None:
        done = outcome.ingested
        if done is None:
            rows = [vars(row) for row in outcome.rows]
            ended = Ended(self.job, self.row, error=outcome.error, rows=rows)
        else:
            ended = Ended(self.job, self.row, done.points, done.metrics)
        end_ingests(self.parts.database, self.parts.clock, self.parts.settings, [ended])

    def _hold(self, tx: Connection) -> None:
        put_back(tx, self.job, self.now_ms, self.parts.settings.look_ms, self.parts.holder)

    @property
    def _request(self) -> IngestRequest:
        return from_plain(IngestRequest, self.row.request)
