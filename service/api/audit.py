"""The audit log: who changed what, and when."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from service.api.access import Asking, check_everywhere
from service.api.body import StrictRoute
from service.api.cursor import decode, encode
from service.api.page import Cursor, Limit, PageOut
from service.api.resources import Opened
from service.api.times import query_ms, rfc3339
from service.database.audit import AuditEntry, AuditFilter, list_changes

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=StrictRoute)


class AuditOut(BaseModel):
    """One change."""

    id: int
    at: str
    caller: str = Field(description="As `GET /v1/me` names it; `cli:` a person, `service` itself.")
    action: str = Field(examples=["source.put", "run.cancel", "token.rotate"])
    object: str = Field(description="Name or id of what was changed.")
    detail: dict[str, Any] = Field(description="What is needed to understand it; no secrets.")
    request: str | None = Field(description="X-Request-ID of the request, as in the log.")


def shown(entry: AuditEntry) -> AuditOut:
    """An entry as the API shows it."""
    return AuditOut(
        id=entry.id,
        at=rfc3339(entry.at_ms),
        caller=entry.caller,
        action=entry.action,
        object=entry.object,
        detail=dict(entry.detail),
        request=entry.request,
    )


@router.get("", operation_id="listAudit")
def get_audit(
    opened: Opened,
    caller: Asking,
    by: Annotated[str | None, Query(alias="caller", description="Who made the change.")] = None,
    action: Annotated[
        str | None, Query(description="A whole action, or what is acted on: `token`.")
    ] = None,
    object_: Annotated[str | None, Query(alias="object", description="Name or id.")] = None,
    request_id: Annotated[str | None, Query(alias="request")] = None,
    since: Annotated[str | None, Query(description="First time, inclusive.")] = None,
    until: Annotated[str | None, Query(description="Last time, exclusive.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[AuditOut]:
    """Every change of the last three years (`LUPUS_RETENTION_AUDIT_DAYS`), newest first."""
    check_everywhere(caller, "manage")
    which = AuditFilter(
        caller=by,
        action=action,
        object=object_,
        request=request_id,
        since_ms=query_ms("since", since),
        until_ms=query_ms("until", until),
    )
    before = decode(cursor, int)
    with opened.database.read() as tx:
        found = list_changes(tx, limit, which, before[0] if before else None)
    last = encode(found[-1].id) if len(found) == limit else None
    return PageOut(items=[shown(entry) for entry in found], cursor=last)
