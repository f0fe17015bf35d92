"""The audit log: every change, who made it and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select
from structlog.contextvars import get_contextvars

from service.database import tables

_T = tables.audit
SERVICE = "service"  # the caller of what nobody asked for


@dataclass(frozen=True)
class AuditEntry:
    """One change."""

    id: int
    at_ms: int
    caller: str
    action: str  # such as source.put, run.cancel, token.revoke
    object: str
    detail: Mapping[str, Any]
    request: str | None  # its id, when a request made the change


@dataclass(frozen=True)
class AuditFilter:
    """Which changes; what is None does not matter."""

    caller: str | None = None
    action: str | None = None  # a whole one, or a kind of object: `token` is every token.*
    object: str | None = None
    request: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None  # exclusive


EVERY = AuditFilter()


def record_change(
    tx: Connection,
    at_ms: int,
    caller: str,
    action: str,
    object_: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Log a change in the transaction that makes it, with the id that log lines have too."""
    tx.execute(
        insert(_T),
        {
            "at_ms": at_ms,
            "caller": caller,
            "action": action,
            "object": object_,
            "detail": dict(detail or {}),
            "request": get_contextvars().get("request"),
        },
    )


def list_changes(
    tx: Connection, limit: int, which: AuditFilter = EVERY, before_id: int | None = None
) -> list[AuditEntry]:
    """Newest first."""
    query = _narrowed(select(_T), which).order_by(_T.c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(_T.c.id < before_id)
    return [AuditEntry(**row._asdict()) for row in tx.execute(query)]


def _narrowed(query: Select[Any], which: AuditFilter) -> Select[Any]:
    for name in ("caller", "object", "request"):
        if (wanted := getattr(which, name)) is not None:
            query = query.where(_T.c[name] == wanted)
    if which.action is not None:
        kind = _T.c.action.startswith(f"{which.action}.", autoescape=True)
        query = query.where((_T.c.action == which.action) | kind)
    if which.since_ms is not None:
        query = query.where(_T.c.at_ms >= which.since_ms)
    if which.until_ms is not None:
        query = query.where(_T.c.at_ms < which.until_ms)
    return query


def forget_changes(tx: Connection, before_ms: int) -> int:
    """Remove what is older; returns how many."""
    return int(tx.execute(delete(_T).where(_T.c.at_ms < before_ms)).rowcount)
