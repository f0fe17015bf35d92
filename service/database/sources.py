"""Sources: named owners of metrics, as people PUT them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from service.database import tables
from service.database.locks import lock
from service.errors import ConflictError

_T = tables.sources
_BY_NAME = select(_T).where(_T.c.name == bindparam("name"))


@dataclass(frozen=True)
class Source:
    """One source; ``body`` is what was PUT, without its name."""

    name: str
    kind: str
    timezone: str
    body: Mapping[str, Any]
    created_ms: int
    updated_ms: int
    deleted_ms: int | None = None


def put_source(
    tx: Connection, name: str, kind: str, timezone: str, body: Mapping[str, Any], now_ms: int
) -> bool:
    """Create (True) or replace (False); a deleted source keeps its name."""
    lock(tx, f"source {name}")
    found = tx.execute(_BY_NAME, {"name": name}).one_or_none()
    if found is None:
        tx.execute(
            insert(_T).values(
                name=name,
                kind=kind,
                timezone=timezone,
                body=dict(body),
                created_ms=now_ms,
                updated_ms=now_ms,
            )
        )
        return True
    if found.deleted_ms is not None:
        raise ConflictError(f"source {name} was deleted and its name is reserved: purge it first")
    if found.kind != kind:
        raise ConflictError(f"source {name} is {found.kind}: it cannot become {kind}")
    tx.execute(
        update(_T)
        .where(_T.c.name == name)
        .values(timezone=timezone, body=dict(body), updated_ms=now_ms)
    )
    return False


def get_source(tx: Connection, name: str, deleted: bool = False) -> Source | None:
    """The source, unless it was deleted (or with ``deleted``, also then)."""
    row = tx.execute(_BY_NAME, {"name": name}).one_or_none()
    if row is None or (row.deleted_ms is not None and not deleted):
        return None
    return Source(**row._asdict())


def list_sources(
    tx: Connection,
    names: Collection[str] | None = None,
    limit: int | None = 1000,
    after: str = "",
    deleted: bool = False,
) -> list[Source]:
    """Sources by name, after a name; ``names`` limits to what a caller may see."""
    query = select(_T).where(_T.c.name > after)
    if not deleted:
        query = query.where(_T.c.deleted_ms.is_(None))
    if names is not None:
        query = query.where(_T.c.name.in_(names))
    return [Source(**row._asdict()) for row in tx.execute(query.order_by(_T.c.name).limit(limit))]


def delete_source(tx: Connection, name: str, now_ms: int) -> bool:
    """Mark as deleted; the name stays taken."""
    done = tx.execute(
        update(_T).where(_T.c.name == name, _T.c.deleted_ms.is_(None)).values(deleted_ms=now_ms)
    )
    return done.rowcount == 1


def purge_source(tx: Connection, name: str) -> None:
    """Forget the row, its releases, what ingests learned and people said; runs stay."""
    tx.execute(delete(tables.verdicts).where(tables.verdicts.c.source == name))
    tx.execute(delete(tables.metrics).where(tables.metrics.c.source == name))
    tx.execute(delete(tables.releases).where(tables.releases.c.source == name))
    tx.execute(delete(_T).where(_T.c.name == name))
