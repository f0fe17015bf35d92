"""Channels: where notifications go. Secrets are shown once, when they are made."""

import json
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from service.api.access import Asking, check_everywhere, visible
from service.api.body import Body, StrictRoute
from service.api.detection_body import Event
from service.api.page import PageOut
from service.api.resources import Opened
from service.api.times import rfc3339
from service.database.audit import record_change
from service.database.channels import Channel, delete_channel, get_channel, list_channels
from service.egress.transport import open_client
from service.errors import EgressError, RequestError, UnknownError
from service.identifier import new_id
from service.notifications.channels import WebhookChannel, save_webhook, signing_secrets
from service.notifications.webhook import post

router = APIRouter(prefix="/v1/channels", tags=["channels"], route_class=StrictRoute)

_NAME = r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$"
ChannelName = Annotated[str, Path(pattern=_NAME, description="1 to 63 of a-z 0-9 . _ -")]
_EVERY_EVENT: list[Event] = [
    "started",
    "anomaly",
    "withdrawn",
    "no_data",
    "succeeded",
    "partial",
    "failed",
]


class ChannelBody(Body):
    """A webhook that gets Standard Webhooks messages."""

    kind: Literal["webhook"]
    url: Annotated[str, Field(max_length=2000)]
    events: list[Event] = Field(
        default_factory=lambda: list(_EVERY_EVENT),
        min_length=1,
        description="What it wants; a detection's `notify.on` must name it too. Default: all.",
    )
    secret: str | None = Field(
        default=None,
        description="`whsec_` and base64 of 24 to 64 random bytes. Left out: the old one stays, "
        "or one is made and shown once.",
    )


class ChannelOut(BaseModel):
    """A channel without its secret; of the URL only what is no secret."""

    name: str
    kind: str
    url: str
    events: list[str]
    secret: str = Field(description="Masked.")
    disabled_reason: str
    created_at: str
    updated_at: str


class SavedChannelOut(ChannelOut):
    """A channel after PUT."""

    new_secret: str | None = Field(description="The secret that was made: shown this once.")


class TestOut(BaseModel):
    """What became of a test message."""

    verdict: str = Field(description="sent, or why not: gone, refused or retry.")
    status: int | None
    error: str
    message_id: str


def _shown(channel: Channel) -> dict[str, Any]:
    parts = urlsplit(str(channel.body.get("url", "")))
    hidden = "/..." if parts.path.strip("/") or parts.query else parts.path
    return {
        "name": channel.name,
        "kind": channel.kind,
        "url": f"{parts.scheme}://{parts.netloc}{hidden}",
        "events": list(channel.events),
        "secret": "whsec_...",
        "disabled_reason": channel.disabled_reason,
        "created_at": rfc3339(channel.created_ms),
        "updated_at": rfc3339(channel.updated_ms),
    }


@router.put("/{channel}", operation_id="putChannel")
def put(
    opened: Opened,
    caller: Asking,
    response: Response,
    channel: ChannelName,
    body: ChannelBody,
    rotate: Annotated[
        bool, Query(description="Make a new secret; for a day both sign every message.")
    ] = False,
) -> SavedChannelOut:
    """Create or replace a channel; a disabled one is tried again."""
    check_everywhere(caller, "manage")
    now_ms = opened.clock.now_ms()
    given = WebhookChannel(channel, body.url, body.events, body.secret, rotate)
    try:
        with opened.database.write() as tx:
            saved = save_webhook(tx, opened.box, given, now_ms)
            record_change(tx, now_ms, caller.name, "channel.put", channel)
    except EgressError as error:
        raise RequestError(str(error), "/url") from None
    response.status_code = 201 if saved.created else 200
    return SavedChannelOut.model_validate({**_shown(saved.channel), "new_secret": saved.secret})


@router.get("", operation_id="listChannels")
def get_list(opened: Opened, caller: Asking) -> PageOut[ChannelOut]:
    """All channels, by name."""
    with opened.database.read() as tx:
        visible(tx, caller, "read")
        found = list_channels(tx)
    items = [ChannelOut.model_validate(_shown(channel)) for channel in found]
    return PageOut(items=items, cursor=None)


@router.get("/{channel}", operation_id="getChannel")
def get_one(opened: Opened, caller: Asking, channel: str) -> ChannelOut:
    """One channel."""
    with opened.database.read() as tx:
        visible(tx, caller, "read")
        found = get_channel(tx, channel)
    if found is None:
        raise _unknown(channel)
    return ChannelOut.model_validate(_shown(found))


@router.delete("/{channel}", operation_id="deleteChannel", status_code=204)
def delete(opened: Opened, caller: Asking, channel: str) -> Response:
    """Forget its secret and send nothing more to it."""
    check_everywhere(caller, "manage")
    now_ms = opened.clock.now_ms()
    with opened.database.write() as tx:
        if not delete_channel(tx, channel, now_ms):
            raise _unknown(channel)
        record_change(tx, now_ms, caller.name, "channel.delete", channel)
    return Response(status_code=204)


@router.post("/{channel}/test", operation_id="testChannel")
def send_test(opened: Opened, caller: Asking, channel: str) -> TestOut:
    """Send a signed test message now, once."""
    check_everywhere(caller, "manage")
    now_ms = opened.clock.now_ms()
    with opened.database.read() as tx:
        found = get_channel(tx, channel)
    if found is None:
        raise _unknown(channel)
    id_ = f"msg_test_{new_id(now_ms)}"
    content = {"type": "lupus.test.v1", "timestamp": rfc3339(now_ms), "data": {"channel": channel}}
    secrets = signing_secrets(opened.box, found).at(now_ms)
    with open_client(opened.egress, opened.settings.ca_bundle) as client:
        answer = post(client, found.body["url"], secrets, id_, json.dumps(content), now_ms)
    return TestOut(verdict=answer.verdict, status=answer.status, error=answer.error, message_id=id_)


def _unknown(name: str) -> UnknownError:
    return UnknownError(f"channel {name} does not exist")
