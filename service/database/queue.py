"""The queue: jobs that workers lease, one tick at a time.

A lease is settled (finished, put back, failed) in the transaction that writes the tick's effect,
fenced by owner and attempt: who lost the lease gets LeaseLostError and its effect is rolled back.

A lane admits one job at a time, in the order of its numbers; numbers are handed out by the
transaction that adds the job, so the order is that of acceptance. A holder is the launcher that
carries a started job: while it lives, only its workers look after the job.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    func,
    or_,
    select,
    update,
)

from service.clock import SECOND_MS
from service.database import tables
from service.database.bell import ring_after
from service.database.inserts import insert_new
from service.errors import LeaseLostError
from service.identifier import new_id

_T = tables.jobs
LIVE = ("queued", "running")

# A job decided later than now means that the clock stepped back (or that the clocks of two
# machines differ by this much): its waiting time has lost its meaning, so it is due.
_CLOCKS_AGREE_MS = 10 * SECOND_MS


@dataclass(frozen=True)
class NewJob:
    """What to do, once for each ``dedupe_key``."""

    dedupe_key: str
    kind: str
    source: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    lane: str | None = None
    lane_number: int = 0


@dataclass(frozen=True)
class Leaser:
    """Who leases: a name that no other living thread has, and its launcher's."""

    owner: str
    holder: str


@dataclass(frozen=True)
class Job:
    """A leased job."""

    id: str
    dedupe_key: str
    kind: str
    source: str
    payload: Mapping[str, Any]
    owner: str
    attempts: int
    failures: int
    holder: str | None
    created_ms: int
    lane: str | None
    lane_number: int

    @property
    def interrupted(self) -> bool:
        """Whether a worker that had it before did not live to say how it went."""
        return self.attempts - 1 != self.failures


def add_job(tx: Connection, job: NewJob, now_ms: int, run_at_ms: int | None = None) -> bool:
    """Queue a job; False when one with its key is queued or running already."""
    values = {
        "payload": dict(job.payload),
        "state": "queued",
        "run_at_ms": now_ms if run_at_ms is None else run_at_ms,
        "queued_ms": now_ms,
        "failures": 0,
        "owner": None,
        "holder": None,
        "error": "",
    }
    ring_after(tx)
    same = _T.c.dedupe_key == job.dedupe_key
    new = {
        "id": new_id(now_ms),
        "dedupe_key": job.dedupe_key,
        "kind": job.kind,
        "source": job.source,
        "lane": job.lane,
        "lane_number": job.lane_number,
        "attempts": 0,
        "created_ms": now_ms,
    }
    while not insert_new(tx, _T, **new, **values):
        # A tick that is just ending this job is waited for: then it has ended.
        found = select(_T.c.state).where(same).with_for_update()
        state = tx.execute(found).scalar_one_or_none()
        if state in LIVE:
            return False
        if state is not None:
            tx.execute(update(_T).where(same).values(**values))
            return True
    return True


def lease(
    tx: Connection,
    leaser: Leaser,
    kinds: Collection[str],
    now_ms: int,
    lease_ms: int,
    after_source: str = "",
    carried: bool | None = None,
) -> Job | None:
    """Take the next due job, going round the sources in the order of their names.

    With ``carried`` only one that this leaser's launcher holds already, the oldest first; without
    it, when it is False, only one that nobody holds.
    """
    free, mine = _T.c.holder.is_(None), _T.c.holder == leaser.holder
    due = and_(
        _T.c.state == "queued",
        _T.c.kind.in_(kinds),
        or_(_T.c.run_at_ms <= now_ms, _T.c.queued_ms > now_ms + _CLOCKS_AGREE_MS),
        or_(free, mine) if carried is None else (mine if carried else free),
        _lane_is_free(),
    )
    if carried:
        oldest = _first_of(due, _T.c.run_at_ms, _T.c.id)
        id_ = tx.execute(oldest).scalar_one_or_none()
        return None if id_ is None else _take(tx, leaser, _T.c.id == id_, now_ms, lease_ms)
    # Two questions that an index answers in its order; one would sort everything that waits.
    for turn in (_T.c.source > after_source, _T.c.source <= after_source):
        # The number decides between jobs accepted in one millisecond.
        order = (_T.c.source, _T.c.run_at_ms, _T.c.lane_number, _T.c.id)
        id_ = tx.execute(_first_of(and_(due, turn), *order)).scalar_one_or_none()
        if id_ is not None:
            return _take(tx, leaser, _T.c.id == id_, now_ms, lease_ms)
    return None


