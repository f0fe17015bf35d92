"""JSON as callers must send it: one value for each key, no NaN, no NUL, no bottomless nesting."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from service.api.pointer import escape
from service.errors import RequestError


def read_json(data: bytes | str) -> Any:
    """The value; RequestError says where it is wrong.

    A key that is there twice would be taken once, and readers differ in which; NUL is kept by no
    PostgreSQL.
    """
    try:
        value = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise RequestError(f"the body is not JSON: {error}") from None
    _refuse_doubles(data)
    if (b"\\u0000" if isinstance(data, bytes) else "\\u0000") in data:  # type: ignore[operator]
        _refuse_nul(value)
    return value


class _Doubled(dict[str, Any]):
    """An object that has a key more than once."""

    key = ""


def _refuse_doubles(data: bytes | str) -> None:
    doubled: list[_Doubled] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        marked = _Doubled(found)
        names = [name for name, _ in pairs]
        marked.key = next(name for name in names if names.count(name) > 1)
        doubled.append(marked)
        return marked

    value = json.loads(data, object_pairs_hook=unique)
    if doubled:
        first = doubled[0]
        place = next(pointer for pointer, part in _parts(value) if part is first)
        raise RequestError(
            f"{first.key[:100]!r} is there twice; allowed is one value for each key",
            f"{place}/{escape(first.key)}",
        )


def _refuse_nul(value: Any) -> None:
    for pointer, part in _parts(value):
        names = part if isinstance(part, dict) else ()
        if (isinstance(part, str) and "\0" in part) or any("\0" in name for name in names):
            raise RequestError("NUL: allowed are all characters but NUL", pointer)


def _parts(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Every part of a value with its JSON pointer."""
    yield pointer, value
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _parts(part, f"{pointer}/{escape(name)}")
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _parts(part, f"{pointer}/{number}")
