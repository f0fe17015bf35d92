"""JSON pointers (RFC 6901) to the fields of a body."""

from collections.abc import Sequence
from typing import Any


def escape(part: object) -> str:
    """One part of a JSON pointer."""
    return str(part).replace("~", "~0").replace("/", "~1")


def pointer_to(path: Sequence[Any], body: Any, missing: bool = False) -> str:
    """The JSON pointer of a schema's location; parts that the body does not have are its own."""
    pointer = ""
    for number, part in enumerate(path):
        in_object = isinstance(body, dict) and part in body
        if in_object or (isinstance(body, list) and isinstance(part, int) and part < len(body)):
            body = body[part]
        elif not (missing and number == len(path) - 1):
            continue
        pointer += f"/{escape(part)}"
    return pointer
