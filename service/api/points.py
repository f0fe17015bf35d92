"""POST points: the body goes to the objects, a few points are stored before the answer."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from service.api.access import Asking
from service.api.body import StrictRoute
from service.api.idempotency import IdempotencyKey, request_key
from service.api.ingest_source import check_ingest_source
from service.api.ingests import IngestOut
from service.api.payload import FORMATS, points_spooled, small
from service.api.problems import Problem
from service.api.resources import Opened
from service.api.take import answer, store_now, take
from service.api.uploads import named_upload, take_upload
from service.settings import MIB

router = APIRouter(prefix="/v1/sources", tags=["sources"], route_class=StrictRoute)

_POINT = {
    "type": "object",
    "required": ["metric", "time", "value"],
    "additionalProperties": False,
    "properties": {
        "metric": {"type": "string", "minLength": 1, "maxLength": 200},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "time": {"type": "string", "description": "RFC 3339 with an offset, or a local date."},
        "value": {"type": ["number", "null"], "description": "null removes the point."},
    },
}
_TABLE = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "required": True,
    "description": "gzip as Content-Encoding is taken for all of them.",
    "content": dict.fromkeys(FORMATS, _TABLE)
    | {
        "application/json": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "points": {"type": "array", "items": _POINT},
                    "upload": {
                        "type": "string",
                        "description": "Instead of points: the id of an upload that is there.",
                    },
                },
                "oneOf": [{"required": ["points"]}, {"required": ["upload"]}],
            },
            "example": {
                "points": [
                    {
                        "metric": "ndcg@10",
                        "labels": {"region": "jp"},
                        "time": "2026-11-08T00:00:00+09:00",
                        "value": 0.412,
                    }
                ]
            },
        }
    },
}


@router.post(
    "/{source}/points",
    operation_id="postPoints",
    response_model=IngestOut,
    responses={
        202: {"model": IngestOut, "description": "Accepted: watch the ingest."},
        422: {"model": Problem, "description": "Rows at fault; nothing was stored."},
    },
    openapi_extra={"requestBody": _BODY},
)
async def post_points(
    opened: Opened,
    caller: Asking,
    request: Request,
    source: str,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Store points: 200 when they are stored and searchable, 202 when there are many."""
    await run_in_threadpool(check_ingest_source, opened, caller, source)
    settings = opened.settings
    limit = settings.max_body_mb * MIB
    async with points_spooled(request, settings.scratch_folder, limit) as payload:
        upload = await run_in_threadpool(named_upload, payload)
        if upload is not None:
            taken = await run_in_threadpool(take_upload, opened, caller, source, upload)
            return answer(taken)
        key = request_key(idempotency_key, caller, f"points:{source}", payload.sha256)
        taken = await run_in_threadpool(take, opened, caller, source, payload, key)
        if not taken.replayed and await run_in_threadpool(small, payload, settings.inline_points):
            taken = await run_in_threadpool(store_now, opened, taken)
    return answer(taken)
