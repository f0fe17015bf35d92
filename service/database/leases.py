"""Finds leases whose owner is gone, without trusting any clock but one's own monotonic one.

A living owner renews its lease, and a living holder ticks its jobs, so the row keeps changing.
A row that stayed the same for a whole lease has lost its worker. Wall clocks that step or differ
between machines change nothing. Of a long time between two looks only a part counts: while the
database could not be written (locked, full, away) or this process stood still, its owner may have
been kept from renewing just as well, and gets the time for one renewal once it goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, or_, select, update

from service.database import tables

_T = tables.jobs
# Somebody should be looking after these.
_CARRIED = or_(_T.c.state == "running", and_(_T.c.state == "queued", _T.c.holder.is_not(None)))


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
    """What somebody carries now."""
    query = select(*(_T.c[name] for name in Sighting.__dataclass_fields__)).where(_CARRIED)
    return [Sighting(**row._asdict()) for row in tx.execute(query)]


def release(tx: Connection, seen: Sighting, now_ms: int) -> bool:
    """Put a job back as due and free, unless anything of it changed since it was seen."""
    same = [_T.c[name].is_not_distinct_from(value) for name, value in vars(seen).items()]
    done = tx.execute(update(_T).where(*same).values(**_free(now_ms)))
    return done.rowcount == 1


def release_all(tx: Connection, now_ms: int) -> int:
    """Put back every job that somebody carries: only where none of them is at work any more."""
    return tx.execute(update(_T).where(_CARRIED).values(**_free(now_ms))).rowcount


def _free(now_ms: int) -> dict[str, Any]:
    return {
        "state": "queued",
        "owner": None,
        "holder": None,
        "lease_until_ms": None,
        "run_at_ms": now_ms,
        "queued_ms": now_ms,
    }


def release_held(tx: Connection, holder: str, now_ms: int) -> int:
    """Let go of what a launcher carries that ends in good order."""
    done = tx.execute(
        update(_T)
        .where(_T.c.holder == holder, _T.c.state == "queued")
        .values(holder=None, run_at_ms=now_ms, queued_ms=now_ms)
    )
    return done.rowcount


class LeaseWatch:
    """Remembers for how long each sighting has been the same. Look about thrice in a lease."""

    def __init__(self, lease_ms: int) -> None:
        self._lease_ms = lease_ms
        self._same_ms: dict[Sighting, int] = {}
        self._looked_ms: int | None = None

    def lost(
        self, seen: list[Sighting], passed_ms: int, is_dead: Callable[[str], bool]
    ) -> list[Sighting]:
        """Those unchanged for a whole lease, and those whose owner is known to be dead."""
        passed = 0 if self._looked_ms is None else passed_ms - self._looked_ms
        self._looked_ms = passed_ms
        counted = min(passed, self._lease_ms * 2 // 5)
        self._same_ms = {
            one: self._same_ms[one] + counted if one in self._same_ms else 0 for one in seen
        }
        return [
            one
            for one, same_ms in self._same_ms.items()
            if same_ms >= self._lease_ms
            or any(is_dead(name) for name in (one.owner, one.holder) if name)
        ]
