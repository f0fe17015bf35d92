"""Uploads: a large payload goes from the caller straight into the bucket, then is named.

The id of an upload becomes the id of its ingest: who names it twice gets the same ingest. What is
named is copied first, so whoever still holds the signed request cannot change it any more.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, JsonValue
from pydantic_core import from_json
from starlette.concurrency import run_in_threadpool

from service.accept_ingest import (
    AcceptedIngest,
    StagedPayload,
    accept_ingest,
    new_payload,
    text_bytes,
)
from service.api.access import Asking
from service.api.body import Body, StrictRoute
from service.api.errors import MediaTypeError
from service.api.ingest_source import check_ingest_source, make_ingest_source
from service.api.payload import FORMATS, Payload
from service.api.resources import Opened, Resources
from service.api.times import rfc3339
from service.auth.caller import Caller
from service.database.idempotency import RequestKey
from service.database.ingests import get_ingest
from service.errors import ConflictError, RequestError, TooLargeError, UnknownError
from service.identifier import made_ms
from service.settings import MIB
from storage.errors import NotFoundError
from storage.objects import UploadableObjects
from workflows.codec import dump, load
from workflows.request import PointsFormat

router = APIRouter(prefix="/v1/sources", tags=["sources"], route_class=StrictRoute)

LIFE = timedelta(hours=1)
_FORMAT = 1
# A body that names an upload is short; anything longer holds points.
_MOST_BYTES = 1024


class UploadBody(Body):
    """What will be uploaded."""

    content_type: str = Field(
        description=f"One of {', '.join(FORMATS)}.", examples=["application/vnd.apache.parquet"]
    )
    content_encoding: Literal["gzip", "identity"] = Field(
        default="identity", description="gzip when the file is packed."
    )


class UploadOut(BaseModel):
    """The request that uploads, and the id to name then."""

    id: str = Field(description='POST {"upload": id} to the source\'s points when it is done.')
    url: str = Field(description="Where to send the file. It is a secret until it expires.")
    method: str
    headers: dict[str, str] = Field(description="To be sent with it.")
    expires_at: str
    max_bytes: int


@dataclass(frozen=True)
class _Offer:
    """What an upload was offered for."""

    source: str
    points: PointsFormat
    gzip: bool


def _objects(opened: Resources) -> UploadableObjects:
    objects = opened.stores.objects
    if not isinstance(objects, UploadableObjects):
        raise ConflictError(
            "this service keeps its objects in a folder, to which nobody can upload: "
            "post the points themselves (they are taken as they come, however many)"
        )
    return objects


@router.post("/{source}/uploads", operation_id="postUpload", status_code=201)
async def post_upload(opened: Opened, caller: Asking, source: str, body: UploadBody) -> UploadOut:
    """A signed request with which a large file of points is uploaded past the service."""
    return await run_in_threadpool(_offer, opened, caller, source, body)


def _offer(opened: Resources, caller: Caller, source: str, body: UploadBody) -> UploadOut:
    check_ingest_source(opened, caller, source)
    objects = _objects(opened)
    format_ = FORMATS.get(body.content_type)
    if format_ is None:
        raise MediaTypeError(f"content_type {body.content_type}: allowed are {', '.join(FORMATS)}")
    now_ms = opened.clock.now_ms()
    place = new_payload(now_ms, format_, body.content_encoding == "gzip")
    signed = objects.sign_put(_name(place.ingest), LIFE)
    offer = _Offer(source, format_, place.gzip)
    opened.stores.objects.put(_offer_name(place.ingest), dump(offer, _FORMAT))
    return UploadOut(
        id=place.ingest,
        url=signed.url,
        method=signed.method,
        headers=dict(signed.headers),
        expires_at=rfc3339(now_ms + int(LIFE.total_seconds() * 1000)),
        max_bytes=opened.settings.max_upload_mb * MIB,
    )


def _name(upload: str) -> str:
    return f"ingest/{upload}/upload"


def _offer_name(upload: str) -> str:
    return f"ingest/{upload}/upload.json"


def named_upload(payload: Payload) -> str | None:
    """The upload that a body of points names in their place."""
    if payload.format != "json" or payload.zipped or payload.plain_bytes > _MOST_BYTES:
        return None
    try:
        body: JsonValue = from_json(payload.path.read_bytes())
    except ValueError:
        return None  # whoever reads the points says what is wrong
    if not isinstance(body, dict) or "upload" not in body:
        return None
    if set(body) != {"upload"} or not isinstance(body["upload"], str):
        raise RequestError("the body has either points or the id of one upload", "/upload")
    return body["upload"]


def take_upload(opened: Resources, caller: Caller, source: str, upload: str) -> AcceptedIngest:
    """Make an upload the payload of the ingest with its id, once."""
    with opened.database.read() as tx:
        found = get_ingest(tx, upload)
    if found is not None and found.source == source:
        return AcceptedIngest(found, replayed=True)
    objects, limit = _objects(opened), opened.settings.max_upload_mb
    kept = opened.stores.objects.get_or_none(_offer_name(upload)) if made_ms(upload) else None
    offer = load(_Offer, kept, _FORMAT) if kept else None
    if offer is None or offer.source != source:
        raise UnknownError(f"upload {upload} of source {source} does not exist, or is a day old")
    try:
        size = objects.size(_name(upload))
    except NotFoundError:
        raise ConflictError(
            f"nothing was uploaded for {upload} yet: send the file to its url first"
        ) from None
    if size > limit * MIB:
        raise TooLargeError(
            f"the upload has {size} bytes, more than {limit} MiB: send it in several parts "
            "(LUPUS_MAX_UPLOAD_MB)"
        )
    text = text_bytes(offer.points, size, packed=offer.gzip)
    staged = StagedPayload(upload, f"ingest/{upload}/payload", offer.points, offer.gzip, text)
    objects.copy(_name(upload), staged.name)
    now_ms = opened.clock.now_ms()
    make_ingest_source(opened, caller, source, now_ms)
    # Twins that name it at once: the second finds what the first has made.
    key = RequestKey("", f"upload:{source}", upload, upload)
    launch_bytes = opened.settings.ingest_launch_mb * MIB
    return accept_ingest(opened.database, source, staged, caller.name, now_ms, key, launch_bytes)
