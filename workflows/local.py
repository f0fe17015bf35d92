"""The local launcher: runs share one process pool, fairly; commits decide what is left to do."""

import itertools
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace

from storage.errors import StorageError
from storage.objects import Objects
from storage.settings import StorageSettings
from storage.stores import open_objects
from workflows.chunk import committed_chunks, read_plan
from workflows.context import write_request
from workflows.cores import usable_processes
from workflows.errors import PERMANENT_EXIT, CancelledError, CommitError
from workflows.failure import Failure, record_failure
from workflows.ingest_job import write_ingest_request
from workflows.launcher import Launched, Progress
from workflows.local_pool import Ended, LocalPool, Lost, Ticket
from workflows.request import IngestRequest, RunRequest
from workflows.settings import WorkflowSettings
from workflows.step_entry import StepCall, StepOutcome, StepWorld

TRIES = 3  # of one step within one attempt of a run
_CANCELLED = CancelledError.__name__
REMEMBERED = 1000  # ended runs that look() still knows
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Todo:
    call: StepCall
    not_before: float = 0.0  # on the monotonic clock


@dataclass(eq=False)
class _Run:
    """One attempt of a run (or an ingest) and what is left of it."""

    run: str
    attempt: int
    progress: Progress
    traceparent: str = ""
    todo: deque[_Todo] = field(default_factory=deque)
    tickets: dict[StepCall, Ticket] = field(default_factory=dict)
    served: int = 0  # when it last got a process: the longest waiting is next
    ended: bool = False
    error: str = ""
    transient: bool = True


