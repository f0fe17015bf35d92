"""The caller of a request: a name, and the sources and verbs granted to it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, get_args

Verb = Literal["read", "ingest", "detect", "manage"]
VERBS: tuple[Verb, ...] = get_args(Verb)
EVERYTHING = "*"

# A source's name in which * stands for any letters.
PATTERN = re.compile(r"[a-z0-9*]([a-z0-9._*-]{0,61}[a-z0-9*])?")


@dataclass(frozen=True)
class Caller:
    """Who asks. ``sources`` are names or patterns with ``*``; ``*`` alone is everything."""

    name: str
    sources: tuple[str, ...]
    verbs: frozenset[Verb]

    def sees(self, source: str) -> bool:
        """Whether the source exists for this caller at all; else it answers 404."""
        return any(fnmatchcase(source, pattern) for pattern in self.sources)

    def may(self, verb: Verb, source: str) -> bool:
        """Whether the caller may do this with the source."""
        return verb in self.verbs and self.sees(source)

    def may_everywhere(self, verb: Verb) -> bool:
        """Whether the caller may do this with what belongs to no single source."""
        return verb in self.verbs and EVERYTHING in self.sources

    def granted(self, sources: Iterable[str]) -> list[str]:
        """Those of the sources that exist for this caller."""
        return [source for source in sources if self.sees(source)]


ADMIN = Caller("admin", (EVERYTHING,), frozenset(VERBS))
LOCAL_ADMIN = Caller("local", (EVERYTHING,), frozenset(VERBS))