def _first_of(due: ColumnElement[bool], *order: ColumnElement[Any]) -> Select[tuple[str]]:
    first = select(_T.c.id).where(due).order_by(*order).limit(1)
    return first.with_for_update(skip_locked=True, of=_T)


def lease_one(
    tx: Connection, leaser: Leaser, dedupe_key: str, now_ms: int, lease_ms: int
) -> Job | None:
    """Take one job if nobody has it and its lane is free."""
    free = and_(_T.c.dedupe_key == dedupe_key, _T.c.state == "queued", _lane_is_free())
    return _take(tx, leaser, free, now_ms, lease_ms)


def lease_followers(
    tx: Connection, job: Job, most: int, most_bytes: int, now_ms: int, lease_ms: int
) -> list[Job]:
    """Take those that come after a leased job in its lane too, to be done together with it.

    Not beyond one that somebody may have died over: that one is done alone. ``bytes`` of their
    payloads say how much they are.
    """
    later = (_T.c.lane == job.lane, _T.c.state.in_(LIVE), _T.c.lane_number > job.lane_number)
    together = and_(
        _T.c.state == "queued",
        _T.c.kind == job.kind,
        _T.c.holder.is_(None),
        _T.c.attempts == _T.c.failures,
    )
    query = select(_T.c.id, together, _T.c.payload).where(*later)
    rows = tx.execute(query.order_by(_T.c.lane_number).limit(most)).all()
    ids, left = [], most_bytes - int(job.payload.get("bytes", 0))
    for id_, _, payload in takewhile(lambda row: row[1], rows):
        left -= int(payload.get("bytes", 0))
        if left < 0:
            break
        ids.append(id_)
    if not ids:
        return []
    chosen = and_(_T.c.id.in_(ids), together)
    taken = _leased(tx, job.owner, chosen, now_ms + lease_ms)
    return sorted(taken, key=lambda each: each.lane_number)


def _lane_is_free() -> ColumnElement[bool]:
    earlier = tables.jobs.alias("earlier")
    ahead = select(earlier.c.id).where(
        earlier.c.lane == _T.c.lane,
        earlier.c.state.in_(LIVE),
        earlier.c.lane_number < _T.c.lane_number,
    )
    return or_(_T.c.lane.is_(None), ~ahead.exists())


def _take(
    tx: Connection, leaser: Leaser, which: ColumnElement[bool], now_ms: int, lease_ms: int
) -> Job | None:
    taken = _leased(tx, leaser.owner, which, now_ms + lease_ms)
    return taken[0] if taken else None


def _leased(tx: Connection, owner: str, which: ColumnElement[bool], until_ms: int) -> list[Job]:
    rows = tx.execute(
        update(_T)
        .where(which)
        .values(state="running", owner=owner, attempts=_T.c.attempts + 1, lease_until_ms=until_ms)
        .returning(*(_T.c[name] for name in Job.__dataclass_fields__))
    )
    return [Job(**row._asdict()) for row in rows]


def renew(tx: Connection, jobs: Sequence[Job], until_ms: int) -> list[Job]:
    """Prolong leases; returns those that are lost."""
    lost = []
    for job in jobs:
        done = tx.execute(update(_T).where(*_mine(job)).values(lease_until_ms=until_ms))
        if done.rowcount != 1:
            lost.append(job)
    return lost


def renew_held(tx: Connection, holder: str, until_ms: int) -> None:
    """Show that a launcher lives, to who looks for abandoned jobs."""
    waiting = and_(_T.c.holder == holder, _T.c.state == "queued")
    tx.execute(update(_T).where(waiting).values(lease_until_ms=until_ms))


