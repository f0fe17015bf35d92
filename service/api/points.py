"""POST points: the body goes to the objects, a few points are stored before the answer."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from service.accept_ingest import StagedPayload, accept_ingest, new_payload
from service.api.access import Asking
from service.api.body import StrictRoute
from service.api.idempotency import REPLAYED, IdempotencyKey, request_key
from service.api.ingest_source import check_ingest_source, make_ingest_source
from service.api.ingests import IngestOut, shown
from service.api.payload import FORMATS, Payload, small, spooled
from service.api.problems import FieldProblem, Problem, problem
from service.api.resources import Opened, Resources
from service.api.uploads import named_upload, take_upload
from service.auth.caller import Caller
from service.database.idempotency import RequestKey, find_replay
from service.database.ingests import Ingest, get_ingest
from service.ingest_now import ingest_now
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
    async with spooled(request, settings.scratch_folder, limit) as payload:
        upload = await run_in_threadpool(named_upload, payload)
        if upload is not None:
            taken = await run_in_threadpool(take_upload, opened, caller, source, upload)
            return _answer(taken.ingest, taken.replayed)
        key = request_key(idempotency_key, caller, f"points:{source}", payload.sha256)
        ingest, replayed = await run_in_threadpool(_take, opened, caller, source, payload, key)
        if not replayed and await run_in_threadpool(small, payload, settings.inline_points):
            ingest = await run_in_threadpool(_store_now, opened, ingest)
    return _answer(ingest, replayed)


def _take(
    opened: Resources, caller: Caller, source: str, payload: Payload, key: RequestKey | None
) -> tuple[Ingest, bool]:
    now_ms = opened.clock.now_ms()
    if key is not None:
        with opened.database.read() as tx:
            earlier = find_replay(tx, key, now_ms)
            found = get_ingest(tx, earlier) if earlier else None
        if found is not None:
            return found, True
    staged: StagedPayload = new_payload(now_ms, payload.format, payload.zipped)
    opened.stores.objects.put_file(staged.name, payload.path)
    make_ingest_source(opened, caller, source, now_ms)
    accepted = accept_ingest(opened.database, source, staged, caller.name, now_ms, key)
    return accepted.ingest, accepted.replayed


def _store_now(opened: Resources, ingest: Ingest) -> Ingest:
    return ingest_now(
        opened.database, opened.stores, opened.settings.steps, ingest.id, opened.clock
    )


def _answer(ingest: Ingest, replayed: bool) -> Response:
    headers = {"Location": f"/v1/ingests/{ingest.id}"}
    if replayed:
        headers[REPLAYED] = "true"
    if ingest.state == "failed":
        errors = [
            FieldProblem(pointer=_pointer(row["row"], row["column"]), detail=row["message"])
            for row in ingest.errors
        ]
        # A refusal names rows; without any it was a store that failed for good.
        status, slug = (422, "invalid-points") if errors else (502, "store")
        return problem(status, slug, ingest.error, errors, headers, ingest=ingest.id)
    status = 200 if ingest.state == "succeeded" else 202
    content = shown(ingest).model_dump_json()
    return Response(content, status, headers, media_type="application/json")


def _pointer(row: int, column: str) -> str:
    """Rows are counted from 1; row 0 is the body as a whole, column `point` a whole point."""
    place = f"/points/{row - 1}" if row else ""
    return f"{place}/{column}" if column not in ("", "point") else place or "/points"
