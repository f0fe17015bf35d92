"""Takes a payload of points: into the objects, accepted, and a few of them stored at once."""

from dataclasses import replace

from fastapi import Response

from service.accept_ingest import AcceptedIngest, accept_ingest, new_payload, text_bytes
from service.api.idempotency import REPLAYED
from service.api.ingest_source import make_ingest_source
from service.api.ingests import shown
from service.api.payload import Payload
from service.api.problems import FieldProblem, problem
from service.api.resources import Resources
from service.auth.caller import Caller
from service.database.idempotency import RequestKey, find_replay
from service.database.ingests import get_ingest
from service.ingest_now import ingest_now
from service.settings import MIB


def take(
    opened: Resources, caller: Caller, source: str, payload: Payload, key: RequestKey | None
) -> AcceptedIngest:
    """Stage a payload and accept its ingest, or find the one that the same key made before."""
    now_ms = opened.clock.now_ms()
    if key is not None:
        with opened.database.read() as tx:
            earlier = find_replay(tx, key, now_ms)
            found = get_ingest(tx, earlier) if earlier else None
        if found is not None:
            return AcceptedIngest(found, replayed=True)
    staged = replace(
        new_payload(now_ms, payload.format, payload.zipped),
        text_bytes=text_bytes(payload.format, payload.plain_bytes),
    )
    opened.stores.objects.put_file(staged.name, payload.path)
    make_ingest_source(opened, caller, source, now_ms)
    launch_bytes = opened.settings.ingest_launch_mb * MIB
    return accept_ingest(opened.database, source, staged, caller.name, now_ms, key, launch_bytes)


def store_now(opened: Resources, taken: AcceptedIngest) -> AcceptedIngest:
    """Carry out a small ingest while the caller waits."""
    ingest = ingest_now(
        opened.database, opened.stores, opened.settings.steps, taken.ingest.id, opened.clock
    )
    return AcceptedIngest(ingest, taken.replayed)


def answer(taken: AcceptedIngest) -> Response:
    """200 when it is stored and searchable, 202 when it will be, and what was wrong with it."""
    ingest = taken.ingest
    headers = {"Location": f"/v1/ingests/{ingest.id}"}
    if taken.replayed:
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
