"""Finds leases whose owner is gone, without trusting any clock but one's own monotonic one.

A living owner renews its lease, and a living holder ticks its jobs, so the row keeps changing.
A row that stayed the same for a whole lease has lost its worker. Wall clocks that step or differ
between machines change nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, and_, or_, select, update

from service.database import tables

_T = tables.jobs


@dataclass(frozen=True)
class Sighting:
    """What changes in a job's row while somebody looks after it."""

    id: str
    state: str
    owner: str | None
    holder: str | None
    attempts: int
    lease_until_ms: int | None


def sightings(tx: Connection) -> list[Sighting]:
    """The jobs that somebody should be looking after."""
    query = select(*(_T.c[name] for name in Sighting.__dataclass_fields__)).where(
        or_(_T.c.state == "running", and_(_T.c.state == "queued", _T.c.holder.is_not(None)))
    )
    return [Sighting(**row._asdict()) for row in tx.execute(query)]


def release(tx: Connection, seen: Sighting, now_ms: int) -> bool:
    """Put a job back as due and free, unless anything of it changed since it was seen."""
    same = [_T.c[name].is_not_distinct_from(value) for name, value in vars(seen).items()]
    done = tx.execute(
        update(_T)
        .where(*same)
        .values(
            state="queued",
            owner=None,
            holder=None,
            lease_until_ms=None,
            run_at_ms=now_ms,
            queued_ms=now_ms,
        )
    )
    return done.rowcount == 1


def release_held(tx: Connection, holder: str, now_ms: int) -> int:
    """Let go of what a launcher carries that ends in good order."""
    done = tx.execute(
        update(_T)
        .where(_T.c.holder == holder, _T.c.state == "queued")
        .values(holder=None, run_at_ms=now_ms, queued_ms=now_ms)
    )
    return done.rowcount


class LeaseWatch:
    """Remembers since when each sighting has been the same."""

    def __init__(self, lease_ms: int) -> None:
        self._lease_ms = lease_ms
        self._since: dict[Sighting, int] = {}

    def lost(
        self, seen: list[Sighting], passed_ms: int, is_dead: Callable[[str], bool]
    ) -> list[Sighting]:
        """Those unchanged for a whole lease, and those whose owner is known to be dead."""
        self._since = {one: self._since.get(one, passed_ms) for one in seen}
        return [
            one
            for one, since in self._since.items()
            if passed_ms - since >= self._lease_ms
            or any(is_dead(name) for name in (one.owner, one.holder) if name)
        ]
