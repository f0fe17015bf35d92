"""The audit log: every change, who made it and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from service.database import tables

_T = tables.audit


@dataclass(frozen=True)
class AuditEntry:
    """One change."""

    id: int
    at_ms: int
    caller: str
    action: str  # such as source.put, run.cancel, token.revoke
    object: str
    detail: Mapping[str, Any]


def record_change(
    tx: Connection,
    at_ms: int,
    caller: str,
    action: str,
    object_: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Log a change in the transaction that makes it."""
    tx.execute(
        insert(_T).values(
            at_ms=at_ms, caller=caller, action=action, object=object_, detail=dict(detail or {})
        )
    )


def list_changes(tx: Connection, limit: int, before_id: int | None = None) -> list[AuditEntry]:
    """Newest first."""
    query = select(_T).order_by(_T.c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(_T.c.id < before_id)
    return [AuditEntry(**row._asdict()) for row in tx.execute(query)]
