"""Channels: destinations of notifications. Secrets are stored encrypted, apart from the body."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from service.database import tables
from service.database.ledger import forget_channel
from service.errors import ConflictError

_T = tables.channels


@dataclass(frozen=True)
class Channel:
    """One channel; ``secret`` is encrypted, ``body`` has none but a webhook's URL."""

    name: str
    kind: str
    body: Mapping[str, Any]
    secret: str
    events: Sequence[str]
    created_ms: int
    updated_ms: int
    disabled_reason: str = ""
    deleted_ms: int | None = None


# The table has a column more, which only the version before reads.
_COLUMNS = [_T.c[name] for name in Channel.__dataclass_fields__]


def put_channel(tx: Connection, channel: Channel) -> bool:
    """Create (True) or replace (False); replacing enables a disabled channel again."""
    found = tx.execute(select(_T).where(_T.c.name == channel.name)).one_or_none()
    if found is None:
        tx.execute(insert(_T).values(**vars(channel)))
        return True
    if found.deleted_ms is None and found.kind != channel.kind:
        raise ConflictError(f"channel {channel.name} is a {found.kind}: delete it first")
    values = {**vars(channel), "created_ms": found.created_ms}
    tx.execute(update(_T).where(_T.c.name == channel.name).values(**values))
    return found.deleted_ms is not None


def get_channel(tx: Connection, name: str) -> Channel | None:
    """The channel, unless it was deleted."""
    query = select(*_COLUMNS).where(_T.c.name == name, _T.c.deleted_ms.is_(None))
    row = tx.execute(query).one_or_none()
    return None if row is None else Channel(**row._asdict())


def list_channels(tx: Connection, limit: int = 1000, after: str = "") -> list[Channel]:
    """Channels by name, after a name."""
    query = (
        select(*_COLUMNS)
        .where(_T.c.deleted_ms.is_(None), _T.c.name > after)
        .order_by(_T.c.name)
        .limit(limit)
    )
    return [Channel(**row._asdict()) for row in tx.execute(query)]


def update_channel(tx: Connection, name: str, **values: Any) -> bool:
    """Change single columns of a channel that is there."""
    done = tx.execute(
        update(_T).where(_T.c.name == name, _T.c.deleted_ms.is_(None)).values(**values)
    )
    return done.rowcount == 1


def delete_channel(tx: Connection, name: str, now_ms: int) -> bool:
    """Forget the secret and what it was told, and speak no more; deliveries stay listed."""
    forget_channel(tx, name)
    return update_channel(tx, name, deleted_ms=now_ms, secret="")
