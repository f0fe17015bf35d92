"""The Argo launcher: an attempt is a workflow, found again by its name from any process.

Nothing that matters is remembered here. What a run is comes from its commits, whether somebody
works at it from the cluster; a cluster that does not answer says nothing, so the run goes on.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from storage.errors import ExistsError
from storage.objects import Objects
from workflows.argo.autopsy import examine, needs_autopsy
from workflows.argo.board import Board
from workflows.argo.build import workflow
from workflows.argo.cluster import Cluster
from workflows.argo.names import HASH, Request, id_of, request_hash, workflow_name
from workflows.argo.settings import ArgoSettings, workflow_url
from workflows.argo.status import Node, Seen, seen
from workflows.commits import run_root
from workflows.context import write_request
from workflows.errors import ClusterError, ClusterRefusedError
from workflows.failure import Failure, read_failures, record_failure
from workflows.ingest_job import (
    ingest_request_name,
    ingest_root,
    write_ingest_request,
)
from workflows.launcher import Launched, Progress
from workflows.report import Report
from workflows.request import IngestRequest
from workflows.status import RunStatus, read_status

REMEMBERED = 1000
_RETRY_SECONDS = 10.0  # before what the cluster would not take is offered again
_LEAST_SECONDS = 900  # a workflow that is started late may still publish
_INGEST_SECONDS = 86_400
_LONGEST_MESSAGE = 500
_LASTING_STEPS = ("plan", "publish", "ingest")
logger = logging.getLogger(__name__)
Key = tuple[str, int]
K = TypeVar("K")
V = TypeVar("V")


class ArgoLauncher:
    """Runs plan -> detect[i] -> publish as pods of one workflow for each attempt."""

    def __init__(
        self,
        objects: Objects,
        cluster: Cluster,
        settings: ArgoSettings,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._objects = objects
        self._cluster = cluster
        self._settings = settings
        self._now_ms = now_ms
        self._board = Board(cluster, settings, now_ms)
        self._closing = threading.Event()
        self._over: dict[Key, Launched] = {}
        self._troubles: dict[Key, tuple[str, float]] = {}
        self._kinds: dict[str, bool] = {}
        self._cache: dict[str, Seen] = {}
        self._examined: set[tuple[str, str]] = set()
        self._still: dict[str, tuple[str, float]] = {}

    def launch(self, request: Request, attempt: int) -> None:
        """Create the attempt's workflow unless it is there, or the run is over.

        What the cluster does not take now is offered again by the next call; `look` tells.
        """
        key = (id_of(request), attempt)
        trouble = self._troubles.get(key)
        if key in self._over or (trouble and time.monotonic() < trouble[1]):
            return
        if isinstance(request, IngestRequest):
            self._kinds[request.job] = True
            write_ingest_request(self._objects, request)
        else:
            if (over := _over(read_status(self._objects, request.run))) is not None:
                self._over[key] = over
                return
            write_request(self._objects, request)
        try:
            self._create(request, attempt)
        except ClusterError as error:
            logger.warning("%s: attempt %d is not launched: %s", *key, error)
            self._troubles[key] = (str(error), time.monotonic() + _RETRY_SECONDS)
        except ClusterRefusedError as error:
            self._over[key] = _ended(Progress("waiting"), str(error), transient=False)
        else:
            self._troubles.pop(key, None)
            self._remember_launch(key)
        _forget_old(self._over)
        _forget_old(self._troubles)

    def look(self, run: str, attempt: int) -> Launched:
        """What became of an attempt; running when the cluster does not answer."""
        key = (run, attempt)
        if (over := self._over.get(key)) is not None:
            return over
        status = None if self._is_ingest(run) else read_status(self._objects, run)
        progress = Progress("waiting") if status is None else status.progress
        progress = replace(progress, link=self._link(run, attempt))
        if status is not None and status.cancelled:
            return _ended(progress, "cancelled", transient=False)
        try:
            found = self._find(run, attempt)
            if found is None:
                return self._absent(key, status, progress)
            self._autopsy(run, found)
            if found.ended:
                return self._end(run, found, progress)
            if self._hangs(found):
                return _ended(progress, f"workflow {found.name} hangs: nothing of it runs")
        except (ClusterError, ClusterRefusedError) as error:
            return Launched("running", _with(progress, str(error)))
        return Launched("running", _with(progress, found.waiting_for))

    def cancel(self, run: str) -> None:
        """Ask the run's workflows to stop, and end them after a grace."""
        self._board.stop(run)

    def wait(self, seconds: float) -> bool:
        """Sleep until something ended (True) or the time is over (False)."""
        deadline = time.monotonic() + seconds
        while not self._closing.is_set():
            if self._board.poll():
                return True
            now = time.monotonic()
            if now >= deadline:
                return False
            self._closing.wait(max(0.01, min(deadline, self._board.next_poll) - now))
        return True

    def close(self) -> None:
        """Let go of the cluster; workflows go on."""
        self._closing.set()
        self._cluster.close()

    def _create(self, request: Request, attempt: int) -> None:
        body = workflow(request, attempt, self._settings, self._deadline_seconds(request))
        name = body["metadata"]["name"]
        if attempt > 1:
            self._board.terminate_others(id_of(request), name)
        if self._cluster.create(body):
            logger.info("workflow %s is created", name)
        else:
            self._check_same(name, request)
        self._board.created(name)

    def _check_same(self, name: str, request: Request) -> None:
        """The name is taken: by this very attempt, or by something else."""
        found = self._cluster.get(name)
        if found is None:
            raise ClusterError(f"workflow {name} was there and is gone")
        if found["metadata"].get("annotations", {}).get(HASH) != request_hash(request):
            raise ClusterRefusedError(
                f"workflow {name} exists and is of another request: delete it, or look whether two "
                f"services use namespace {self._settings.namespace} with different databases"
            )

    def _deadline_seconds(self, request: Request) -> int:
        if isinstance(request, IngestRequest):
            return _INGEST_SECONDS
        return max(_LEAST_SECONDS, (request.deadline_ms - self._now_ms()) // 1000)

    def _remember_launch(self, key: Key) -> None:
        """Whoever looks later can tell a workflow that is gone from one that never was."""
        try:
            self._objects.create(self._launch_record(key), b"{}")
        except ExistsError:
            logger.debug("%s: attempt %d was launched before", *key)

    def _launch_record(self, key: Key) -> str:
        return f"{self._root(key[0])}/workflow/{key[1]}.json"

    def _root(self, run: str) -> str:
        return ingest_root(run) if self._is_ingest(run) else run_root(run)

    def _is_ingest(self, run: str) -> bool:
        """Whether the id is that of an ingest; another process may have launched it."""
        if run not in self._kinds:
            self._kinds[run] = self._objects.get_or_none(ingest_request_name(run)) is not None
            _forget_old(self._kinds)
        return self._kinds[run]

    def _find(self, run: str, attempt: int) -> Seen | None:
        name = self._name(run, attempt)
        known = self._cache.get(name)
        if known is not None and (known.ended or self._board.unchanged(name, known.version)):
            return known
        content = self._cluster.get(name)
        if content is None:
            self._cache.pop(name, None)
            return None
        self._cache[name] = seen(content)
        _forget_old(self._cache)
        return self._cache[name]

    def _name(self, run: str, attempt: int) -> str:
        kind = "ingest" if self._is_ingest(run) else "detection"
        return workflow_name(kind, run, attempt)

    def _link(self, run: str, attempt: int) -> str:
        if not self._settings.url:
            return ""
        settings = self._settings
        return workflow_url(settings.url, settings.namespace, self._name(run, attempt))

    def _absent(self, key: Key, status: RunStatus | None, progress: Progress) -> Launched:
        if self._objects.get_or_none(self._launch_record(key)) is not None:
            if status is not None and status.report is not None:
                return _reported(progress, status.report)
            return _ended(progress, "the attempt's workflow is gone from the cluster")
        trouble = self._troubles.get(key)
        return Launched("absent", _with(Progress("waiting"), trouble[0] if trouble else ""))

    def _autopsy(self, run: str, found: Seen) -> None:
        """Keep why pods ended that could not tell, while the cluster still knows."""
        dead = [
            node
            for node in found.nodes
            if needs_autopsy(node) and (found.name, node.id) not in self._examined
        ]
        if not dead:
            return
        for nonce, failure in examine(self._cluster, found.name, dead, self._now_ms()):
            record_failure(self._objects, self._root(run), failure, nonce)
        self._mark_examined(found.name, dead)

    def _mark_examined(self, name: str, nodes: Sequence[Node]) -> None:
        if len(self._examined) > REMEMBERED * 10:  # their names keep them from being told twice
            self._examined.clear()
        self._examined |= {(name, node.id) for node in nodes}

    def _end(self, run: str, found: Seen, progress: Progress) -> Launched:
        failures = read_failures(self._objects, self._root(run))
        if self._is_ingest(run):
            if found.phase == "Succeeded":
                return _ended(progress, "")
        else:
            # What it committed last may be younger than what was read before.
            status = read_status(self._objects, run)
            progress = replace(status.progress, link=progress.link)
            if (over := _over(status)) is not None:
                return replace(over, progress=replace(over.progress, link=progress.link))
        lasting = [one for one in failures if not one.transient and one.step in _LASTING_STEPS]
        if lasting:
            return _ended(progress, _told(lasting[-1]), transient=False)
        error = found.message or f"workflow {found.name} ended: {found.phase}"
        last = [one for one in failures if one.step != "exit"]
        return _ended(progress, _told(last[-1]) if last else error)

    def _hangs(self, found: Seen) -> bool:
        """Running for Argo, unchanged for long, and no pod works at it."""
        now = time.monotonic()
        version, since = self._still.get(found.name, ("", now))
        if found.phase != "Running" or version != found.version:
            self._still[found.name] = (found.version, now)
            _forget_old(self._still)
            return False
        if now - since < self._settings.stall_seconds:
            return False
        return not self._cluster.pods(found.name, "status.phase!=Succeeded,status.phase!=Failed")


def _over(status: RunStatus) -> Launched | None:
    """How a run ended by its commits, if it has."""
    if status.cancelled:
        return _ended(status.progress, "cancelled", transient=False)
    return None if status.report is None else _reported(status.progress, status.report)


def _reported(progress: Progress, report: Report) -> Launched:
    failed = report.outcome == "failed"
    return _ended(progress, report.error if failed else "", transient=not failed)


def _ended(progress: Progress, error: str, *, transient: bool = True) -> Launched:
    return Launched("ended", replace(_with(progress, error), stage="done"), error, transient)


def _with(progress: Progress, message: str) -> Progress:
    return replace(progress, message=message[:_LONGEST_MESSAGE])


def _told(failure: Failure) -> str:
    where = failure.step if failure.chunk is None else f"{failure.step} of chunk {failure.chunk}"
    return f"{where}: {failure.message}"


def _forget_old(known: dict[K, V]) -> None:
    """Keep memory bounded; whatever is forgotten is found out again."""
    while len(known) > REMEMBERED:
        known.pop(next(iter(known)))
