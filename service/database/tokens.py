"""Bearer tokens of batch jobs: stored as hashes."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

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
    last_used_ms: int | None = None
    revoked_ms: int | None = None
    previous_hash: str | None = None
    previous_until_ms: int | None = None


def insert_token(tx: Connection, token: Token) -> None:
    """Store a new token's hash."""
    tx.execute(
        insert(_T).values(
            **{**vars(token), "sources": list(token.sources), "verbs": list(token.verbs)}
        )
    )


def token_by_hash(tx: Connection, hash_: str) -> Token | None:
    """The token, also when it is revoked or expired: the caller of this decides."""
    row = tx.execute(select(_T).where(_T.c.hash == hash_)).one_or_none()
    return None if row is None else Token(**row._asdict())


def list_tokens(tx: Connection) -> list[Token]:
    """All tokens, oldest first."""
    return [Token(**row._asdict()) for row in tx.execute(select(_T).order_by(_T.c.id))]


def revoke_token(tx: Connection, id_: str, now_ms: int) -> bool:
    """End a token; False when it is unknown or ended before."""
    done = tx.execute(
        update(_T).where(_T.c.id == id_, _T.c.revoked_ms.is_(None)).values(revoked_ms=now_ms)
    )
    return done.rowcount == 1


def touch_token(tx: Connection, id_: str, now_ms: int) -> None:
    """Note that a token was used."""
    tx.execute(update(_T).where(_T.c.id == id_).values(last_used_ms=now_ms))


def count_valid_tokens(tx: Connection, now_ms: int) -> int:
    """Tokens that would be accepted now."""
    query = select(func.count()).where(
        _T.c.revoked_ms.is_(None), (_T.c.expires_ms.is_(None)) | (_T.c.expires_ms > now_ms)
    )
    return int(tx.execute(query).scalar_one())
