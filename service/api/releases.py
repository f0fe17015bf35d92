"""Events of a source: releases, which charts show, messages name, and baselines may begin with."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from service.api.access import Asking, check_source, source_or_404
from service.api.body import Body, StrictRoute
from service.api.detection_body import Glob, Name, check_printable
from service.api.errors import QueryError
from service.api.label_query import MOST_NAMES, Condition, body_conditions
from service.api.page import PageOut
from service.api.resources import Opened
from service.api.source_body import Link, as_list
from service.api.times import body_ms, query_ms, rfc3339
from service.database.audit import record_change
from service.database.releases import StoredRelease, delete_release, put_release, releases_of
from service.errors import RequestError, UnknownError
from workflows.points_rows import FIRST_MS, LAST_MS

router = APIRouter(prefix="/v1/sources", tags=["sources"], route_class=StrictRoute)

EventName = Annotated[Name, AfterValidator(check_printable)]
_MOST = 1000


class EventBody(Body):
    """A release of what the source measures."""

    kind: Literal["release"] = "release"
    name: EventName = Field(description="Unique in the source; sent again, it is replaced.")
    time: str = Field(
        description="The first instant of the new state: RFC 3339 with an offset, or a local date."
    )
    baseline: Literal["kept", "restarted"] = Field(
        default="kept",
        description="restarted: what was before judges no point from this time on.",
    )
    metrics: Annotated[list[Glob], BeforeValidator(as_list)] = Field(
        default_factory=lambda: ["*"], min_length=1, max_length=1000, description="Names or globs."
    )
    labels: dict[str, Condition] = Field(
        default_factory=dict,
        max_length=MOST_NAMES,
        description="Which series it concerns, as in a detection; a label that a series does not "
        "have says nothing.",
    )
    link: Link | None = None


class EventOut(BaseModel):
    """A recorded event."""

    source: str
    kind: Literal["release"]
    name: str
    time: str
    baseline: Literal["kept", "restarted"]
    metrics: list[str]
    labels: dict[str, list[str] | None]
    link: str | None
    created_at: str
    caller: str


def shown(release: StoredRelease) -> EventOut:
    """As the API shows it."""
    body = dict(release.body)
    return EventOut(
        source=release.source,
        kind="release",
        name=release.name,
        time=rfc3339(release.time_ms),
        baseline=body.get("baseline", "kept"),
        metrics=list(body.get("metrics", ["*"])),
        labels=body.get("labels", {}),
        link=body.get("link"),
        created_at=rfc3339(release.created_ms),
        caller=release.caller,
    )


@router.post(
    "/{source}/events",
    operation_id="postEvent",
    responses={201: {"model": EventOut, "description": "Recorded for the first time."}},
)
def post(
    opened: Opened, caller: Asking, response: Response, source: str, body: EventBody
) -> EventOut:
    """Record a release; runs that are accepted from now on know it."""
    check_source(caller, "ingest", source)
    body_conditions(body.labels)
    now_ms = opened.clock.now_ms()
    with opened.database.write() as tx:
        timezone = source_or_404(tx, caller, "ingest", source).timezone
        content: dict[str, Any] = body.model_dump(mode="json", exclude={"name", "time", "kind"})
        release = StoredRelease(
            source, body.name, _time_ms(body.time, timezone), content, now_ms, caller.name
        )
        created = put_release(tx, release)
        record_change(tx, now_ms, caller.name, "event.put", source, {"name": body.name, **content})
    response.status_code = 201 if created else 200
    return shown(release)


@router.get("/{source}/events", operation_id="listEvents")
def get_list(
    opened: Opened,
    caller: Asking,
    source: str,
    start: Annotated[str | None, Query(description="RFC 3339, or a local date.")] = None,
    end: Annotated[str | None, Query(description="Exclusive.")] = None,
) -> PageOut[EventOut]:
    """What was recorded, oldest first; of very many the newest thousand."""
    with opened.database.read() as tx:
        timezone = source_or_404(tx, caller, "read", source).timezone
        start_ms, end_ms = query_ms("start", start, timezone), query_ms("end", end, timezone)
        if start_ms is not None and end_ms is not None and start_ms >= end_ms:
            raise QueryError("start", "must be before end")
        found = releases_of(tx, source, end_ms or LAST_MS, _MOST, start_ms)
    return PageOut(items=[shown(one) for one in found], cursor=None)


@router.delete("/{source}/events/{name:path}", operation_id="deleteEvent", status_code=204)
def delete(opened: Opened, caller: Asking, source: str, name: str) -> None:
    """Forget a release; runs that were accepted before keep knowing it."""
    check_source(caller, "ingest", source)
    now_ms = opened.clock.now_ms()
    with opened.database.write() as tx:
        source_or_404(tx, caller, "ingest", source)
        if not delete_release(tx, source, name):
            raise UnknownError(f"source {source} has no event {name}")
        record_change(tx, now_ms, caller.name, "event.delete", source, {"name": name})


def _time_ms(text: str, timezone: str) -> int:
    found = body_ms("/time", text, timezone)
    if not FIRST_MS <= found < LAST_MS:
        raise RequestError("time: allowed are the years 1900 to 2199", "/time")
    return found
