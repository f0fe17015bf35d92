"""One look at one run: start it, watch it, try it again, close it.

Truth is in the run's commits; the launcher only says whether somebody works at it.
"""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import chain

from sqlalchemy import Connection

from service import measures
from service.clock import HOUR_MS, SECOND_MS
from service.database.ingests import states_of
from service.database.queue import Job, finish, put_back
from service.database.runs import Run, get_run, update_run
from service.errors import DatabaseError
from service.notifications.endings import LastVerdicts, last_verdicts, series_told
from service.notifications.speak import Ending, speak_of_end, speak_of_start
from service.worker import short_history
from service.worker.parts import WorkerParts
from service.worker.run_measures import measure_end
from service.worker.upkeep import queue_compaction
from storage.errors import StorageError
from workflows import tracing
from workflows.codec import from_plain, to_plain
from workflows.context import write_request
from workflows.errors import CancelledError, CommitError, WorkflowError
from workflows.launcher import Launched
from workflows.publish import publish_failure
from workflows.report import Change, Report, read_changes
from workflows.request import RunRequest
from workflows.status import RunStatus, read_status, run_failures

_WAIT_FOR_INGEST_MS = 1 * SECOND_MS
_HOPELESS = 3  # the same lasting failure so often: another attempt ends in the same way
logger = logging.getLogger(__name__)


def tick_run(parts: WorkerParts, job: Job) -> None:
    """Look once at the run of a job and settle the job."""
    with parts.database.read() as tx:
        run = get_run(tx, str(job.payload["run"]))
    if run is None or run.ended:
        with parts.database.write() as tx:
            finish(tx, job)
        return
    tick = _RunTick(parts, job, run, parts.clock.now_ms())
    try:
        tick.go()
    except (StorageError, WorkflowError) as error:
        tick.tell(str(error))
        raise


