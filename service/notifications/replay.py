"""Sends deliveries once more, because somebody asked."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from service.database.audit import record_change
from service.database.deliveries import (
    Delivery,
    DeliveryFilter,
    get_delivery,
    list_deliveries,
    update_delivery,
)
from service.database.engine import Database
from service.database.queue import add_job
from service.errors import ConflictError, UnknownError
from service.notifications.outbox import job_of

_PAGE = 200


def replay_delivery(tx: Connection, id_: str, now_ms: int) -> Delivery:
    """The same id and body again, whatever became of it before."""
    delivery = get_delivery(tx, id_)
    if delivery is None:
        raise UnknownError(f"delivery {id_} does not exist, or you may not see it")
    if delivery.state == "pending":
        raise ConflictError(f"delivery {id_} is still being tried")
    return _again(tx, delivery, now_ms)


def replay_all(database: Database, which: DeliveryFilter, now_ms: int, by: str) -> int:
    """Every delivery that ended so, each once; returns how many.

    Each page is a transaction of its own with its entry in the audit log, so others can work
    meanwhile.
    """
    before: tuple[int, str] | None = None
    count = 0
    while True:
        with database.write() as tx:
            page = list_deliveries(tx, which, _PAGE, before)
            for delivery in page:
                _again(tx, delivery, now_ms)
            if page:
                detail = {"replayed": len(page), "state": which.state, "run": which.run}
                record_change(tx, now_ms, by, "delivery.replay", which.channel or "*", detail)
        count += len(page)
        if len(page) < _PAGE:
            return count
        before = (page[-1].created_ms, page[-1].id)


def _again(tx: Connection, delivery: Delivery, now_ms: int) -> Delivery:
    fresh: dict[str, Any] = {
        "state": "pending",
        "attempts": 0,
        "next_try_ms": now_ms,
        "since_ms": now_ms,
        "error": "",
    }
    update_delivery(tx, delivery.id, **fresh)
    add_job(tx, job_of(delivery), now_ms)
    return replace(delivery, **fresh)
