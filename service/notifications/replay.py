"""Sends a delivery once more, because somebody asked."""

from dataclasses import replace

from sqlalchemy import Connection

from service.database.deliveries import Delivery, get_delivery, update_delivery
from service.database.queue import add_job
from service.errors import ConflictError, UnknownError
from service.notifications.outbox import job_of


def replay_delivery(tx: Connection, id_: str, now_ms: int) -> Delivery:
    """The same id and body again, whatever became of it before."""
    delivery = get_delivery(tx, id_)
    if delivery is None:
        raise UnknownError(f"delivery {id_} does not exist, or you may not see it")
    if delivery.state == "pending":
        raise ConflictError(f"delivery {id_} is still being tried")
    update_delivery(
        tx, id_, state="pending", attempts=0, next_try_ms=now_ms, since_ms=now_ms, error=""
    )
    add_job(tx, job_of(delivery), now_ms)
    return replace(
        delivery, state="pending", attempts=0, next_try_ms=now_ms, since_ms=now_ms, error=""
    )
