"""The one place that decides who the caller of a request is.

:func:`who` asks each way in turn. A way answers with a caller, with None when the request does
not use it, or raises UnauthenticatedError when it does and is not accepted: a wrong token never
becomes the local administrator. Another manner of logging in is another way in the list.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from service.auth.caller import LOCAL_ADMIN, Caller, Verb
from service.auth.local_guard import why_not_local
from service.auth.secret import PREFIX, hash_token
from service.errors import UnauthenticatedError

# `last used` is for people: one write a minute and token, not one a request.
_TOUCH_EVERY_MS = 60_000


@dataclass(frozen=True)
class Credentials:
    """What a request says about its sender. Header names are in lower case."""

    headers: Mapping[str, str]
    client_host: str | None


@dataclass(frozen=True)
class StoredToken:
    """A token as the database knows it."""

    id: str
    name: str
    sources: tuple[str, ...]
    verbs: frozenset[Verb]
    expires_ms: int | None
    revoked_ms: int | None
    last_used_ms: int | None


class Way(Protocol):
    """One manner of saying who one is."""

    def caller(self, given: Credentials) -> Caller | None:
        """The caller, or None when the request does not use this way."""
        ...


@dataclass(frozen=True)
class BearerToken:
    """``Authorization: Bearer lps_...``."""

    find: Callable[[str], StoredToken | None]  # by hash
    touch: Callable[[str, int], None]  # (id, now_ms)
    now_ms: Callable[[], int]

    def caller(self, given: Credentials) -> Caller | None:
        header = given.headers.get("authorization")
        if header is None:
            return None
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer" or not text.strip().startswith(PREFIX):
            raise UnauthenticatedError(f"Authorization must be: Bearer {PREFIX}...")
        token = self.find(hash_token(text.strip()))
        now_ms = self.now_ms()
        if token is None:
            raise UnauthenticatedError("this token is not known here")
        if token.revoked_ms is not None:
            raise UnauthenticatedError("this token was revoked")
        if token.expires_ms is not None and token.expires_ms <= now_ms:
            raise UnauthenticatedError("this token has expired")
        if now_ms - (token.last_used_ms or 0) >= _TOUCH_EVERY_MS:
            self.touch(token.id, now_ms)
        return Caller(f"token:{token.id}", token.sources, token.verbs)


@dataclass(frozen=True)
class LocalAdmin:
    """No token, on a loopback address: the person at this machine."""

    def caller(self, given: Credentials) -> Caller | None:
        reason = why_not_local(given.headers, given.client_host)
        if reason is not None:
            raise UnauthenticatedError(f"no token, and not the local administrator: {reason}")
        return LOCAL_ADMIN


def who(ways: Sequence[Way], given: Credentials) -> Caller:
    """The caller of a request, by the first way that it uses."""
    for way in ways:
        caller = way.caller(given)
        if caller is not None:
            return caller
    raise UnauthenticatedError(
        "a token is needed: Authorization: Bearer lps_...; `lupus-server token create` makes one"
    )
