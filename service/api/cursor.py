"""Cursors: where a page ended, opaque to the caller."""

import base64
import binascii
import json
from typing import Any

from service.api.errors import QueryError


def encode(*position: str | int) -> str:
    """A position as a cursor."""
    text = json.dumps(position, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """The position that a cursor holds; refused when this route did not make it."""
    if not cursor:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        position = None
    fits = isinstance(position, list) and len(position) == len(kinds)
    if not fits or not all(map(_is, position, kinds)):
        raise QueryError(
            "cursor", "is not a cursor of this list: take `cursor` of the page before, as it is"
        )
    return tuple(position)


def _is(part: object, kind: type) -> bool:
    """Whether a part is of the kind, and no number that a database could not hold."""
    return type(part) is kind and not (isinstance(part, int) and abs(part) >= 1 << 63)
