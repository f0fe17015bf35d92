"""The one place that decides who the caller of a request is.

:func:`who` asks each way in turn. A way answers with a caller, with None when the request does
not use it, or raises UnauthenticatedError when it does and is not accepted: a wrong token never
becomes the local administrator. Another manner of logging in is another way in the list.
"""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from service.api.times import rfc3339
from service.auth.caller import ADMIN, LOCAL_ADMIN, VERBS, Caller, Grant, token_caller
from service.auth.credentials import Credentials
from service.auth.last_use import LastUse
from service.auth.life import ends_soon
from service.auth.local_guard import why_not_local
from service.auth.report_key import ReportKey, ReportKeys
from service.auth.secret import PREFIX, hash_token
from service.clock import DAY_MS, Clock
from service.database.engine import Database
from service.database.tokens import Token, token_by_hash
from service.errors import UnauthenticatedError
from storage.errors import InvalidError
from storage.secret import Secret

_log = structlog.get_logger("service.auth")


class Way(Protocol):
    """One manner of saying who one is."""

    def caller(self, given: Credentials) -> Caller | None:
        """The caller, or None when the request does not use this way."""
        ...


@dataclass(frozen=True)
class AdminToken:
    """The administrator's token of the settings; a rotated file holds at once."""

    secret: Secret

    def caller(self, given: Credentials) -> Caller | None:
        scheme, text = _shown(given.headers.get("authorization", ""))
        try:
            right = self.secret.read()
        except InvalidError:
            return None  # a file that is gone locks out this one token only
        same = hmac.compare_digest(text.encode(), right.encode())
        # Other tokens are in the database, so this way never refuses.
        return ADMIN if right and same and scheme == "bearer" else None


@dataclass(frozen=True)
class BearerToken:
    """``Authorization: Bearer lps_...``, or the same as the password of Basic."""

    database: Database
    clock: Clock
    uses: LastUse

    def caller(self, given: Credentials) -> Caller | None:
        header = given.headers.get("authorization")
        if header is None:
            return None
        scheme, text = _shown(header)
        if scheme != "bearer" or not text.startswith(PREFIX):
            raise UnauthenticatedError(f"Authorization must be: Bearer {PREFIX}...")
        now_ms, shown = self.clock.now_ms(), hash_token(text)
        with self.database.read() as tx:
            token = token_by_hash(tx, shown)
        if token is None:
            raise UnauthenticatedError("this token is not known here")
        _refuse_ended(token, shown, now_ms)
        self._note(token, shown, now_ms)
        grant = Grant(tuple(token.sources), frozenset(v for v in VERBS if v in token.verbs))
        return Caller(token_caller(token.id), (grant,), _end(token, shown), shown)

    def _note(self, token: Token, shown: str, now_ms: int) -> None:
        before_ms = token.last_used_ms if shown == token.hash else token.previous_used_ms
        written = self.uses.note(shown, before_ms, now_ms)
        a_new_day = (before_ms or 0) // DAY_MS != now_ms // DAY_MS
        if written and a_new_day and ends_soon(_end(token, shown), now_ms):
            end = rfc3339(_end(token, shown) or 0)
            _log.warning("token_ends_soon", token=token.id, name=token.name, expires_at=end)


def _shown(header: str) -> tuple[str, str]:
    """Scheme and token. Some clients know Basic only: there the password is the token."""
    scheme, _, text = header.partition(" ")
    scheme, text = scheme.lower(), text.strip()
    if scheme != "basic":
        return scheme, text
    try:
        _, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return scheme, text
    return ("bearer" if password else scheme), password


def _end(token: Token, shown: str) -> int | None:
    """When this secret of the token ends."""
    ends = [token.expires_ms, None if shown == token.hash else token.previous_until_ms]
    return min((end for end in ends if end is not None), default=None)


def _refuse_ended(token: Token, shown: str, now_ms: int) -> None:
    if token.revoked_ms is not None:
        raise UnauthenticatedError("this token was revoked")
    if token.expires_ms is not None and token.expires_ms <= now_ms:
        raise UnauthenticatedError("this token has expired")
    if shown != token.hash and (token.previous_until_ms or 0) <= now_ms:
        raise UnauthenticatedError("this token was replaced: it has a newer secret")


@dataclass(frozen=True)
class LocalAdmin:
    """No token, on a loopback address: the person at this machine."""

    def caller(self, given: Credentials) -> Caller | None:
        reason = why_not_local(given.headers, given.client_host)
        if reason is not None:
            raise UnauthenticatedError(f"no token, and not the local administrator: {reason}")
        return LOCAL_ADMIN


def ways_of(
    database: Database,
    clock: Clock,
    uses: LastUse,
    loopback_admin: bool,
    admin_token: Secret | None = None,
    report_keys: ReportKeys | None = None,
) -> Sequence[Way]:
    """Tokens always; the local administrator where only this machine can reach the service."""
    ways: list[Way] = [AdminToken(admin_token)] if admin_token else []
    ways.append(BearerToken(database, clock, uses))
    if report_keys is not None:
        ways.append(ReportKey(database, clock, report_keys))
    return (*ways, LocalAdmin()) if loopback_admin else tuple(ways)


def who(ways: Sequence[Way], given: Credentials) -> Caller:
    """The caller of a request, by the first way that it uses."""
    for way in ways:
        caller = way.caller(given)
        if caller is not None:
            return caller
    raise UnauthenticatedError(
        "a token is needed: Authorization: Bearer lps_...; `lupus-server token create` makes one"
    )
