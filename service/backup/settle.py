"""What must change in a database that comes from a backup before anybody works with it.

Versions of points (sequences) and of results (generations) need nothing: the next ones are at
least the time of day, so none is handed out twice.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, update

from service.database import tables
from service.database.audit import record_change
from service.database.counters import raise_messages
from service.database.leases import release_all
from service.database.queue import LIVE
from service.errors import BackupError

CALLER = "command line"
_LEASES_END_MS = 60_000


@dataclass(frozen=True)
class Settled:
    """How much was changed."""

    messages_kept: int
    jobs_freed: int


def refuse_a_database_at_work(tx: Connection, now_ms: int) -> None:
    """A worker that renews its leases would undo what is settled."""
    jobs = tables.jobs
    # Leases of a backup ended when it was made; those of a worker end in the future.
    held = select(func.count()).where(
        jobs.c.state.in_(LIVE),
        jobs.c.lease_until_ms > now_ms,
        jobs.c.lease_until_ms < now_ms + _LEASES_END_MS,
    )
    if tx.execute(held).scalar_one():
        raise BackupError(
            "a worker is at work on this database: end every process of the service first, and "
            "wait for a minute if they were killed"
        )


def settle(tx: Connection, now_ms: int, made_at: str) -> Settled:
    """Keep back what may have been sent, free what lost workers held, go on counting above."""
    settled = Settled(_keep_messages_back(tx, made_at), release_all(tx, now_ms))
    raise_messages(tx, now_ms)  # receivers drop what is numbered below what they have
    tx.execute(delete(tables.endpoints))  # how receivers were is no news any more
    record_change(tx, now_ms, CALLER, "service.restore", "database", {"backup": made_at})
    return settled


def _keep_messages_back(tx: Connection, made_at: str) -> int:
    """A message that waited at the time of the backup has probably been sent since."""
    deliveries, jobs = tables.deliveries, tables.jobs
    told = (
        f"it waited when the backup of {made_at} was made and may have been sent since; replay it "
        "if it was not"
    )
    kept = tx.execute(
        update(deliveries)
        .where(deliveries.c.state == "pending")
        .values(state="dead", error=told, next_try_ms=None)
    ).rowcount
    waiting = update(jobs).where(jobs.c.kind == "delivery", jobs.c.state.in_(LIVE))
    tx.execute(waiting.values(state="done", owner=None, holder=None, lease_until_ms=None))
    return kept