class LocalLauncher:
    """Runs plan -> detect[i] -> publish of many runs on this machine."""

    def __init__(
        self, storage: StorageSettings, settings: WorkflowSettings, image: str = ""
    ) -> None:
        self._objects: Objects = open_objects(storage)
        self._pool = LocalPool(
            StepWorld(storage, settings, image), settings.processes or usable_processes()
        )
        self._changed = threading.Condition(threading.RLock())
        self._runs: dict[str, _Run] = {}
        self._turn = itertools.count(1)
        self._news = False
        self._closed = False
        self._timer: threading.Timer | None = None

    def launch(self, request: RunRequest | IngestRequest, attempt: int) -> None:
        """Start an attempt; the same attempt again is a no-op; it resumes from the commits."""
        first = _first_step(request)
        run = first.run
        with self._changed:
            known = self._runs.get(run)
            if known is not None and known.attempt >= attempt:
                return
            if known is not None:
                self._stop(known, "a later attempt was started")
            if isinstance(request, RunRequest):
                write_request(self._objects, request)
            else:
                write_ingest_request(self._objects, request)
            trace = request.traceparent if isinstance(request, RunRequest) else ""
            todo = deque([_Todo(first)])
            self._runs[run] = _Run(run, attempt, Progress("waiting"), trace, todo)
            self._fill()

    def look(self, run: str, attempt: int) -> Launched:
        """What became of an attempt; absent when this launcher does not know it."""
        with self._changed:
            known = self._runs.get(run)
            if known is None or known.attempt != attempt:
                return Launched("absent", Progress("waiting"))
            return Launched(
                "ended" if known.ended else "running",
                known.progress,
                known.error,
                known.transient,
            )

    def cancel(self, run: str) -> None:
        """Stop the run's work; what it has not committed is lost."""
        with self._changed:
            known = self._runs.get(run)
            if known is not None:
                self._stop(known, "cancelled")
                self._fill()

    def wait(self, seconds: float) -> bool:
        """Sleep until something ended (True) or the time is over (False)."""
        with self._changed:
            found = self._changed.wait_for(lambda: self._news or self._closed, seconds)
            self._news = False
            return found

    def close(self) -> None:
        """End the children and return."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            if self._timer is not None:
                self._timer.cancel()
        self._pool.close()

    def _stop(self, run: _Run, reason: str) -> None:
        if not run.ended:
            self._end(run, reason, transient=False)
        run.todo.clear()
        for ticket in list(run.tickets.values()):
            self._pool.cancel(ticket)

    def _end(self, run: _Run, error: str = "", *, transient: bool = True) -> None:
        run.ended, run.error, run.transient = True, error, transient
        run.progress = replace(run.progress, stage="done", message=error)
        self._news = True
        self._changed.notify_all()
        ended = [known for known in self._runs.values() if known.ended]
        for old in ended[: max(0, len(ended) - REMEMBERED)]:
            del self._runs[old.run]

    def _fill(self) -> None:
        """Give free processes to the runs that have the fewest and have waited longest."""
        if self._closed:
            return
        now = time.monotonic()
        while sum(len(run.tickets) for run in self._runs.values()) < self._pool.size:
            ready = [r for r in self._runs.values() if r.todo and r.todo[0].not_before <= now]
            if not ready:
                break
            run = min(ready, key=lambda r: (len(r.tickets), r.served))
            run.served = next(self._turn)
            self._start(run, run.todo.popleft().call)
        self._wake_later(now)

    def _wake_later(self, now: float) -> None:
        later = [r.todo[0].not_before for r in self._runs.values() if r.todo]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        delays = [when - now for when in later if when > now]
        if delays:
            self._timer = threading.Timer(min(delays), self._refill)
            self._timer.daemon = True
            self._timer.start()

    def _refill(self) -> None:
        with self._changed:
            self._fill()

    def _start(self, run: _Run, call: StepCall) -> None:
        if call.name != "ingest" and call.name != "note":
            run.progress = replace(run.progress, stage=call.name)
        traced = replace(call, traceparent=run.traceparent)
        run.tickets[call] = self._pool.submit(traced, lambda ended: self._ended(run, call, ended))

    def _ended(self, run: _Run, call: StepCall, ended: Ended) -> None:
        if isinstance(ended, Lost):
            self._keep_failure(call, ended)
        with self._changed:
            run.tickets.pop(call, None)
            if not run.ended:
                try:
                    self._go_on(run, call, ended)
                except (StorageError, CommitError) as error:  # the commits could not be read
                    self._end(run, f"{call.name}: {error}", transient=error.transient)
            self._fill()

    def _keep_failure(self, call: StepCall, lost: Lost) -> None:
        failure = Failure(
            step=call.name,
            attempt=call.attempt,
            kind="WorkerLostError",
            message=lost.reason,
            transient=True,
            at_ms=time.time_ns() // 1_000_000,
            chunk=call.chunk,
            log=lost.log,
        )
        record_failure(self._objects, call.root, failure)

    def _go_on(self, run: _Run, call: StepCall, ended: Ended) -> None:
        if isinstance(ended, StepOutcome) and ended.exit_code == 0:
            self._advance(run, call, ended)
        elif ended is None or (isinstance(ended, StepOutcome) and ended.kind == _CANCELLED):
            self._end(run, "cancelled", transient=False)
        else:
            self._try_again(run, call, ended)

    def _advance(self, run: _Run, call: StepCall, outcome: StepOutcome) -> None:
        if call.name == "plan":
            done = committed_chunks(self._objects, run.run)
            chunks = max(outcome.chunks, len(done))
            run.progress = Progress("detect", len(done), chunks)
            run.todo.extend(
                _Todo(StepCall("detect", run.run, chunk))
                for chunk in range(outcome.chunks)
                if chunk not in done
            )
        elif call.name == "detect":
            run.progress = replace(run.progress, chunks_done=run.progress.chunks_done + 1)
        else:
            self._end(run, run.error, transient=not run.error)
            return
        self._publish_when_detected(run)

    def _publish_when_detected(self, run: _Run) -> None:
        if not run.todo and not run.tickets:
            run.todo.append(_Todo(StepCall("publish", run.run)))

    def _try_again(self, run: _Run, call: StepCall, ended: StepOutcome | Lost) -> None:
        """Bounded: then a chunk is given up, publish tells; any other step ends the attempt."""
        if isinstance(ended, Lost):
            error, transient, delay = ended.reason, True, 0.0
        else:
            error, transient = ended.error, ended.exit_code != PERMANENT_EXIT
            delay = float(2**call.attempt)
        if transient and call.attempt + 1 < TRIES:
            again = replace(call, attempt=call.attempt + 1)
            run.todo.append(_Todo(again, time.monotonic() + delay))
        elif call.name == "detect" or self._is_planned(call):
            self._publish_when_detected(run)
        elif call.name == "plan" and not transient:
            run.error = f"plan: {error}"
            self._publish_when_detected(run)  # it writes the report of a run without a plan
        else:
            self._end(run, run.error or f"{call.name}: {error}", transient=transient)

    def _is_planned(self, call: StepCall) -> bool:
        """Whether plan failed at what comes after its commit: the only chunk of a small run."""
        return call.name == "plan" and read_plan(self._objects, call.run) is not None


def _first_step(request: RunRequest | IngestRequest) -> StepCall:
    if isinstance(request, IngestRequest):
        return StepCall("ingest", request.job)
    return StepCall("plan", request.run)
