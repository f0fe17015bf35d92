"""The outbox: deliveries wait here with their body fixed, and each has a job in the queue."""

from sqlalchemy import Connection

from service.database.counters import next_message
from service.database.deliveries import (
    Delivery,
    DeliveryFilter,
    get_delivery,
    insert_delivery,
    list_deliveries,
    update_delivery,
)
from service.database.queue import NewJob, add_job, wake_key
from storage.series_key import canonical_id

_PAGE = 500


def message_id(run: str, channel: str, event: str) -> str:
    """The same at every retry, so that receivers can tell a repetition."""
    return f"msg_{canonical_id('delivery', run, channel, event)}"


def next_counter(tx: Connection, channel: str, source: str, rule: str | None) -> int:
    """Numbers the messages of a (channel, rule): a receiver drops what is older than it has."""
    return next_message(tx, channel, source, rule or "")


def was_queued(tx: Connection, run: str, channel: str, event: str) -> bool:
    """Whether the run has a message for the channel."""
    return get_delivery(tx, message_id(run, channel, event)) is not None


def queue_delivery(tx: Connection, delivery: Delivery, now_ms: int) -> bool:
    """Put a message into the outbox; False when this run said it to this channel before."""
    if get_delivery(tx, delivery.id) is not None:
        return False
    insert_delivery(tx, delivery)
    add_job(tx, job_of(delivery), now_ms)
    return True


def release_held(tx: Connection, channel: str, now_ms: int) -> int:
    """Try again what was held while the channel was disabled, and what waits for its circuit."""
    released = 0
    while held := list_deliveries(tx, DeliveryFilter(state="held", channel=channel), _PAGE):
        for delivery in held:
            update_delivery(tx, delivery.id, state="pending", next_try_ms=now_ms, since_ms=now_ms)
            add_job(tx, job_of(delivery), now_ms)
        released += len(held)
    for delivery in list_deliveries(tx, DeliveryFilter(state="pending", channel=channel), _PAGE):
        wake_key(tx, now_ms, job_of(delivery).dedupe_key)
    return released


def job_of(delivery: Delivery) -> NewJob:
    """The job that sends a delivery."""
    key = f"delivery:{delivery.id}"
    return NewJob(key, "delivery", delivery.source, {"delivery": delivery.id})
