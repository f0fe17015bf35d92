"""Ingests: what became of a payload of points."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from service.api.access import Asking, check
from service.api.body import StrictRoute
from service.api.detection_out import StepFailureOut
from service.api.page import PageOut
from service.api.resources import Opened
from service.api.times import rfc3339, rfc3339_or_none
from service.api.waiting import Patience, until_over
from service.auth.caller import Caller
from service.database.ingests import Ingest, ended_ingests, get_ingest
from service.errors import UnknownError
from workflows.failure import read_failures
from workflows.ingest_job import ingest_root

router = APIRouter(prefix="/v1/ingests", tags=["ingests"], route_class=StrictRoute)


_MOST_FAILURES = 200


class IngestOut(BaseModel):
    """One ingest; ``succeeded`` means stored and searchable."""

    id: str
    source: str
    state: str = Field(description="queued, running, stored, succeeded or failed.")
    points: int | None = Field(description="Points stored, once that is known.")
    errors: list[dict[str, Any]] = Field(description="The first rows at fault.")
    error: str
    sequence: int = Field(description="Version of its points: the highest wins.")
    accepted_at: str
    ended_at: str | None


def shown(ingest: Ingest) -> IngestOut:
    """An ingest as the API shows it."""
    return IngestOut(
        id=ingest.id,
        source=ingest.source,
        state=ingest.state,
        points=ingest.points,
        errors=[dict(error) for error in ingest.errors],
        error=ingest.error,
        sequence=ingest.sequence,
        accepted_at=rfc3339(ingest.accepted_ms),
        ended_at=rfc3339_or_none(ingest.ended_ms),
    )


@router.get("/{ingest}/failures", operation_id="listIngestFailures")
def list_failures(opened: Opened, caller: Asking, ingest: str) -> PageOut[StepFailureOut]:
    """Tries of a large ingest that failed, oldest first, with their last lines; for a week."""
    with opened.database.read() as tx:
        _found(tx, caller, ingest)
    found = read_failures(opened.stores.objects, ingest_root(ingest))[-_MOST_FAILURES:]
    return PageOut(items=[StepFailureOut.of(one) for one in found], cursor=None)


@router.get("/{ingest}", operation_id="getIngest")
async def read_ingest(
    opened: Opened, caller: Asking, request: Request, ingest: str, patience: Patience
) -> IngestOut:
    """One ingest; with `wait`, once it is over."""

    def look() -> tuple[bool, IngestOut]:
        with opened.database.read() as tx:
            found = _found(tx, caller, ingest)
        return found.ended, shown(found)

    seen = await until_over(opened.watch, request, patience, ended_ingests, ingest, look)
    return seen[1]


def _found(tx: Connection, caller: Caller, ingest: str) -> Ingest:
    found = get_ingest(tx, ingest)
    if found is None:
        raise UnknownError(f"ingest {ingest} does not exist, or you may not see it")
    check(caller, "read", found.source, f"ingest {ingest}")
    return found
