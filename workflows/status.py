"""The truth about a run, read from its commits: never from who launched it."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.objects import Objects
from workflows.chunk import Plan, committed_chunks, read_plan
from workflows.commits import (
    PUBLISH,
    Commit,
    create_commit,
    is_cancelled,
    new_nonce,
    read_commit,
    run_root,
)
from workflows.errors import AlreadyPublishedError
from workflows.failure import Failure, read_failures
from workflows.launcher import Progress
from workflows.report import Report, read_report


@dataclass(frozen=True)
class RunStatus:
    """What has been committed of a run."""

    plan: Plan | None
    chunks_done: int
    published: bool  # from here on the run can only be finished, not cancelled
    cancelled: bool
    report: Report | None

    @property
    def chunks(self) -> int | None:
        """How many chunks there are, once that is known."""
        return None if self.plan is None else len(self.plan.chunks)

    @property
    def progress(self) -> Progress:
        """The same for people."""
        if self.report is not None or self.cancelled:
            return Progress("done", self.chunks_done, self.chunks)
        if self.plan is None:
            return Progress("plan")
        detected = self.published or self.chunks_done == self.chunks
        return Progress("publish" if detected else "detect", self.chunks_done, self.chunks)


def read_status(objects: Objects, run: str) -> RunStatus:
    """Read a run's commits."""
    planned = read_plan(objects, run)
    publish = read_commit(objects, f"{run_root(run)}/{PUBLISH}")
    return RunStatus(
        plan=planned[0] if planned else None,
        chunks_done=len(committed_chunks(objects, run)),
        published=publish is not None and not is_cancelled(publish),
        cancelled=is_cancelled(publish),
        report=read_report(objects, run),
    )


def run_failures(objects: Objects, run: str) -> Sequence[Failure]:
    """Failed tries of a run's steps, oldest first."""
    return read_failures(objects, run_root(run))


def cancel(objects: Objects, run: str) -> None:
    """Cancel a run: nothing of it will be published. Again is a no-op.

    AlreadyPublishedError when its publish is committed: the index is being written.
    """
    mine = Commit("cancel", new_nonce(), {}, {"cancelled": True})
    winner = create_commit(objects, f"{run_root(run)}/{PUBLISH}", mine)
    if not is_cancelled(winner):
        raise AlreadyPublishedError(f"run {run} is already published and cannot be cancelled")
