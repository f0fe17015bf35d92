"""Channels: where notifications go. Secrets are shown once, when they are made."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from service.api.access import Asking, check_everywhere, visible
from service.api.body import StrictRoute
from service.api.channel_body import AnyBody, AnyOut, shown
from service.api.page import PageOut
from service.api.resources import Opened
from service.database.audit import record_change
from service.database.channels import delete_channel, get_channel, list_channels
from service.egress.transport import open_client
from service.errors import UnknownError
from service.identifier import new_id
from service.notifications.channels import GivenChannel, open_channel, save_channel
from service.notifications.example import example_body
from service.notifications.kinds.kind import Message
from service.notifications.send import send

router = APIRouter(prefix="/v1/channels", tags=["channels"], route_class=StrictRoute)

_NAME = r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$"
ChannelName = Annotated[str, Path(pattern=_NAME, description="1 to 63 of a-z 0-9 . _ -")]


class RequestOut(BaseModel):
    """What is sent, without its secrets."""

    url: str
    headers: dict[str, str]
    body: Any


class TestOut(BaseModel):
    """What became of a test message."""

    verdict: str = Field(description="sent; or why not: gone, refused, retry; or preview.")
    status: int | None
    error: str
    message_id: str
    requests: list[RequestOut] = Field(description="What was sent, or would be.")


@router.put("/{channel}", operation_id="putChannel")
def put(
    opened: Opened,
    caller: Asking,
    response: Response,
    channel: ChannelName,
    body: AnyBody,
    rotate: Annotated[
        bool,
        Query(description="Webhooks: make a new secret; for a day both sign every message."),
    ] = False,
) -> AnyOut:
    """Create or replace a channel; a disabled one is tried again."""
    check_everywhere(caller, "manage")
    now_ms = opened.clock.now_ms()
    wanted = GivenChannel(channel, body.events, body.given(rotate))
    with opened.database.write() as tx:
        saved = save_channel(tx, opened.box, opened.kinds[body.kind], wanted, now_ms)
        record_change(tx, now_ms, caller.name, "channel.put", channel)
    response.status_code = 201 if saved.created else 200
    return shown(opened.kinds, saved.channel, saved.secret)


@router.get("", operation_id="listChannels")
def get_list(opened: Opened, caller: Asking) -> PageOut[AnyOut]:
    """All channels, by name."""
    with opened.database.read() as tx:
        visible(tx, caller, "read")
        found = list_channels(tx)
    return PageOut(items=[shown(opened.kinds, channel) for channel in found], cursor=None)


@router.get("/{channel}", operation_id="getChannel")
def get_one(opened: Opened, caller: Asking, channel: str) -> AnyOut:
    """One channel."""
    with opened.database.read() as tx:
        visible(tx, caller, "read")
        found = get_channel(tx, channel)
    if found is None:
        raise _unknown(channel)
    return shown(opened.kinds, found)


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
def send_test(
    opened: Opened,
    caller: Asking,
    channel: str,
    preview: Annotated[
        bool, Query(description="Say what would be sent, and send nothing.")
    ] = False,
) -> TestOut:
    """Send a message with example content now, once."""
    check_everywhere(caller, "manage")
    now_ms = opened.clock.now_ms()
    with opened.database.read() as tx:
        found = get_channel(tx, channel)
    if found is None:
        raise _unknown(channel)
    destination = open_channel(opened.kinds, opened.box, found)
    id_ = f"msg_test_{new_id(now_ms)}"
    message = Message(id_, example_body(id_, channel, opened.settings.public_url, now_ms))
    requests = [
        RequestOut.model_validate(request.shown())
        for request in destination.render(message, now_ms)
    ]
    if preview:
        return TestOut(verdict="preview", status=None, error="", message_id=id_, requests=requests)
    with opened.database.write() as tx:
        record_change(tx, now_ms, caller.name, "channel.test", channel, {"message": id_})
    with open_client(opened.egress, opened.settings.ca_bundle) as client:
        answer = send(client, destination, message, now_ms)
    return TestOut(
        verdict=answer.verdict,
        status=answer.status,
        error=answer.error,
        message_id=id_,
        requests=requests,
    )


def _unknown(name: str) -> UnknownError:
    return UnknownError(f"channel {name} does not exist")
