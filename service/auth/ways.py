"""The one place that decides who the caller of a request is.

:func:`who` asks each way in turn. A way answers with a caller, with None when the request does
not use it, or raises UnauthenticatedError when it does and is not accepted: a wrong token never
becomes the local administrator. Another manner of logging in is another way in the list.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from service.auth.caller import ADMIN, LOCAL_ADMIN, VERBS, Caller
from service.auth.credentials import Credentials
from service.auth.local_guard import why_not_local
from service.auth.report_key import ReportKey, ReportKeys
from service.auth.secret import PREFIX, hash_token
from service.clock import Clock
from service.database.engine import Database
from service.database.tokens import token_by_hash, touch_token
from service.errors import UnauthenticatedError
from storage.errors import InvalidError
from storage.secret import Secret

# `last used` is for people: one write a minute and token, not one a request.
_TOUCH_EVERY_MS = 60_000


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
        scheme, _, text = given.headers.get("authorization", "").partition(" ")
        try:
            right = self.secret.read()
        except InvalidError:
            return None  # a file that is gone locks out this one token only
        same = hmac.compare_digest(text.strip().encode(), right.encode())
        # Other tokens are in the database, so this way never refuses.
        return ADMIN if right and same and scheme.lower() == "bearer" else None


@dataclass(frozen=True)
class BearerToken:
    """``Authorization: Bearer lps_...``."""

    database: Database
    clock: Clock

    def caller(self, given: Credentials) -> Caller | None:
        header = given.headers.get("authorization")
        if header is None:
            return None
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer" or not text.strip().startswith(PREFIX):
            raise UnauthenticatedError(f"Authorization must be: Bearer {PREFIX}...")
        now_ms = self.clock.now_ms()
        with self.database.read() as tx:
            token = token_by_hash(tx, hash_token(text.strip()))
        if token is None:
            raise UnauthenticatedError("this token is not known here")
        if token.revoked_ms is not None:
            raise UnauthenticatedError("this token was revoked")
        if token.expires_ms is not None and token.expires_ms <= now_ms:
            raise UnauthenticatedError("this token has expired")
        if now_ms - (token.last_used_ms or 0) >= _TOUCH_EVERY_MS:
            with self.database.write() as tx:
                touch_token(tx, token.id, now_ms)
        verbs = frozenset(verb for verb in VERBS if verb in token.verbs)
        return Caller(f"token:{token.id}", tuple(token.sources), verbs)


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
    loopback_admin: bool,
    admin_token: Secret | None = None,
    report_keys: ReportKeys | None = None,
) -> Sequence[Way]:
    """Tokens always; the local administrator where only this machine can reach the service."""
    ways: list[Way] = [AdminToken(admin_token)] if admin_token else []
    ways.append(BearerToken(database, clock))
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
