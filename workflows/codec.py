"""Frozen dataclasses as JSON and back: requests, plans, records and reports.

The JSON says which ``format`` it has, so that an upgrade in the middle of a run is noticed, never
misread. Fields that are missing take their defaults; unknown fields are an error.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, cast

from workflows.errors import CommitError

T = TypeVar("T")

# Metadata of a field that is not written while it has its default: steps of an older image go on.
LEFT_OUT: Mapping[str, bool] = types.MappingProxyType({"left_out": True})


def dump(value: object, format_: int) -> bytes:
    """A frozen dataclass as JSON bytes with its format number; NaN and infinity are refused."""
    content = {"format": format_, **to_plain(value)}
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1).encode()


def load(cls: type[T], data: bytes, format_: int) -> T:
    """What :func:`dump` wrote; CommitError when it is not that."""
    try:
        content = json.loads(data)
    except ValueError as error:
        raise CommitError(f"{cls.__name__}: not JSON: {error}") from error
    if not isinstance(content, dict) or content.pop("format", None) != format_:
        raise CommitError(f"{cls.__name__}: not of format {format_}, which this version reads")
    return from_plain(cls, content)


def to_plain(value: Any) -> Any:
    """JSON values of a dataclass, at any depth."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: to_plain(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if not (f.metadata == LEFT_OUT and getattr(value, f.name) == f.default)
        }
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_plain(item) for item in value]
    return value


def from_plain(cls: type[T], content: object) -> T:
    """The dataclass of JSON values; CommitError names the field that does not fit."""
    return cast(T, _read(cls, content, cls.__name__))


def _read(hint: Any, value: Any, where: str) -> Any:
    if hint is Any or hint is object:
        return value
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _read_optional(hint, value, where)
    if origin is Literal:
        _require(value in typing.get_args(hint), where, f"one of {typing.get_args(hint)}", value)
        return value
    if dataclasses.is_dataclass(hint):
        return _read_dataclass(cast(type, hint), value, where)
    if origin is not None and issubclass(origin, Mapping):
        _require(isinstance(value, dict), where, "an object", value)
        item = typing.get_args(hint)[1]
        return {key: _read(item, v, f"{where}.{key}") for key, v in value.items()}
    if origin is not None and issubclass(origin, Sequence):
        return _read_sequence(hint, value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    _require(type(value) is hint, where, f"a value of type {hint}", value)
    return value


def _read_optional(hint: Any, value: Any, where: str) -> Any:
    arms = typing.get_args(hint)
    if value is None and types.NoneType in arms:
        return None
    others = [arm for arm in arms if arm is not types.NoneType]
    _require(len(others) == 1 and value is not None, where, f"one of {arms}", value)
    return _read(others[0], value, where)


def _read_sequence(hint: Any, value: Any, where: str) -> tuple[Any, ...]:
    _require(isinstance(value, list), where, "a list", value)
    items = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and (len(items) != 2 or items[1] is not Ellipsis):
        _require(len(items) == len(value), where, f"{len(items)} items", value)
        return tuple(
            _read(h, v, f"{where}[{i}]") for i, (h, v) in enumerate(zip(items, value, strict=True))
        )
    return tuple(_read(items[0], v, f"{where}[{i}]") for i, v in enumerate(value))


def _read_dataclass(cls: type, value: Any, where: str) -> Any:
    _require(isinstance(value, dict), where, "an object", value)
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}
    unknown = sorted(value.keys() - fields.keys())
    _require(not unknown, where, f"no fields {unknown}", "them")
    given = {name: _read(hints[name], v, f"{where}.{name}") for name, v in value.items()}
    try:
        return cls(**given)
    except TypeError as error:
        raise CommitError(f"{where}: {error}") from error


def _require(fits: bool, where: str, wanted: str, value: object) -> None:
    if not fits:
        raise CommitError(f"{where}: expected {wanted}, found {value!r:.100}")
