"""Makes a token: the same for the API and for the command line."""

from collections.abc import Sequence

from service.auth.caller import Verb
from service.auth.secret import hash_token, new_token
from service.database.audit import record_change
from service.database.engine import Database
from service.database.tokens import Token, insert_token
from service.identifier import new_id


def issue_token(
    database: Database,
    name: str,
    sources: Sequence[str],
    verbs: Sequence[Verb],
    life_ms: int | None,
    now_ms: int,
    by: str,
) -> tuple[Token, str]:
    """Store a new token's hash; returns the record, and the token itself for this once."""
    secret = new_token()
    token = Token(
        id=new_id(now_ms),
        name=name,
        hash=hash_token(secret),
        sources=sorted(set(sources)),
        verbs=sorted(set(verbs)),
        created_ms=now_ms,
        expires_ms=None if life_ms is None else now_ms + life_ms,
    )
    with database.write() as tx:
        insert_token(tx, token)
        granted = {"name": name, "sources": token.sources, "verbs": token.verbs}
        record_change(tx, now_ms, by, "token.create", token.id, granted)
    return token, secret
