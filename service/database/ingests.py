"""Ingests: a payload of points and what became of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from service.database import tables

_T = tables.ingests

ACTIVE = ("queued", "running", "stored")


@dataclass(frozen=True)
class Ingest:
    """One ingest. ``state`` is queued, running, stored, succeeded or failed."""

    id: str
    source: str
    state: str
    sequence: int
    request: Mapping[str, Any]
    accepted_ms: int
    caller: str
    points: int | None = None
    errors: Sequence[Mapping[str, Any]] = ()
    error: str = ""
    ended_ms: int | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state not in ACTIVE


def insert_ingest(tx: Connection, ingest: Ingest) -> None:
    """Store an accepted ingest."""
    tx.execute(insert(_T).values(**{**vars(ingest), "errors": list(ingest.errors)}))


def get_ingest(tx: Connection, id_: str) -> Ingest | None:
    """One by id."""
    row = tx.execute(select(_T).where(_T.c.id == id_)).one_or_none()
    return None if row is None else Ingest(**row._asdict())


def update_ingest(tx: Connection, id_: str, **values: Any) -> bool:
    """Change an ingest that is not over; False when it is."""
    done = tx.execute(update(_T).where(_T.c.id == id_, _T.c.state.in_(ACTIVE)).values(**values))
    return done.rowcount == 1


def ended_ingests(tx: Connection, ids: Collection[str]) -> set[str]:
    """Those of the ids whose ingests are over, or not there."""
    query = select(_T.c.id).where(_T.c.id.in_(ids), _T.c.state.in_(ACTIVE))
    return set(ids).difference(tx.execute(query).scalars())


def states_of(tx: Connection, ids: Sequence[str]) -> dict[str, str]:
    """State by id; unknown ids are absent."""
    if not ids:
        return {}
    query = select(_T.c.id, _T.c.state).where(_T.c.id.in_(ids))
    return {row[0]: row[1] for row in tx.execute(query)}


def sources_of(tx: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Source by id; unknown ids are absent."""
    if not ids:
        return {}
    query = select(_T.c.id, _T.c.source).where(_T.c.id.in_(ids))
    return {row[0]: row[1] for row in tx.execute(query)}
