"""An ingest as a step of its own: its request and its outcome lie in the objects.

The outcome is a commit, made once: whoever tries the step again goes on from it.
"""

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from storage.errors import ExistsError
from storage.objects import Objects
from workflows.codec import dump, load
from workflows.commits import Attempt, read_commit
from workflows.context import StepContext
from workflows.errors import CancelledError, IngestRejectedError, RowError
from workflows.ingest import Ingested, ingest
from workflows.request import REQUEST_FORMAT, IngestRequest

OUTCOME = "outcome.json"
_STORED = "stored.json"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StagedIngest:
    """What lies in the objects; the request's own ``format`` would hide that of the file."""

    request: IngestRequest


@dataclass(frozen=True)
class IngestOutcome:
    """How an ingest ended: what it stored, or why nothing."""

    ingested: Ingested | None = None
    rows: Sequence[RowError] = ()
    total: int = 0
    error: str = ""


def ingest_job(context: StepContext, job: str) -> Ingested:
    """The step: the ingest whose request lies in the objects, unless it is over."""
    outcome = read_outcome(context.objects, job) or _try(context, job)
    if outcome.ingested is None:
        if not outcome.rows:
            raise CancelledError(f"ingest {job} was given up: {outcome.error}")
        raise IngestRejectedError(outcome.rows, outcome.total)
    return outcome.ingested


def _try(context: StepContext, job: str) -> IngestOutcome:
    staged = load(StagedIngest, context.objects.get(ingest_request_name(job)), REQUEST_FORMAT)

    def note_stored(_: Sequence[str]) -> None:
        with contextlib.suppress(ExistsError):
            context.objects.create(f"{ingest_root(job)}/{_STORED}", b"{}")

    try:
        outcome = IngestOutcome(ingest(context, staged.request, note_stored))
        logger.info("ingest %s: %d points", job, outcome.ingested.points if outcome.ingested else 0)
    except IngestRejectedError as error:
        outcome = IngestOutcome(None, error.rows, error.total, str(error))
    return end_ingest(context, job, outcome)


def end_ingest(context: StepContext, job: str, outcome: IngestOutcome) -> IngestOutcome:
    """Commit how it ended; the outcome that counts is that of who was first."""
    attempt = Attempt(context.objects, ingest_root(job), "ingest", context.image, context.check)
    return attempt.commit(OUTCOME, outcome).read(IngestOutcome)


def read_outcome(objects: Objects, job: str) -> IngestOutcome | None:
    """How the ingest ended, once it has."""
    commit = read_commit(objects, f"{ingest_root(job)}/{OUTCOME}")
    return None if commit is None else commit.read(IngestOutcome)


def is_stored(objects: Objects, job: str) -> bool:
    """Whether its points are in the archive."""
    return objects.get_or_none(f"{ingest_root(job)}/{_STORED}") is not None


def write_ingest_request(objects: Objects, request: IngestRequest) -> None:
    """Put the request where the step finds it; the same request again is a no-op."""
    objects.put(ingest_request_name(request.job), dump(StagedIngest(request), REQUEST_FORMAT))


def ingest_request_name(job: str) -> str:
    """Where the request of an ingest lies in the objects."""
    return f"{ingest_root(job)}/request.json"


def ingest_root(job: str) -> str:
    """Where everything of an ingest lies."""
    return f"ingest/{job}"
