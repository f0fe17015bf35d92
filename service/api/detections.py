"""Detections: ask for one, watch it, cancel it, run it again."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from service.accept import accept_detection, rerun_detection, resolve_request
from service.api.access import Asking, check, check_source, source_or_404, visible
from service.api.body import StrictRoute
from service.api.cursor import decode, encode
from service.api.detection_body import DetectionBody, asked
from service.api.detection_out import (
    DetectionOut,
    DryRunOut,
    SeriesOut,
    StepFailureOut,
    shown,
    shown_series,
)
from service.api.idempotency import REPLAYED, IdempotencyKey, hash_of, request_key
from service.api.page import Cursor, Limit, PageOut
from service.api.resources import Opened, Resources
from service.api.source_body import spec_of
from service.api.waiting import Wait, until_over
from service.auth.caller import Caller, Verb
from service.cancel import cancel_run
from service.database.ingests import sources_of
from service.database.runs import Run, RunFilter, get_run, list_runs
from service.database.sources import get_source
from service.dry_run import estimate
from service.errors import RequestError, UnknownError
from workflows.series_outcomes import read_series_outcomes
from workflows.status import run_failures

router = APIRouter(prefix="/v1/detections", tags=["detections"], route_class=StrictRoute)

_MOST_FAILURES = 200
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

State = Literal["queued", "running", "publishing", "succeeded", "partial", "failed", "cancelled"]


@router.post(
    "",
    operation_id="createDetection",
    status_code=202,
    responses={200: {"model": DryRunOut, "description": "What a dry run found."}},
)
def create_detection(
    opened: Opened,
    caller: Asking,
    request: Request,
    response: Response,
    body: DetectionBody,
    dry_run: Annotated[bool, Query(description="Stop after the plan: nothing is run.")] = False,
    idempotency_key: IdempotencyKey = None,
) -> DetectionOut | DryRunOut:
    """Accept a detection; what needs the source itself is checked when it is planned."""
    now_ms = opened.clock.now_ms()
    with opened.database.read() as tx:
        source = source_or_404(tx, caller, "detect", body.source)
        wanted = asked(body, request.state.body, spec_of(source))
        wanted = replace(wanted, traceparent=_trace(request))
        _check_after(tx, caller, wanted.after)
        if dry_run:
            resolved = resolve_request(tx, wanted, now_ms, opened.limits)
    if dry_run:
        response.status_code = 200
        return DryRunOut.of(resolved, estimate(opened.stores, resolved, opened.settings.steps))
    key = request_key(idempotency_key, caller, "detections", hash_of(request.state.body))
    accepted = accept_detection(opened.database, wanted, caller.name, now_ms, opened.limits, key)
    return _accepted(opened, response, accepted.run, accepted.replayed)


@router.get("", operation_id="listDetections")
def list_detections(
    opened: Opened,
    caller: Asking,
    source: str | None = None,
    rule: str | None = None,
    state: Annotated[list[State] | None, Query(description="Any of them.")] = None,
    detector: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[DetectionOut]:
    """Newest first."""
    before = decode(cursor, int)
    with opened.database.read() as tx:
        names = visible(tx, caller, "read")
        if source is not None:
            check_source(caller, "read", source)
        which = RunFilter(names, source, rule, tuple(state or ()), detector)
        found = list_runs(tx, which, limit, before[0] if before else None)
        items = [shown(tx, run, opened.settings) for run in found]
    last = found[-1] if len(found) == limit else None
    return PageOut(items=items, cursor=encode(last.generation) if last else None)


@router.get("/{detection}", operation_id="getDetection")
async def get_detection(
    opened: Opened,
    caller: Asking,
    request: Request,
    detection: str,
    wait: Wait = None,
) -> DetectionOut:
    """One run: its state, progress and counts."""

    def look() -> tuple[bool, DetectionOut]:
        run, answer = _look(opened, caller, detection)
        return run.ended, answer

    return await until_over(opened, request, wait, look)


@router.get("/{detection}/series", operation_id="listDetectionSeries")
def list_series(
    opened: Opened, caller: Asking, detection: str, cursor: Cursor = None, limit: Limit = 100
) -> PageOut[SeriesOut]:
    """What became of each series; empty before there is a plan, or after a week."""
    offset = (decode(cursor, int) or (0,))[0]
    with opened.database.read() as tx:
        _found(tx, caller, "read", detection)
    page = read_series_outcomes(opened.stores.objects, detection, max(0, offset), limit)
    return PageOut(
        items=[shown_series(one) for one in page.items],
        cursor=None if page.next is None else encode(page.next),
    )


@router.get("/{detection}/failures", operation_id="listDetectionFailures")
def list_failures(opened: Opened, caller: Asking, detection: str) -> PageOut[StepFailureOut]:
    """Tries of steps that failed, oldest first, with their last lines; kept for a week."""
    with opened.database.read() as tx:
        _found(tx, caller, "read", detection)
    found = run_failures(opened.stores.objects, detection)[-_MOST_FAILURES:]
    return PageOut(items=[StepFailureOut.of(one) for one in found], cursor=None)


@router.post("/{detection}/cancel", operation_id="cancelDetection", status_code=202)
def cancel(opened: Opened, caller: Asking, detection: str) -> DetectionOut:
    """End a run; 409 once it has published, else the index stays untouched."""
    now_ms = opened.clock.now_ms()
    with opened.database.read() as tx:
        _found(tx, caller, "detect", detection)
    cancel_run(opened.database, opened.stores.objects, detection, caller.name, now_ms)
    return _look(opened, caller, detection, "detect")[1]


@router.post("/{detection}/rerun", operation_id="rerunDetection", status_code=202)
def rerun(
    opened: Opened,
    caller: Asking,
    response: Response,
    detection: str,
    idempotency_key: IdempotencyKey = None,
) -> DetectionOut:
    """A new run with the same absolute range."""
    now_ms = opened.clock.now_ms()
    with opened.database.read() as tx:
        old = _found(tx, caller, "detect", detection)
        source = get_source(tx, old.source)
    if source is None:
        raise UnknownError(f"source {old.source} does not exist any more")
    key = request_key(idempotency_key, caller, "detections.rerun", hash_of(detection))
    accepted = rerun_detection(
        opened.database,
        old.id,
        spec_of(source),
        caller.name,
        now_ms,
        opened.limits,
        key,
    )
    return _accepted(opened, response, accepted.run, accepted.replayed)


def _trace(request: Request) -> str:
    """Where the caller's trace goes on; what is not one is nobody's concern."""
    given = request.headers.get("traceparent", "")
    return given if _TRACEPARENT.fullmatch(given) else ""


def _check_after(tx: Connection, caller: Caller, after: Sequence[str]) -> None:
    """An ingest of a source that the caller may not see answers as one that is not there."""
    sources = sources_of(tx, after)
    for number, ingest in enumerate(after):
        if ingest not in sources or not caller.sees(sources[ingest]):
            raise RequestError(f"after: there is no ingest {ingest}", f"/after/{number}")


def _accepted(opened: Resources, response: Response, run: Run, replayed: bool) -> DetectionOut:
    response.headers["Location"] = f"/v1/detections/{run.id}"
    if replayed:
        response.headers[REPLAYED] = "true"
    with opened.database.read() as tx:
        return shown(tx, get_run(tx, run.id) or run, opened.settings)


def _look(
    opened: Resources, caller: Caller, id_: str, verb: Verb = "read"
) -> tuple[Run, DetectionOut]:
    with opened.database.read() as tx:
        run = _found(tx, caller, verb, id_)
        return run, shown(tx, run, opened.settings)


def _found(tx: Connection, caller: Caller, verb: Verb, id_: str) -> Run:
    run = get_run(tx, id_)
    if run is None:
        raise UnknownError(f"detection {id_} does not exist, or you may not see it")
    check(caller, verb, run.source, f"detection {id_}")
    return run
