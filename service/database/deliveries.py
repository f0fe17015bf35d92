"""Deliveries: the outbox. One per (run, channel, event); its body never changes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from service.database import tables

_T = tables.deliveries


@dataclass(frozen=True)
class Delivery:
    """One message to one channel. ``state`` is pending, sent, held or dead."""

    id: str
    run: str
    source: str
    channel: str
    event: str
    counter: int
    body: str
    state: str
    created_ms: int
    attempts: int = 0
    next_try_ms: int | None = None
    error: str = ""
    status_code: int | None = None
    sent_ms: int | None = None
    slot_ms: int | None = None
    receipt: Mapping[str, Any] | None = None
    since_ms: int | None = None

    @property
    def tried_since_ms(self) -> int:
        """When it was queued, or when somebody asked for it once more."""
        return self.created_ms if self.since_ms is None else self.since_ms


@dataclass(frozen=True)
class DeliveryFilter:
    """Which deliveries; every field given must match."""

    sources: Collection[str] | None = None  # what the caller may see; None: all
    state: str | None = None
    channel: str | None = None
    run: str | None = None


def insert_delivery(tx: Connection, delivery: Delivery) -> None:
    """Put into the outbox."""
    tx.execute(insert(_T).values(**vars(delivery)))


def get_delivery(tx: Connection, id_: str) -> Delivery | None:
    """One by id."""
    row = tx.execute(select(_T).where(_T.c.id == id_)).one_or_none()
    return None if row is None else Delivery(**row._asdict())


def list_deliveries(
    tx: Connection, which: DeliveryFilter, limit: int, before: tuple[int, str] | None = None
) -> list[Delivery]:
    """Newest first; the next page begins before the last one's (created_ms, id)."""
    query = select(_T)
    if which.sources is not None:
        query = query.where(_T.c.source.in_(which.sources))
    for column in ("state", "channel", "run"):
        wanted = getattr(which, column)
        if wanted is not None:
            query = query.where(_T.c[column] == wanted)
    if before is not None:
        created_ms, id_ = before
        query = query.where(
            or_(_T.c.created_ms < created_ms, and_(_T.c.created_ms == created_ms, _T.c.id < id_))
        )
    query = query.order_by(_T.c.created_ms.desc(), _T.c.id.desc()).limit(limit)
    return [Delivery(**row._asdict()) for row in tx.execute(query)]


def states_of_run(tx: Connection, run: str) -> dict[str, tuple[str, str]]:
    """State and last error of a run's deliveries, by id."""
    query = select(_T.c.id, _T.c.state, _T.c.error).where(_T.c.run == run)
    return {row.id: (row.state, row.error) for row in tx.execute(query)}


def update_delivery(tx: Connection, id_: str, **values: Any) -> bool:
    """Change columns of one delivery."""
    return tx.execute(update(_T).where(_T.c.id == id_).values(**values)).rowcount == 1


def count_deliveries(tx: Connection) -> dict[str, int]:
    """Deliveries by state."""
    query = select(_T.c.state, func.count()).group_by(_T.c.state)
    return {row[0]: int(row[1]) for row in tx.execute(query)}
