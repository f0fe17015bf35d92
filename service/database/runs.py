"""Runs: one request for a detection and its outcome."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, update

from service.database import tables

_T = tables.runs

ACTIVE = ("queued", "running", "publishing")
ENDED = ("succeeded", "partial", "failed", "cancelled")

_COUNT_ACTIVE = select(func.count().filter(_T.c.source == bindparam("source")), func.count()).where(
    _T.c.state.in_(ACTIVE)
)


@dataclass(frozen=True)
class Run:
    """One run. ``state`` is queued, running, publishing, succeeded, partial, failed, cancelled."""

    id: str
    source: str
    rule: str | None
    generation: int
    state: str
    detector: str
    body: Mapping[str, Any]
    request: Mapping[str, Any]
    notify: Mapping[str, Any]
    after: Sequence[str]
    accepted_ms: int
    deadline_ms: int
    caller: str
    started_ms: int | None = None
    ended_ms: int | None = None
    cancel_ms: int | None = None
    attempt: int = 0
    progress: Mapping[str, Any] | None = None
    report: Mapping[str, Any] | None = None
    notified: Mapping[str, Any] | None = None
    error: str = ""
    pointer: str = ""
    rerun_of: str | None = None
    cleaned_ms: int | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED


@dataclass(frozen=True)
class RunFilter:
    """Which runs; every field given must match."""

    sources: Collection[str] | None = None  # what the caller may see; None: all
    source: str | None = None
    rule: str | None = None
    states: tuple[str, ...] = ()
    detector: str | None = None


def insert_run(tx: Connection, run: Run) -> None:
    """Store an accepted run."""
    tx.execute(insert(_T), vars(run))


def get_run(tx: Connection, id_: str, hold: bool = False) -> Run | None:
    """One by id; with ``hold`` nobody else changes it until this transaction ends."""
    query = select(_T).where(_T.c.id == id_)
    row = tx.execute(query.with_for_update() if hold else query).one_or_none()
    return None if row is None else Run(**row._asdict())


def ended_runs(tx: Connection, ids: Collection[str]) -> set[str]:
    """Those of the ids whose runs are over, or not there."""
    query = select(_T.c.id).where(_T.c.id.in_(ids), _T.c.state.in_(ACTIVE))
    return set(ids).difference(tx.execute(query).scalars())


def list_runs(
    tx: Connection, which: RunFilter, limit: int, before_generation: int | None = None
) -> list[Run]:
    """Newest first; the next page begins before the last one's generation."""
    query = select(_T).where(*_conditions(which))
    if before_generation is not None:
        query = query.where(_T.c.generation < before_generation)
    query = query.order_by(_T.c.generation.desc()).limit(limit)
    return [Run(**row._asdict()) for row in tx.execute(query)]


def _conditions(which: RunFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if which.sources is not None:
        conditions.append(_T.c.source.in_(which.sources))
    if which.source is not None:
        conditions.append(_T.c.source == which.source)
    if which.rule is not None:
        conditions.append(_T.c.rule == which.rule)
    if which.states:
        conditions.append(_T.c.state.in_(which.states))
    if which.detector is not None:
        conditions.append(_T.c.detector == which.detector)
    return conditions


def update_run(tx: Connection, id_: str, states: tuple[str, ...] = ACTIVE, **values: Any) -> bool:
    """Change a run that is in one of the states; False when it is in none."""
    done = tx.execute(update(_T).where(_T.c.id == id_, _T.c.state.in_(states)).values(**values))
    return done.rowcount == 1


def count_active(tx: Connection, source: str) -> int:
    """Runs of a source that wait or run."""
    return count_active_in_all(tx, source)[0]


def count_active_in_all(tx: Connection, source: str) -> tuple[int, int]:
    """Runs that wait or run: those of a source, and all."""
    row = tx.execute(_COUNT_ACTIVE, {"source": source}).one()
    return int(row[0]), int(row[1])


def count_by_state(tx: Connection) -> dict[str, int]:
    """Runs by state."""
    query = select(_T.c.state, func.count()).group_by(_T.c.state)
    return {row[0]: int(row[1]) for row in tx.execute(query)}


def runs_ahead(tx: Connection, run: Run) -> int:
    """How many runs accepted earlier are not over; 0 once the run is started."""
    if run.state != "queued":
        return 0
    query = select(func.count()).where(_T.c.state.in_(ACTIVE), _T.c.generation < run.generation)
    return int(tx.execute(query).scalar_one())


def uncleaned_runs(tx: Connection, ended_before_ms: int, limit: int) -> list[str]:
    """Ended runs whose folder is still there."""
    query = (
        select(_T.c.id)
        .where(_T.c.ended_ms < ended_before_ms, _T.c.cleaned_ms.is_(None))
        .limit(limit)
    )
    return [row[0] for row in tx.execute(query)]
