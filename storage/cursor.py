"""Opaque cursors: where a page ended, safe to put into a URL.

A cursor holds the sort values of the last document seen, so that pages neither repeat nor lose
a document that existed all the time, whatever is written in between.
"""

import base64
import json
from typing import Literal

from storage.errors import CursorError, InvalidError

Kind = Literal["anomalies", "series"]
_SHAPES: dict[Kind, tuple[type, ...]] = {"anomalies": (int, str), "series": (str, str)}


def checked_limit(limit: int) -> int:
    """The most documents of a page; InvalidError for none or fewer."""
    if limit < 1:
        raise InvalidError(f"limit {limit}: allowed are whole numbers from 1")
    return limit


def encode(kind: Kind, *position: str | int) -> str:
    """The cursor after the document at this position."""
    text = json.dumps([kind, *position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(kind: Kind, cursor: str) -> tuple[str | int, ...]:
    """The position of a cursor of this kind; InvalidError for anything else."""
    refusal = CursorError("cursor: is not one that a page of this search gave")
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        raise refusal from None
    if not isinstance(found, list) or found[:1] != [kind]:
        raise refusal
    position = tuple(found[1:])
    if tuple(type(part) for part in position) != _SHAPES[kind]:
        raise refusal
    if any(isinstance(part, int) and abs(part) >= 1 << 63 for part in position):
        raise refusal  # no store could hold it
    return position
