"""What every step is given: stores, settings and a clock that decides nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from storage.archive import Archive
from storage.index import Index
from storage.objects import Objects
from storage.stores import Stores
from workflows.codec import dump, load
from workflows.commits import Attempt, check_cancelled, nothing, run_root
from workflows.errors import WorkflowError
from workflows.request import REQUEST_FORMAT, RunRequest, request_name
from workflows.settings import WorkflowSettings


@dataclass(frozen=True)
class StepContext:
    """The world of a step. Detect steps get no ``stores``: they may open the objects only.

    ``now_ms`` is for times of writing, never for decisions. ``check`` raises when this process
    may no longer commit; steps call it through their attempt.
    """

    objects: Objects
    settings: WorkflowSettings
    now_ms: Callable[[], int]
    stores: Stores | None = None
    image: str = ""
    check: Callable[[], None] = nothing
    scratch: Path | None = None  # for files on their way; None: the system's temporary folder
    processes: int = 1  # of a detect step's own pool

    @property
    def archive(self) -> Archive:
        """The archive, in plan, publish and ingest."""
        return self._opened().archive

    @property
    def index(self) -> Index:
        """The index, in publish and ingest."""
        return self._opened().index

    def request(self, run: str) -> RunRequest:
        """The request of a run, as it was accepted."""
        return load(RunRequest, self.objects.get(request_name(run)), REQUEST_FORMAT)

    def attempt(self, run: str, step: str) -> Attempt:
        """A new attempt of a run's step; its commit is refused once the run is cancelled."""

        def check() -> None:
            self.check()
            check_cancelled(self.objects, run)

        return Attempt(self.objects, run_root(run), step, self.image, check)

    def _opened(self) -> Stores:
        if self.stores is None:
            raise WorkflowError("this step was given the objects only, no archive and no index")
        return self.stores


def write_request(objects: Objects, request: RunRequest) -> None:
    """Put the request where steps find it; the same request again is a no-op."""
    objects.put(request_name(request.run), dump(replace(request, traceparent=""), REQUEST_FORMAT))
