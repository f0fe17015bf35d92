"""The paths of a Pushgateway: what a batch job pushes there becomes points of a source.

A Pushgateway keeps the last value until Prometheus has fetched it; here each push is a point of
its own. So PUT and POST do the same, and DELETE, which ends what a Pushgateway shows, removes no
history.
"""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from service.api.access import Asking
from service.api.body import StrictRoute
from service.api.errors import MediaTypeError, QueryError
from service.api.exposition import points_from_text
from service.api.idempotency import IdempotencyKey, request_key
from service.api.ingest_source import check_ingest_source
from service.api.ingests import IngestOut
from service.api.payload import Payload, Spooled, small, spooled
from service.api.problems import Problem
from service.api.resources import Opened
from service.api.take import answer, store_now, take
from service.api.times import query_ms, rfc3339
from service.settings import MIB

router = APIRouter(prefix="/v1/sources", tags=["sources"], route_class=StrictRoute)

# No label of a Prometheus begins so: its value is the time of the samples that have none.
TIME = "__time__"
_PATH = "/{source}/metrics/job/{grouping:path}"
_BASE64 = "@base64"
# curl's --data-binary says that it sends a form.
_TEXTS = ("", "text/plain", "application/x-www-form-urlencoded")
_BODY = {
    "required": True,
    "description": "Prometheus' text format; gzip as Content-Encoding is taken.",
    "content": {
        "text/plain": {"schema": {"type": "string"}, "example": 'rows{table="users"} 1204\n'}
    },
}
_ANSWERS = {
    202: {"model": IngestOut, "description": "Accepted: watch the ingest."},
    422: {"model": Problem, "description": "Lines at fault; nothing was stored."},
}


@router.put(
    _PATH,
    operation_id="putPush",
    response_model=IngestOut,
    responses=_ANSWERS,  # type: ignore[arg-type]
    openapi_extra={"requestBody": _BODY},
)
@router.post(
    _PATH,
    operation_id="postPush",
    response_model=IngestOut,
    responses=_ANSWERS,  # type: ignore[arg-type]
    openapi_extra={"requestBody": _BODY},
)
async def push(
    opened: Opened,
    caller: Asking,
    request: Request,
    source: str,
    grouping: str,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Store samples, as a Pushgateway takes them, at the time of the push.

    `grouping` is `JOB/LABEL/VALUE/...`. The label `__time__` is the samples' time instead.
    """
    await run_in_threadpool(check_ingest_source, opened, caller, source)
    labels = _labels(request)
    time_ms = query_ms(TIME, labels.pop(TIME, None))
    time = rfc3339(opened.clock.now_ms() if time_ms is None else time_ms)
    _check_type(request)
    settings = opened.settings
    folder, limit = settings.scratch_folder, settings.max_body_mb * MIB
    async with spooled(request, folder, limit) as body:
        payload = await run_in_threadpool(_payload, body, labels, time)
        route = f"push:{source}/{grouping}"
        key = request_key(idempotency_key, caller, route, body.sha256)
        taken = await run_in_threadpool(take, opened, caller, source, payload, key)
        if not taken.replayed and await run_in_threadpool(small, payload, settings.inline_points):
            taken = await run_in_threadpool(store_now, opened, taken)
    return answer(taken)


@router.delete(_PATH, operation_id="deletePush", status_code=202, response_class=Response)
async def end_push(opened: Opened, caller: Asking, source: str, grouping: str) -> Response:
    """Do nothing: as where a Prometheus has fetched them, points that were pushed stay."""
    await run_in_threadpool(check_ingest_source, opened, caller, source)
    return Response(status_code=202)


def _payload(body: Spooled, labels: Mapping[str, str], time: str) -> Payload:
    points = body.path.with_name("points")
    points_from_text(body.path, body.zipped, points, labels, time)
    return Payload(points, False, body.sha256, points.stat().st_size, "ndjson")


def _check_type(request: Request) -> None:
    given = request.headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() not in _TEXTS:
        raise MediaTypeError(
            f"Content-Type {given}: allowed is text/plain, Prometheus' text format"
        )


def _labels(request: Request) -> dict[str, str]:
    """Labels of the path as it was sent: a value may hold an escaped slash."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    after = raw.decode("ascii", "replace").partition("?")[0].partition("/metrics/")[2]
    parts = after.rstrip("/").split("/")
    if len(parts) % 2:
        raise QueryError("grouping", f"{after!r}: after the job come pairs of LABEL/VALUE")
    labels: dict[str, str] = {}
    for name, value in zip(parts[::2], parts[1::2], strict=True):
        plain = unquote(name)
        bare = plain.removesuffix(_BASE64)
        if bare in labels:
            raise QueryError("grouping", f"the label {bare} is there twice")
        labels[bare] = _decoded(bare, value) if plain != bare else unquote(value)
    return labels


def _decoded(name: str, value: str) -> str:
    letters = unquote(value).rstrip("=")
    try:
        data = base64.b64decode(letters + "=" * (-len(letters) % 4), b"-_", validate=True)
        return data.decode()
    except (binascii.Error, ValueError):
        raise QueryError("grouping", f"{name}{_BASE64}: {value!r} is not base64url") from None
