"""The launcher's seam: who runs the steps of a run. Truth of a run is its commits, never this.

An ingest is launched the same way, as one step; its ``job`` is the run of the other calls.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from workflows.request import IngestRequest, RunRequest

LaunchState = Literal["running", "ended", "absent"]


@dataclass(frozen=True)
class Progress:
    """How far a run is, for people."""

    stage: Literal["waiting", "plan", "detect", "publish", "done"]
    chunks_done: int = 0
    chunks: int | None = None
    message: str = ""
    link: str = ""  # where people watch it, outside of Lupus


@dataclass(frozen=True)
class Launched:
    """What the launcher knows of one attempt; ``error`` when it ended badly."""

    state: LaunchState
    progress: Progress
    error: str = ""
    transient: bool = True  # whether a next attempt may help, when it ended badly


class Launcher(Protocol):
    """Starts the steps of a run somewhere; every call returns at once."""

    def launch(self, request: RunRequest | IngestRequest, attempt: int) -> None:
        """Start an attempt; the same attempt again is a no-op; it resumes from the commits."""
        ...

    def look(self, run: str, attempt: int) -> Launched:
        """What became of an attempt; absent when this launcher does not know it."""
        ...

    def cancel(self, run: str) -> None:
        """Stop the run's work; what it has not committed is lost."""
        ...

    def wait(self, seconds: float) -> bool:
        """Sleep until something ended (True) or the time is over (False)."""
        ...

    def close(self) -> None:
        """End the children and return."""
        ...
