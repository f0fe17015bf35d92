"""Releases of a source: when its product changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from service.database import tables

_T = tables.releases
_EVER_MS = -(1 << 62)
_NEWEST = (
    select(_T)
    .where(
        _T.c.source == bindparam("of"),
        _T.c.time_ms >= bindparam("start_ms"),
        _T.c.time_ms < bindparam("end_ms"),
    )
    .order_by(_T.c.time_ms.desc(), _T.c.name.desc())
    .limit(bindparam("most"))
)


@dataclass(frozen=True)
class StoredRelease:
    """One release; its name is unique in its source."""

    source: str
    name: str
    time_ms: int
    body: Mapping[str, Any]  # as it was sent
    created_ms: int
    caller: str


def put_release(tx: Connection, release: StoredRelease) -> bool:
    """Create (True), or replace the one of this name (False)."""
    own = (_T.c.source == release.source) & (_T.c.name == release.name)
    values = vars(release)
    if tx.execute(select(_T.c.name).where(own)).one_or_none() is None:
        tx.execute(insert(_T).values(**values))
        return True
    tx.execute(update(_T).where(own).values(**values))
    return False


def delete_release(tx: Connection, source: str, name: str) -> bool:
    """Forget a release; whether there was one."""
    own = (_T.c.source == source) & (_T.c.name == name)
    return tx.execute(delete(_T).where(own)).rowcount > 0


def releases_of(
    tx: Connection, source: str, end_ms: int, limit: int, start_ms: int | None = None
) -> Sequence[StoredRelease]:
    """Those of [start, end), the newest ``limit`` of them, oldest first."""
    start_ms = _EVER_MS if start_ms is None else start_ms
    given = {"of": source, "start_ms": start_ms, "end_ms": end_ms, "most": limit}
    rows = tx.execute(_NEWEST, given).all()
    return [StoredRelease(**row._asdict()) for row in reversed(rows)]