@dataclass(frozen=True)
class _RunTick:
    parts: WorkerParts
    job: Job
    run: Run
    now_ms: int

    def go(self) -> None:
        if self.run.state == "queued":
            self._begin()
            return
        try:
            status = read_status(self.parts.stores.objects, self.run.id)
        except CommitError as error:  # altered, or of a newer version: it stays unreadable
            self._give_up(str(error))
            return
        except StorageError as error:
            if self.now_ms < self.run.deadline_ms:
                raise
            self.parts.launcher.cancel(self.run.id)
            self._close("failed", None, f"{self._deadline_text()}; now: {error}")
            return
        if status.report is not None:
            self._close(status.report.outcome, status.report)
        elif status.cancelled:
            self.parts.launcher.cancel(self.run.id)
            self._close("cancelled", None)
        elif self.now_ms >= self.run.deadline_ms and not status.published:
            self._give_up(self._deadline_text())
        else:
            self._watch(status)

    def tell(self, trouble: str) -> None:
        """Show on the run's page what is in its way; a look that goes well takes it back."""
        progress = {"stage": "waiting", **(self.run.progress or {}), "message": trouble}
        try:
            with self.parts.database.write() as tx:
                update_run(tx, self.run.id, progress=progress)
        except DatabaseError as error:
            logger.warning("run %s: %s; that cannot be told: %s", self.run.id, trouble, error)

    def _begin(self) -> None:
        """Start when what it waits for is there."""
        waiting, error = self._awaited()
        if not error and self.now_ms >= self.run.deadline_ms:
            error = self._deadline_text()
        if error:
            self._close("failed", None, error, "/after" if waiting else "")
        elif waiting:
            with self.parts.database.write() as tx:
                put_back(tx, self.job, self.now_ms, _WAIT_FOR_INGEST_MS)
        else:
            self._start()

    def _awaited(self) -> tuple[bool, str]:
        """Whether an ingest is still awaited, and the error when one can not succeed any more."""
        with self.parts.database.read() as tx:
            states = states_of(tx, self.run.after)
        for ingest in self.run.after:
            state = states.get(ingest, "unknown")
            if state in ("failed", "unknown"):
                return True, f"ingest {ingest}, which this run was to come after, is {state}"
        return any(state != "succeeded" for state in states.values()), ""

    def _start(self) -> None:
        """The state first, then the work: who is killed in between finds the attempt absent."""
        with self.parts.database.write() as tx:
            started = update_run(
                tx,
                self.run.id,
                states=("queued",),
                state="running",
                started_ms=self.now_ms,
                attempt=1,
                progress={"stage": "waiting"},
            )
            if not started:  # cancelled in the meantime
                finish(tx, self.job)
                return
            speak_of_start(tx, self.parts.reports, self.run, self.now_ms)
            self._hold(tx)
        waited_ms = max(0, self.now_ms - self.run.accepted_ms)
        measures.run_started(self.run.detector, waited_ms / 1000)
        self._launch(1)

    def _watch(self, status: RunStatus) -> None:
        launched = self.parts.launcher.look(self.run.id, self.run.attempt)
        if launched.state == "ended":
            # What it committed last may be younger than what was read before.
            status = read_status(self.parts.stores.objects, self.run.id)
            if status.report is not None:
                self._close(status.report.outcome, status.report)
            else:
                self._ended(status, launched)
            return
        with self.parts.database.write() as tx:
            state = "publishing" if status.published else "running"
            progress = to_plain(launched.progress)
            if (state, progress) != (self.run.state, self.run.progress):
                update_run(tx, self.run.id, state=state, progress=progress)
            self._hold(tx)
        if launched.state == "absent":
            self._launch(self.run.attempt)

    def _ended(self, status: RunStatus, launched: Launched) -> None:
        """An attempt ended without a report."""
        if not launched.transient and not status.published:
            self._give_up(*self._reason(launched))
            return
        reason = launched.error or "the attempt ended without a report"
        logger.warning("run %s: attempt %d: %s", self.run.id, self.run.attempt, reason)
        late = self.now_ms >= self.run.deadline_ms
        if status.published and (late or (not launched.transient and self._is_hopeless())):
            self._close("failed", None, f"published, but not to the end: {reason}")
            return
        with self.parts.database.write() as tx:
            update_run(
                tx,
                self.run.id,
                attempt=self.run.attempt + 1,
                progress=to_plain(replace(launched.progress, stage="waiting", message=reason)),
                state="publishing" if status.published else "running",
            )
            delay_ms = self.parts.settings.backoff_ms(self.run.attempt - 1)
            put_back(tx, self.job, self.now_ms, delay_ms, error=reason)

    def _is_hopeless(self) -> bool:
        """Whether publish failed for good, and each of the last tries in the same way."""
        failures = run_failures(self.parts.stores.objects, self.run.id)
        last = [one for one in failures if one.step == "publish"][-_HOPELESS:]
        lasting = {(one.message, one.transient) for one in last}
        return len(last) == _HOPELESS and len(lasting) == 1 and not last[0].transient

    def _reason(self, launched: Launched) -> tuple[str, str]:
        """The last failure as its step told it, with the field at fault."""
        lasting = [
            failure
            for failure in run_failures(self.parts.stores.objects, self.run.id)
            if not failure.transient
        ]
        if lasting:
            return lasting[-1].message, lasting[-1].pointer
        return launched.error or "the run failed and did not say why", ""

    def _give_up(self, error: str, pointer: str = "") -> None:
        """Commit the failure first: then no late attempt can publish."""
        self.parts.launcher.cancel(self.run.id)
        write_request(self.parts.stores.objects, self._request)
        try:
            report = publish_failure(self.parts.context, self.run.id, error, pointer)
        except CancelledError:
            self._close("cancelled", None)
        except CommitError:  # not even that can be committed: the run ends here
            self._close("failed", None, error, pointer)
        else:
            self._close(report.outcome, report)

    def _span(self, name: str, **attributes: str | int | None) -> AbstractContextManager[None]:
        trace = str(self.run.request.get("traceparent") or "")
        told = {"run": self.run.id, "rule": self.run.rule, **attributes}
        return tracing.span(f"run {name}", trace, told)

    def _close(
        self, outcome: str, report: Report | None, error: str = "", pointer: str = ""
    ) -> None:
        with self._span("close", outcome=outcome):
            self._write_end(outcome, report, error, pointer)

    def _write_end(self, outcome: str, report: Report | None, error: str, pointer: str) -> None:
        """The end of the run, its messages and its job, in one transaction."""
        if report is not None and not error:
            error = short_history.of_report(report, self._request.source.timezone)
        ending = Ending(outcome, report, error, self._last(report))
        changes: Iterator[Change] = iter(())
        if report is not None:
            changes = _begun(read_changes(self.parts.stores.objects, report))
        with self.parts.database.write() as tx:
            current = get_run(tx, self.run.id, hold=True)
            if current is None or current.ended:  # cancelled while it waited
                finish(tx, self.job)
                return
            notified = speak_of_end(tx, self.parts.reports, self.run, ending, changes, self.now_ms)
            update_run(
                tx,
                self.run.id,
                state=outcome,
                # A clock that stepped back must not end a run before it began.
                ended_ms=max(self.now_ms, self.run.started_ms or self.run.accepted_ms),
                report=None if report is None else to_plain(report),
                error=ending.error,
                pointer=pointer or (report.pointer if report else ""),
                notified=notified,
                progress={**(self.run.progress or {}), "stage": "done", "message": ""},
            )
            finish(tx, self.job)
            if report is not None and self.run.rule is not None:
                delay_ms = self.parts.settings.compact_results_ms
                queue_compaction(tx, self.run.source, self.now_ms, delay_ms)
        logger.info("run %s: %s", self.run.id, outcome)
        measure_end(self.parts.stores.objects, self.run, outcome, report, self.now_ms)

    def _last(self, report: Report | None) -> LastVerdicts:
        """Whether series of which people were told are normal again."""
        if report is None or report.results is None:
            return LastVerdicts()
        with self.parts.database.read() as tx:
            series = series_told(tx, self.run, self._request.start_ms)
        return last_verdicts(self.parts.stores.objects, self.run.id, series)

    def _hold(self, tx: Connection) -> None:
        put_back(tx, self.job, self.now_ms, self.parts.settings.look_ms, self.parts.holder)

    def _launch(self, attempt: int) -> None:
        """Again is a no-op; the next look finds absent what could not be launched."""
        try:
            with self._span("launch", attempt=attempt):
                self.parts.launcher.launch(self._request, attempt)
        except (StorageError, WorkflowError) as error:
            logger.warning("run %s: attempt %d not launched: %s", self.run.id, attempt, error)
            self.tell(f"not launched: {error}")

    @property
    def _request(self) -> RunRequest:
        return from_plain(RunRequest, self.run.request)

    def _deadline_text(self) -> str:
        hours = (self.run.deadline_ms - self.run.accepted_ms) / HOUR_MS
        last = (self.run.progress or {}).get("message")
        why = f"; last: {last}" if last else ""
        return f"the run was not over {hours:g} hours after it was accepted{why}"


def _begun(changes: Iterator[Change]) -> Iterator[Change]:
    """With the first one read: the file is fetched now, not while the database is locked."""
    first = next(changes, None)
    return iter(()) if first is None else chain([first], changes)
