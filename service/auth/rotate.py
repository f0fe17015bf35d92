"""Gives a token a new secret while the one before it still holds for a while.

The id stays: so do the grants, the audit log's name and the scope of Idempotency-Key. At most two
secrets hold at a time. Rotating again within the overlap keeps the one that people use: while the
newest has never been used (its answer was lost, perhaps), it is the newest that is replaced.
"""

from dataclasses import dataclass

from service.api.times import rfc3339
from service.auth.issue import held_token
from service.auth.secret import hash_token, new_token
from service.clock import DAY_MS
from service.database.audit import record_change
from service.database.engine import Database
from service.database.tokens import Token, update_token
from service.errors import ConflictError, RequestError

DEFAULT_OVERLAP = "24h"
MOST_OVERLAP_MS = 30 * DAY_MS
# Of two that rotate at once, one gets a secret that holds and the other is told to wait.
_JUST_NOW_MS = 10_000


@dataclass(frozen=True)
class _Kept:
    """The secret that goes on holding beside the new one."""

    previous_hash: str | None = None
    previous_until_ms: int | None = None
    previous_used_ms: int | None = None


def rotate_token(
    database: Database, id_: str, overlap_ms: int, now_ms: int, by: str, shown_hash: str = ""
) -> tuple[Token, str]:
    """Store a new secret's hash; returns the record, and the secret for this once.

    ``shown_hash`` is of the secret that the request came with: it is in use. An overlap of 0 ends
    every secret before at once.
    """
    if overlap_ms > MOST_OVERLAP_MS:
        raise RequestError("overlap: at most 30d; two jobs take two tokens", "/overlap")
    secret = new_token()
    with database.write() as tx:
        old = held_token(tx, id_)
        _refuse_ended(old, now_ms)
        kept = _Kept() if overlap_ms == 0 else _kept(old, overlap_ms, now_ms, shown_hash)
        changed = {"hash": hash_token(secret), "last_used_ms": None, "rotated_ms": now_ms}
        update_token(tx, id_, {**changed, **vars(kept)})
        detail = {"previous_until_ms": kept.previous_until_ms}
        record_change(tx, now_ms, by, "token.rotate", id_, detail)
        return held_token(tx, id_), secret


def _refuse_ended(token: Token, now_ms: int) -> None:
    if token.revoked_ms is not None:
        raise ConflictError(f"token {token.id} was revoked: make a new one")
    if token.expires_ms is not None and token.expires_ms <= now_ms:
        raise ConflictError(
            f"token {token.id} has expired: give it a later end first, or make a new one"
        )


def _kept(token: Token, overlap_ms: int, now_ms: int, shown_hash: str) -> _Kept:
    if token.rotated_ms is not None and 0 <= now_ms - token.rotated_ms < _JUST_NOW_MS:
        raise ConflictError(
            f"token {token.id} was rotated a moment ago: use that secret, or try again in "
            f"{_JUST_NOW_MS // 1000} seconds when its answer was lost"
        )
    until_ms = now_ms + overlap_ms
    if token.previous_hash is None or (token.previous_until_ms or 0) <= now_ms:
        return _Kept(token.hash, until_ms, token.last_used_ms)
    if token.last_used_ms is None and shown_hash != token.hash:
        return _Kept(token.previous_hash, until_ms, token.previous_used_ms)
    raise ConflictError(
        f"token {token.id} has two secrets that hold until {rfc3339(token.previous_until_ms or 0)}:"
        " wait until then, or rotate with an overlap of 0s, which ends both at once"
    )
