"""Bearer tokens of batch jobs: stored as hashes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, or_, select, update

from service.database import tables

_T = tables.tokens


@dataclass(frozen=True)
class Token:
    """One token; the token itself is shown once and never stored."""

    id: str
    name: str
    hash: str
    sources: Sequence[str]  # names; "*" is all
    verbs: Sequence[str]  # read, ingest, detect, manage
    created_ms: int
    expires_ms: int | None = None
    last_used_ms: int | None = None  # the newest secret; None: never
    revoked_ms: int | None = None
    previous_hash: str | None = None  # the secret before, while it is replaced
    previous_until_ms: int | None = None
    previous_used_ms: int | None = None
    rotated_ms: int | None = None


def insert_token(tx: Connection, token: Token) -> None:
    """Store a new token's hash."""
    tx.execute(
        insert(_T).values(
            **{**vars(token), "sources": list(token.sources), "verbs": list(token.verbs)}
        )
    )


def token_by_hash(tx: Connection, hash_: str) -> Token | None:
    """The token with this secret, or with this one before; the caller of this decides if it holds.

    An unknown one costs two lookups in indexes, however many tokens there are.
    """
    query = select(_T).where(or_(_T.c.hash == hash_, _T.c.previous_hash == hash_))
    row = tx.execute(query).one_or_none()
    return None if row is None else Token(**row._asdict())


def get_token(tx: Connection, id_: str, hold: bool = False) -> Token | None:
    """One token; ``hold`` lets nobody else change it until the transaction is over."""
    query = select(_T).where(_T.c.id == id_)
    row = tx.execute(query.with_for_update() if hold else query).one_or_none()
    return None if row is None else Token(**row._asdict())


def list_tokens(tx: Connection, limit: int, after: str = "") -> list[Token]:
    """Tokens, oldest first; ``after`` is the id where the page before ended."""
    query = select(_T).where(_T.c.id > after).order_by(_T.c.id).limit(limit)
    return [Token(**row._asdict()) for row in tx.execute(query)]


def update_token(tx: Connection, id_: str, values: Mapping[str, object]) -> None:
    """Set some fields of a token."""
    tx.execute(update(_T).where(_T.c.id == id_).values(**values))


def note_uses(tx: Connection, uses: Mapping[str, int]) -> None:
    """When secrets were used, by their hashes."""
    for hash_, at_ms in sorted(uses.items()):  # one order for all processes: no deadlock
        newest = update(_T).where(_T.c.hash == hash_).values(last_used_ms=at_ms)
        if tx.execute(newest).rowcount == 0:
            before = update(_T).where(_T.c.previous_hash == hash_)
            tx.execute(before.values(previous_used_ms=at_ms))


def count_valid_tokens(tx: Connection, now_ms: int) -> int:
    """Tokens that would be accepted now."""
    query = select(func.count()).where(
        _T.c.revoked_ms.is_(None), (_T.c.expires_ms.is_(None)) | (_T.c.expires_ms > now_ms)
    )
    return int(tx.execute(query).scalar_one())