def finish(tx: Connection, job: Job) -> None:
    """The job is done; the next one of its lane may begin."""
    ring_after(tx)
    _settle(tx, job, state="done", holder=None, failures=0, error="")


def fail(tx: Connection, job: Job, error: str) -> None:
    """The job is given up; the next one of its lane may begin."""
    ring_after(tx)
    _settle(tx, job, state="failed", holder=None, error=error)


def put_back(
    tx: Connection,
    job: Job,
    now_ms: int,
    delay_ms: int,
    holder: str | None = None,
    error: str | None = None,
) -> None:
    """The job goes on after a delay; with an ``error``, its failures count up."""
    _settle(
        tx,
        job,
        state="queued",
        run_at_ms=now_ms + delay_ms,
        queued_ms=now_ms,
        holder=holder,
        failures=0 if error is None else job.failures + 1,
        error=error or "",
    )


def _settle(tx: Connection, job: Job, **values: Any) -> None:
    done = tx.execute(
        update(_T).where(*_mine(job)).values(owner=None, lease_until_ms=None, **values)
    )
    if done.rowcount != 1:
        raise LeaseLostError(f"job {job.dedupe_key}: another worker has taken it")


def _mine(job: Job) -> tuple[ColumnElement[bool], ...]:
    return (
        _T.c.id == job.id,
        _T.c.owner == job.owner,
        _T.c.attempts == job.attempts,
        _T.c.state == "running",
    )


def wake(tx: Connection, now_ms: int, *which: ColumnElement[bool]) -> int:
    """Make queued jobs due now."""
    ring_after(tx)
    done = tx.execute(
        update(_T).where(_T.c.state == "queued", *which).values(run_at_ms=now_ms, queued_ms=now_ms)
    )
    return done.rowcount


def wake_key(tx: Connection, now_ms: int, dedupe_key: str) -> int:
    """Make one job due now."""
    return wake(tx, now_ms, _T.c.dedupe_key == dedupe_key)


def wake_held(tx: Connection, now_ms: int, holder: str) -> int:
    """Make the jobs that a launcher holds due now."""
    return wake(tx, now_ms, _T.c.holder == holder)


def wake_source(tx: Connection, now_ms: int, kind: str, source: str) -> int:
    """Make a source's jobs of a kind due now."""
    return wake(tx, now_ms, _T.c.kind == kind, _T.c.source == source)


def count_held(tx: Connection, holder: str) -> int:
    """How many jobs a launcher carries."""
    query = select(func.count()).where(_T.c.state.in_(LIVE), _T.c.holder == holder)
    return int(tx.execute(query).scalar_one())


def drop_job(tx: Connection, dedupe_key: str) -> bool:
    """End a job that waits; False when a worker has it or it is over."""
    done = tx.execute(
        update(_T)
        .where(_T.c.dedupe_key == dedupe_key, _T.c.state == "queued")
        .values(state="done", holder=None)
    )
    return done.rowcount == 1


def forget_ended(tx: Connection, before_ms: int) -> int:
    """Remove jobs that ended and were made before a time."""
    ended = and_(_T.c.state.not_in(LIVE), _T.c.created_ms < before_ms)
    return tx.execute(delete(_T).where(ended)).rowcount


@dataclass(frozen=True)
class Depth:
    """How many jobs of a kind wait that are due, and for how long the first of them has."""

    kind: str
    waiting: int
    oldest_ms: int


def depth(tx: Connection, now_ms: int) -> list[Depth]:
    """What waits, by kind."""
    query = (
        select(_T.c.kind, func.count(), func.min(_T.c.run_at_ms))
        .where(_T.c.state == "queued", _T.c.run_at_ms <= now_ms)
        .group_by(_T.c.kind)
        .order_by(_T.c.kind)
    )
    return [Depth(row[0], int(row[1]), now_ms - int(row[2])) for row in tx.execute(query)]
