"""Deliveries: what was sent to channels, what waits, what was given up, and sending it again."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from pydantic_core import from_json
from sqlalchemy import Connection

from service.api.access import Asking, check, source_or_404, visible
from service.api.body import Body, StrictRoute
from service.api.cursor import decode, encode
from service.api.page import Cursor, Limit, PageOut
from service.api.resources import Opened
from service.api.times import rfc3339, rfc3339_or_none
from service.auth.caller import Caller, Verb
from service.database.audit import record_change
from service.database.deliveries import Delivery, DeliveryFilter, get_delivery, list_deliveries
from service.errors import UnknownError
from service.notifications.replay import replay_all, replay_delivery

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"], route_class=StrictRoute)

State = Literal["pending", "sent", "held", "dead"]


class DeliveryOut(BaseModel):
    """One message to one channel; its body never changes."""

    id: str = Field(description="The message's id, the same at every attempt.")
    run: str
    source: str
    channel: str
    event: str
    counter: int = Field(description="Grows per channel and rule: drop what is older.")
    state: State
    attempts: int
    next_try_at: str | None
    error: str
    status_code: int | None
    created_at: str
    sent_at: str | None


class ReplayBody(Body):
    """Which deliveries to send again; every field given must match."""

    state: Literal["dead", "held"] = "dead"
    channel: str | None = None
    source: str | None = None
    run: str | None = None


class ReplayOut(BaseModel):
    """How many are tried again."""

    replayed: int


class DeliveryDetailOut(DeliveryOut):
    """A delivery and what it says."""

    body: Any


def shown(delivery: Delivery) -> DeliveryOut:
    """A delivery as lists show it."""
    return DeliveryOut.model_validate(_fields(delivery))


def _fields(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "run": delivery.run,
        "source": delivery.source,
        "channel": delivery.channel,
        "event": delivery.event,
        "counter": delivery.counter,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_try_at": rfc3339_or_none(delivery.next_try_ms),
        "error": delivery.error,
        "status_code": delivery.status_code,
        "created_at": rfc3339(delivery.created_ms),
        "sent_at": rfc3339_or_none(delivery.sent_ms),
    }


@router.get("", operation_id="listDeliveries")
def get_deliveries(
    opened: Opened,
    caller: Asking,
    state: State | None = None,
    source: str | None = None,
    channel: str | None = None,
    run: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[DeliveryOut]:
    """Newest first."""
    before = decode(cursor, int, str)
    with opened.database.read() as tx:
        names = visible(tx, caller, "read")
        if source is not None:
            names = [source_or_404(tx, caller, "read", source).name]
        which = DeliveryFilter(sources=names, state=state, channel=channel, run=run)
        found = list_deliveries(tx, which, limit, (before[0], before[1]) if before else None)
    last = found[-1] if len(found) == limit else None
    return PageOut(
        items=[shown(delivery) for delivery in found],
        cursor=encode(last.created_ms, last.id) if last else None,
    )


@router.get("/{delivery}", operation_id="getDelivery")
def read_delivery(opened: Opened, caller: Asking, delivery: str) -> DeliveryDetailOut:
    """One delivery with its body."""
    with opened.database.read() as tx:
        found = _found(tx, caller, "read", delivery)
    return DeliveryDetailOut.model_validate({**_fields(found), "body": from_json(found.body)})


@router.post("/replay", operation_id="replayDeliveries", status_code=202)
def replay_many(opened: Opened, caller: Asking, body: ReplayBody) -> ReplayOut:
    """Send all again that were given up or held back, with the same ids and bodies.

    Of sources for which the caller may not do this nothing is sent.
    """
    now_ms = opened.clock.now_ms()
    with opened.database.read() as tx:
        names = visible(tx, caller, "manage")
        if body.source is not None:
            names = [source_or_404(tx, caller, "manage", body.source).name]
    which = DeliveryFilter(names, body.state, body.channel, body.run)
    return ReplayOut(replayed=replay_all(opened.database, which, now_ms, caller.name))


@router.post("/{delivery}/replay", operation_id="replayDelivery", status_code=202)
def replay(opened: Opened, caller: Asking, delivery: str) -> DeliveryOut:
    """Send it again, with the same id and body: also one that was given up or held back."""
    now_ms = opened.clock.now_ms()
    with opened.database.write() as tx:
        _found(tx, caller, "manage", delivery)
        replay_delivery(tx, delivery, now_ms)
        record_change(tx, now_ms, caller.name, "delivery.replay", delivery)
        found = _found(tx, caller, "manage", delivery)
    return shown(found)


def _found(tx: Connection, caller: Caller, verb: Verb, id_: str) -> Delivery:
    found = get_delivery(tx, id_)
    if found is None:
        raise UnknownError(f"delivery {id_} does not exist, or you may not see it")
    check(caller, verb, found.source, f"delivery {id_}")
    return found
