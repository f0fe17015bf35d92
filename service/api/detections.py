"""Detections: ask for one, watch it, cancel it, run it again."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from service.accept import Accepted, AskedDetection, accept_detection, resolve_request
from service.api.access import Asking, caller_of, check, check_source, source_or_404, visible
from service.api.body import StrictRoute
from service.api.cursor import decode, encode
from service.api.detection_body import DetectionBody, asked
from service.api.detection_out import (
    DetectionOut,
    DryRunOut,
    SeriesOut,
    StepFailureOut,
    shown,
    shown_new,
    shown_series,
)
from service.api.idempotency import REPLAYED, IdempotencyKey, hash_of, request_key
from service.api.page import Cursor, Limit, PageOut
from service.api.replay import replayed_run
from service.api.resources import Opened, Resources, resources_of
from service.api.source_body import spec_of
from service.api.waiting import Patience, patience_of, until_over
from service.auth.caller import Caller, Verb
from service.cancel import cancel_run
from service.database.idempotency import RequestKey
from service.database.ingests import sources_of
from service.database.runs import Run, RunFilter, ended_runs, get_run, list_runs
from service.database.sources import get_source
from service.dry_run import estimate
from service.errors import ConflictError, RequestError, UnknownError
from service.rerun import AskedAgain, rerun_detection
from workflows import tracing
from workflows.series_outcomes import read_series_outcomes
from workflows.status import run_failures

_MOST_FAILURES = 200
_ASK_AGAIN_SECONDS = "2"
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

State = Literal["queued", "running", "publishing", "succeeded", "partial", "failed", "cancelled"]


class _DetectionRoute(StrictRoute):
    """A route that answers a replay whatever this version thinks of its body."""

    async def answer_early(self, request: Request) -> Response | None:
        key = request.headers.get("idempotency-key")
        if self.operation_id != "createDetection" or not key or "dry_run" in request.query_params:
            return None
        opened, caller = resources_of(request), caller_of(request)
        asked_key = _key_of(key, caller, request.state.body)
        run = await run_in_threadpool(replayed_run, opened, caller, asked_key)
        if run is None:
            return None
        patience = await patience_of(request.query_params.get("wait"))
        response = Response()
        shown_run = await _accepted(opened, request, response, Accepted(run, True), patience)
        headers = dict(response.headers)
        headers.pop("content-length", None)  # of the empty answer
        return JSONResponse(shown_run.model_dump(), response.status_code, headers)


router = APIRouter(prefix="/v1/detections", tags=["detections"], route_class=_DetectionRoute)


@router.post(
    "",
    operation_id="createDetection",
    status_code=202,
    responses={
        200: {
            "model": DetectionOut | DryRunOut,
            "description": "With `wait`: it is over. Of a dry run: what it found.",
        }
    },
)
async def create_detection(
    opened: Opened,
    caller: Asking,
    request: Request,
    response: Response,
    body: DetectionBody,
    patience: Patience,
    dry_run: Annotated[bool, Query(description="Stop after the plan: nothing is run.")] = False,
    idempotency_key: IdempotencyKey = None,
) -> DetectionOut | DryRunOut:
    """Accept a detection; what needs the source itself is checked when it is planned.

    With `wait` the answer is 200 once the run is over, whatever came of it, and 202 else.
    """
    sent = request.state.body
    if dry_run:
        response.status_code = 200
        return await run_in_threadpool(_try, opened, caller, body, sent)
    key = _key_of(idempotency_key, caller, sent)
    accepted = await run_in_threadpool(_accept, opened, caller, body, sent, _trace(request), key)
    return await _accepted(opened, request, response, accepted, patience)


def _key_of(key: str | None, caller: Caller, sent: Any) -> RequestKey | None:
    return request_key(key, caller, "detections", hash_of(sent))


def _try(opened: Resources, caller: Caller, body: DetectionBody, sent: Any) -> DryRunOut:
    with opened.database.read() as tx:
        wanted = _wanted(tx, caller, body, sent, "")
        resolved = resolve_request(tx, wanted, opened.clock.now_ms(), opened.limits)
    return DryRunOut.of(resolved, estimate(opened.stores, resolved, opened.settings.steps))


def _accept(
    opened: Resources,
    caller: Caller,
    body: DetectionBody,
    sent: Any,
    trace: str,
    key: RequestKey | None,
) -> Accepted:
    with opened.database.read() as tx:
        wanted = _wanted(tx, caller, body, sent, trace)
    now_ms = opened.clock.now_ms()
    return accept_detection(opened.database, wanted, caller.name, now_ms, opened.limits, key)


def _wanted(
    tx: Connection, caller: Caller, body: DetectionBody, sent: Any, trace: str
) -> AskedDetection:
    source = source_or_404(tx, caller, "detect", body.source)
    _check_after(tx, caller, body.after)
    return replace(asked(body, sent, spec_of(source)), traceparent=trace)


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
    response: Response,
    detection: str,
    patience: Patience,
) -> DetectionOut:
    """One run: its state, progress and counts; with `wait`, once it is over."""

    def look() -> tuple[bool, DetectionOut]:
        run, answer = _look(opened, caller, detection)
        return run.ended, answer

    return await _watched(opened, request, response, detection, patience, look)


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


@router.post(
    "/{detection}/rerun",
    operation_id="rerunDetection",
    status_code=202,
    responses={200: {"model": DetectionOut, "description": "With `wait`: it is over."}},
)
async def rerun(
    opened: Opened,
    caller: Asking,
    request: Request,
    response: Response,
    detection: str,
    patience: Patience,
    idempotency_key: IdempotencyKey = None,
) -> DetectionOut:
    """The same request once more: the same absolute range, the source as it is now."""
    key = request_key(idempotency_key, caller, "detections.rerun", hash_of(detection))
    trace = _trace(request)
    accepted = await run_in_threadpool(_rerun, opened, caller, detection, trace, key)
    return await _accepted(opened, request, response, accepted, patience)


def _rerun(
    opened: Resources, caller: Caller, detection: str, trace: str, key: RequestKey | None
) -> Accepted:
    if (earlier := replayed_run(opened, caller, key)) is not None:
        return Accepted(earlier, replayed=True)
    now_ms = opened.clock.now_ms()
    with opened.database.read() as tx:
        old = _found(tx, caller, "detect", detection)
        source = get_source(tx, old.source)
    if source is None:
        raise ConflictError(f"source {old.source} was deleted: its runs cannot be run again")
    again = AskedAgain(old.id, spec_of(source), trace)
    return rerun_detection(opened.database, again, caller.name, now_ms, opened.limits, key)


def _trace(request: Request) -> str:
    """Where the caller's trace goes on; what is not one is nobody's concern."""
    if around := tracing.here():  # the caller's trace, when it has one, with our span in it
        return around
    given = request.headers.get("traceparent", "")
    return given if _TRACEPARENT.fullmatch(given) else ""


def _check_after(tx: Connection, caller: Caller, after: Sequence[str]) -> None:
    """An ingest of a source that the caller may not see answers as one that is not there."""
    sources = sources_of(tx, after)
    for number, ingest in enumerate(after):
        if ingest not in sources or not caller.sees(sources[ingest]):
            raise RequestError(f"after: there is no ingest {ingest}", f"/after/{number}")


async def _accepted(
    opened: Resources, request: Request, response: Response, accepted: Accepted, patience: float
) -> DetectionOut:
    run = accepted.run
    response.headers["Location"] = f"/v1/detections/{run.id}"
    if accepted.replayed:
        response.headers[REPLAYED] = "true"

    if accepted.ahead is not None and patience <= 0:
        response.headers["Retry-After"] = _ASK_AGAIN_SECONDS
        return shown_new(run, accepted.ahead, opened.settings)

    def look() -> tuple[bool, DetectionOut]:
        with opened.database.read() as tx:
            now = get_run(tx, run.id) or run
            return now.ended, shown(tx, now, opened.settings)

    answer = await _watched(opened, request, response, run.id, patience, look)
    waited = patience > 0 and "Retry-After" not in response.headers
    response.status_code = 200 if waited else 202
    return answer


async def _watched(
    opened: Resources,
    request: Request,
    response: Response,
    id_: str,
    patience: float,
    look: Callable[[], tuple[bool, DetectionOut]],
) -> DetectionOut:
    over, answer = await until_over(opened.watch, request, patience, ended_runs, id_, look)
    if not over:
        response.headers["Retry-After"] = _ASK_AGAIN_SECONDS
    return answer


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
