"""Names of objects: the same in a folder, in a bucket and in a log line."""

import re

from storage.errors import InvalidError

_SEGMENT = r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*"
NAME = re.compile(rf"{_SEGMENT}(/{_SEGMENT})*")
PREFIX = re.compile(rf"(({_SEGMENT}/)*({_SEGMENT})?)")


def checked_name(name: str) -> str:
    """Return a name, or say what is allowed."""
    if not NAME.fullmatch(name):
        raise _bad_name(name)
    return name


def checked_prefix(prefix: str) -> str:
    """Return how names may begin, or say what is allowed."""
    if not PREFIX.fullmatch(prefix):
        raise _bad_name(prefix)
    return prefix


def _bad_name(name: str) -> InvalidError:
    return InvalidError(
        f"object name {name!r}: allowed are parts of A-Z a-z 0-9 . _ = - that do not begin "
        "with a dot, joined by single slashes"
    )
