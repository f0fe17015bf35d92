"""Makes, changes and ends tokens: the same for the API and for the command line."""

from collections.abc import Sequence

from sqlalchemy import Connection

from service.auth.caller import VERBS, Verb, tidied
from service.auth.secret import hash_token, new_token
from service.database.audit import record_change
from service.database.engine import Database
from service.database.tokens import Token, get_token, insert_token, update_token
from service.errors import ConflictError, UnknownError
from service.identifier import new_id


def issue_token(
    database: Database,
    name: str,
    sources: Sequence[str],
    verbs: Sequence[Verb],
    expires_ms: int | None,
    now_ms: int,
    by: str,
) -> tuple[Token, str]:
    """Store a new token's hash; returns the record, and the token itself for this once."""
    secret = new_token()
    token = Token(
        id=new_id(now_ms),
        name=name,
        hash=hash_token(secret),
        sources=tidied(sources),
        verbs=ordered(verbs),
        created_ms=now_ms,
        expires_ms=expires_ms,
    )
    with database.write() as tx:
        insert_token(tx, token)
        granted = {
            "name": name,
            "sources": token.sources,
            "verbs": token.verbs,
            "expires_ms": expires_ms,
        }
        record_change(tx, now_ms, by, "token.create", token.id, granted)
    return token, secret


def change_token(
    database: Database, id_: str, changes: dict[str, object], now_ms: int, by: str
) -> Token:
    """Set some of name, sources, verbs and expires_ms; a token that was revoked stays so."""
    with database.write() as tx:
        old = held_token(tx, id_)
        if old.revoked_ms is not None:
            raise ConflictError(f"token {id_} was revoked: make a new one")
        changed = {name: value for name, value in changes.items() if getattr(old, name) != value}
        if changed:
            update_token(tx, id_, changed)
            record_change(tx, now_ms, by, "token.change", id_, changed)
        return held_token(tx, id_)


def revoke_token(database: Database, id_: str, now_ms: int, by: str) -> None:
    """End a token with all its secrets; again is a no-op."""
    with database.write() as tx:
        if held_token(tx, id_).revoked_ms is None:
            update_token(tx, id_, {"revoked_ms": now_ms})
            record_change(tx, now_ms, by, "token.revoke", id_)


def held_token(tx: Connection, id_: str) -> Token:
    """The token, which nobody else changes until this transaction is over."""
    token = get_token(tx, id_, hold=True)
    if token is None:
        raise UnknownError(f"token {id_} does not exist")
    return token


def ordered(verbs: Sequence[Verb]) -> list[Verb]:
    """Each verb once, in the order in which they are documented."""
    return [verb for verb in VERBS if verb in verbs]
