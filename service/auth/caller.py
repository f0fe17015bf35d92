"""The caller of a request: a name, and what is granted to it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, get_args

Verb = Literal["read", "ingest", "detect", "manage"]
VERBS: tuple[Verb, ...] = get_args(Verb)
EVERYTHING = "*"

# A source's name in which * stands for any letters.
PATTERN = re.compile(r"[a-z0-9*]([a-z0-9._*-]{0,61}[a-z0-9*])?")
_STARS = re.compile(r"\*+")


@dataclass(frozen=True)
class Grant:
    """Verbs on sources: names, or patterns with ``*``; ``*`` alone is everything."""

    sources: tuple[str, ...]
    verbs: frozenset[Verb]

    def covers(self, source: str) -> bool:
        """Whether the source is one of these."""
        return any(fnmatchcase(source, pattern) for pattern in self.sources)


@dataclass(frozen=True)
class Caller:
    """Who asks. What several grants allow is allowed: each verb only on the sources beside it."""

    name: str
    grants: tuple[Grant, ...]
    expires_ms: int | None = None  # when this caller ends, by what it showed
    secret_hash: str = field(default="", repr=False)  # of the token that it showed

    def sees(self, source: str) -> bool:
        """Whether the source exists for this caller at all; else it answers 404."""
        return any(grant.covers(source) for grant in self.grants)

    def may(self, verb: Verb, source: str) -> bool:
        """Whether the caller may do this with the source."""
        return any(verb in grant.verbs and grant.covers(source) for grant in self.grants)

    def may_somewhere(self, verb: Verb) -> bool:
        """Whether there can be a source with which the caller may do this."""
        return any(verb in grant.verbs for grant in self.grants)

    def may_everywhere(self, verb: Verb) -> bool:
        """Whether the caller may do this with what belongs to no single source."""
        return any(verb in grant.verbs and EVERYTHING in grant.sources for grant in self.grants)


def everything(name: str) -> Caller:
    """A caller who may do all there is."""
    return Caller(name, (Grant((EVERYTHING,), frozenset(VERBS)),))


ADMIN = everything("admin")
LOCAL_ADMIN = everything("local")


def token_caller(id_: str) -> str:
    """What a token is called as a caller; it stays when its secret is replaced."""
    return f"token:{id_}"


def tidied(sources: Iterable[str]) -> list[str]:
    """Patterns in one spelling, so that ``**`` is everything as ``*`` is."""
    return sorted({_STARS.sub("*", source) for source in sources})
