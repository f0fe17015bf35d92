"""Idempotency keys: the same key with the same body is the same object, for seven days."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from service.clock import DAY_MS
from service.database import tables
from service.database.locks import lock
from service.errors import KeyReusedError

_T = tables.idempotency
LIFE_MS = 7 * DAY_MS


@dataclass(frozen=True)
class RequestKey:
    """Who sent which key where, and the hash of the parsed body before defaults."""

    caller: str
    route: str
    key: str
    body_hash: str


def find_replay(tx: Connection, key: RequestKey, now_ms: int) -> str | None:
    """The id that an earlier request with this key made; KeyReusedError when its body differs.

    A twin that is being accepted is waited for.
    """
    lock(tx, f"key {key.caller} {key.route} {key.key}")
    row = tx.execute(select(_T).where(*_same(key))).one_or_none()
    if row is None or row.created_ms < now_ms - LIFE_MS:
        return None
    if row.body_hash != key.body_hash:
        raise KeyReusedError(
            "this Idempotency-Key was used with another body in the last 7 days: "
            "use a new key for a new request"
        )
    return str(row.object_id)


def remember(tx: Connection, key: RequestKey, kind: str, object_id: str, now_ms: int) -> None:
    """Bind the key to what this transaction makes; an expired binding is replaced."""
    tx.execute(delete(_T).where(*_same(key)))
    tx.execute(insert(_T).values(**vars(key), kind=kind, object_id=object_id, created_ms=now_ms))


def forget_old(tx: Connection, now_ms: int) -> int:
    """Remove expired keys."""
    return tx.execute(delete(_T).where(_T.c.created_ms < now_ms - LIFE_MS)).rowcount


def _same(key: RequestKey) -> tuple[ColumnElement[bool], ...]:
    return (_T.c.caller == key.caller, _T.c.route == key.route, _T.c.key == key.key)
