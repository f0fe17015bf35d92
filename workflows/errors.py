"""What can go wrong while a request is carried out.

WorkflowError
├── BadRequestError        permanent: the request cannot be carried out as it is; names the field
│   └── IngestRejectedError  permanent: a payload is refused as a whole; names the rows at fault
├── CommitError            permanent: a commit or its files are missing, altered or unreadable
├── AlreadyPublishedError  permanent: a run that has committed its publish cannot be cancelled
├── CancelledError         permanent: the run was cancelled; the step stops
├── DeadlineError          permanent: the run's deadline is past
├── OrphanedError          permanent: the process that this worker works for is gone
├── NoPlanError            transient: nothing to publish yet; the next attempt plans again
├── StoppedError           transient: the process was asked to end and finished what it was doing
├── WorkerLostError        transient: a pool worker died (killed, out of memory)
├── ClusterError           transient: the Kubernetes API cannot be reached, or refuses for now
└── ClusterRefusedError    permanent: the cluster does not take what it was given

A step's exit code follows from :func:`exit_code`: 0 ok, 75 transient, 65 permanent, 143 stopped,
66 nothing to work on: not worth another try of this step, but of the run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from storage.errors import StorageError

TRANSIENT_EXIT = 75
PERMANENT_EXIT = 65
STOPPED_EXIT = 143
NO_PLAN_EXIT = 66


class WorkflowError(Exception):
    """A step could not do its work."""

    transient: ClassVar[bool] = False


class BadRequestError(WorkflowError):
    """The request cannot be carried out as it is; ``pointer`` is the JSON pointer of the field."""

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


@dataclass(frozen=True)
class RowError:
    """One field of one row: what was found and what is allowed."""

    row: int
    column: str
    message: str


class IngestRejectedError(BadRequestError):
    """The payload is refused as a whole; nothing of it is stored. ``total`` counts all errors."""

    def __init__(self, rows: Sequence[RowError], total: int) -> None:
        first = rows[0]
        where = f"row {first.row}, {first.column}" if first.row else first.column
        more = f" (and {total - 1:,} more)" if total > 1 else ""
        super().__init__(f"{where}: {first.message}{more}" if where else first.message + more)
        self.rows = tuple(rows)
        self.total = total


class CommitError(WorkflowError):
    """A commit or one of its files is missing, altered or of a format this version cannot read."""


class AlreadyPublishedError(WorkflowError):
    """The run has committed its publish: it can no longer be cancelled."""


class CancelledError(WorkflowError):
    """The run was cancelled."""


class DeadlineError(WorkflowError):
    """The run's deadline is past."""


class OrphanedError(WorkflowError):
    """The process that this worker works for is gone: it must not commit."""


class NoPlanError(WorkflowError):
    """The run has no plan and no reason why it cannot have one: another attempt plans again."""

    transient = True


class StoppedError(WorkflowError):
    """The process was asked to end (SIGTERM); it has finished what it was doing."""

    transient = True


class WorkerLostError(WorkflowError):
    """A pool worker died under its task."""

    transient = True


class ClusterError(WorkflowError):
    """The Kubernetes API cannot be reached, or refuses what it may accept later."""

    transient = True


class ClusterRefusedError(WorkflowError):
    """The cluster does not take what it was given, now or later."""


def exit_code(error: BaseException) -> int:
    """The exit code of a step that failed: retry or do not."""
    if isinstance(error, StoppedError):
        return STOPPED_EXIT
    if isinstance(error, NoPlanError):
        return NO_PLAN_EXIT
    if isinstance(error, WorkflowError | StorageError):
        return TRANSIENT_EXIT if error.transient else PERMANENT_EXIT
    return TRANSIENT_EXIT if isinstance(error, OSError | MemoryError) else PERMANENT_EXIT
