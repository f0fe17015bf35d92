"""Chooses for each run who carries it out, once: small ones here, the others on the cluster.

The choice lies beside the run, so that every process asks the right launcher, also after a
restart. Estimating asks the archive, which may take long: a thread of its own does it.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from storage.errors import ExistsError, StorageError
from storage.objects import Objects
from workflows.commits import run_root
from workflows.errors import CommitError, WorkflowError
from workflows.launcher import Launched, Launcher, Progress
from workflows.request import IngestRequest, RunRequest

_SLICE_SECONDS = 0.5  # a wait listens to both launchers in turn
_REMEMBERED = 1000
# Of one core, for points written as text: some 15,000 points.
INGEST_BYTES_A_SECOND = 1_500_000
logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass
class AutoLauncher:
    """Runs estimated below ``least_seconds`` core-seconds go to ``local``, the rest to ``far``."""

    local: Launcher
    far: Launcher
    objects: Objects
    estimate: Callable[[RunRequest], float]
    least_seconds: float
    _chosen: dict[str, Launcher] = field(default_factory=dict)
    _choosing: set[str] = field(default_factory=set)
    _troubles: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="estimate")
    )

    def launch(self, request: RunRequest | IngestRequest, attempt: int) -> None:
        """Start an attempt where the run belongs; a run without a choice gets one first."""
        if isinstance(request, IngestRequest):
            seconds = request.text_bytes / INGEST_BYTES_A_SECOND
            where = self.local if seconds < self.least_seconds else self.far
            self._choose(request.job, where).launch(request, attempt)
        elif (chosen := self._of(request.run)) is not None:
            chosen.launch(request, attempt)
        else:
            with self._lock:
                if request.run in self._choosing:
                    return
                self._choosing.add(request.run)
            self._thread.submit(self._decide, request, attempt)

    def look(self, run: str, attempt: int) -> Launched:
        """What became of an attempt; running while it is being estimated."""
        with self._lock:
            choosing = run in self._choosing
        if choosing:
            return Launched("running", Progress("waiting", message="its work is being estimated"))
        chosen = self._of(run)
        if chosen is None:
            message = self._troubles.get(run, "")
            return Launched("absent", Progress("waiting", message=message))
        return chosen.look(run, attempt)

    def cancel(self, run: str) -> None:
        """Stop the run's work, wherever it is."""
        self.local.cancel(run)
        self.far.cancel(run)

    def wait(self, seconds: float) -> bool:
        """Sleep until something ended on either side (True) or the time is over (False)."""
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            if self.local.wait(max(0.0, min(_SLICE_SECONDS, left))) or self.far.wait(0.0):
                return True
            if left <= 0:
                return False

    def close(self) -> None:
        """End the estimates and both launchers."""
        self._thread.shutdown(cancel_futures=True)
        self.local.close()
        self.far.close()

    def _decide(self, request: RunRequest, attempt: int) -> None:
        try:
            self._record(request).launch(request, attempt)
        except (StorageError, WorkflowError, OSError) as error:  # the next look finds it absent
            logger.warning("run %s: attempt %d not launched: %s", request.run, attempt, error)
            _keep(self._troubles, request.run, str(error))
        except Exception:  # nobody else sees what ends a thread's work
            logger.exception("run %s: attempt %d not launched", request.run, attempt)
        finally:
            with self._lock:
                self._choosing.discard(request.run)

    def _record(self, request: RunRequest) -> Launcher:
        """The first choice counts, whoever makes it."""
        executor, seconds = self._estimated(request)
        content = json.dumps({"executor": executor, "core_seconds": seconds}).encode()
        try:
            self.objects.create(_name(request.run), content)
        except ExistsError:
            logger.debug("run %s: another process has chosen", request.run)
        else:
            logger.info("run %s: %s, %s core-seconds", request.run, executor, seconds)
        chosen = self._of(request.run)
        if chosen is None:
            raise CommitError(f"object {_name(request.run)} was written and is not there")
        return chosen

    def _estimated(self, request: RunRequest) -> tuple[str, float | None]:
        try:
            seconds = self.estimate(request)
        except (StorageError, WorkflowError) as error:
            if error.transient:
                raise
        except OSError:
            raise
        except Exception:
            logger.exception("run %s: its work cannot be estimated", request.run)
        else:
            return ("local" if seconds < self.least_seconds else "far"), seconds
        return "local", None  # plan fails there in the same way, and says why

    def _of(self, run: str) -> Launcher | None:
        if run in self._chosen:
            return self._chosen[run]
        data = self.objects.get_or_none(_name(run))
        if data is None:
            return None
        local = json.loads(data)["executor"] == "local"
        return self._choose(run, self.local if local else self.far)

    def _choose(self, run: str, chosen: Launcher) -> Launcher:
        _keep(self._chosen, run, chosen)
        self._troubles.pop(run, None)
        return chosen


def _keep(known: dict[str, T], run: str, value: T) -> None:
    known[run] = value
    while len(known) > _REMEMBERED:
        known.pop(next(iter(known)), None)


def _name(run: str) -> str:
    return f"{run_root(run)}/executor.json"
