"""How a detector's parameters are declared, checked and written down.

A parameter is a dataclass field whose metadata holds a JSON Schema fragment and one sentence of
help. The same fragment checks a value on construction and becomes part of the detector's schema.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import timedelta
from numbers import Integral, Real
from typing import Any

import numpy as np

from detectors.errors import ParameterError

Fragment = Mapping[str, Any]

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|min|m|h|d|w)")
_DURATION_PATTERN = r"^[0-9]+(\.[0-9]+)?\s*(ms|s|min|m|h|d|w)$"


@dataclass(frozen=True)
class Needs:
    """Beside which other parameters a parameter has an effect.

    Attributes
    ----------
    words : str
        What it needs.
    met : callable detector -> bool
    """

    words: str
    met: Callable[[Any], bool]


def parameter(
    default: Any,
    schema: Fragment,
    help: str,
    *,
    parse: Callable[[str, Any], Any] | None = None,
    dump: Callable[[Any], Any] | None = None,
    needs: Needs | None = None,
) -> Any:
    """Declare a parameter.

    Parameters
    ----------
    default
        Default value in its final form; a dict or list is copied for each detector.
    schema : mapping
        JSON Schema of the value as it stands in a request, without title and default.
    help : str
        One sentence for people.
    parse : callable (name, value) -> value, optional
        Turns what the caller gave into the final form or raises ParameterError. Without it the
        value is checked against `schema`.
    dump : callable value -> JSON value, optional
        The inverse of `parse`.
    needs : Needs, optional
        Where it has an effect; elsewhere only its default is accepted.
    """
    if needs is not None:
        help = f"{help} Needs {needs.words}."
    metadata = {"schema": schema, "help": help, "parse": parse, "dump": dump, "needs": needs}
    if isinstance(default, dict | list):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


def checked(item: Field[Any], value: Any) -> Any:
    """Give the final form of a parameter's value, or say what is allowed by ParameterError."""
    parse = item.metadata.get("parse")
    if parse is not None:
        return parse(item.name, value)
    schema = item.metadata["schema"]
    value = plain(value)
    if not _fits(value, schema):
        raise ParameterError(item.name, f"{value!r} is not allowed; give {describe(schema)}")
    if isinstance(value, int) and not isinstance(value, bool) and "number" in _types(schema):
        return float(value)
    return value


def dumped(item: Field[Any], value: Any) -> Any:
    """Write a parameter's value as JSON."""
    dump = item.metadata.get("dump")
    return value if dump is None or value is None else dump(value)


def default_of(item: Field[Any]) -> Any:
    """Give a parameter's default in its final form."""
    if item.default_factory is not MISSING:
        return item.default_factory()
    return item.default


def parameters_of(detector: type[Any]) -> tuple[Field[Any], ...]:
    """List the declared parameters of a detector class, common ones first."""
    return tuple(item for item in fields(detector) if "schema" in item.metadata)


def plain(value: Any) -> Any:
    """Python's own number for a numpy scalar."""
    if isinstance(value, bool | np.timedelta64) or value is None:
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    return value.item() if type(value).__name__ == "bool" and hasattr(value, "item") else value


def finite(value: Any) -> float | None:
    """Give a number as a float; None for anything else, no number and too large ones included."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _types(schema: Fragment) -> tuple[str, ...]:
    kind = schema.get("type", ())
    return (kind,) if isinstance(kind, str) else tuple(kind)


def _fits(value: Any, schema: Fragment) -> bool:
    if value is None:
        return "null" in _types(schema) or None in schema.get("enum", ())
    if "enum" in schema:
        return isinstance(value, str) and value in schema["enum"]
    if isinstance(value, bool):
        return "boolean" in _types(schema)
    if isinstance(value, int | float):
        return _is_number(value, schema)
    return isinstance(value, str) and "string" in _types(schema)


def _is_number(value: float, schema: Fragment) -> bool:
    wanted = "number" in _types(schema) or ("integer" in _types(schema) and isinstance(value, int))
    return (
        wanted
        and finite(value) is not None
        and value >= schema.get("minimum", -math.inf)
        and value <= schema.get("maximum", math.inf)
        and value > schema.get("exclusiveMinimum", -math.inf)
        and value < schema.get("exclusiveMaximum", math.inf)
    )


def describe(schema: Fragment) -> str:
    """Say in words what a schema fragment allows."""
    if "enum" in schema:
        return "one of " + ", ".join("null" if x is None else str(x) for x in schema["enum"])
    kinds = _types(schema)
    words = " or ".join({"null": "nothing"}.get(kind, f"a{'n' * (kind[0] in 'aeiou')} {kind}")
                        for kind in kinds)  # fmt: skip
    limits = [
        f"{sign} {schema[key]}"
        for key, sign in (
            ("exclusiveMinimum", ">"),
            ("minimum", ">="),
            ("exclusiveMaximum", "<"),
            ("maximum", "<="),
        )
        if key in schema
    ]
    return " ".join([words, " and ".join(limits)]).strip()


# Durations: a timedelta or a text such as "28d" is a length of time, a whole number counts steps.

LONGEST = timedelta(days=36_525)  # sums of a few such lengths before any point are still dates
_MOST_STEPS = 10_000_000

LENGTH_SCHEMA: Fragment = {
    "anyOf": [
        {"type": "string", "pattern": _DURATION_PATTERN},
        {"type": "integer", "minimum": 0, "maximum": _MOST_STEPS},
    ]
}
OPTIONAL_LENGTH_SCHEMA: Fragment = {"anyOf": [*LENGTH_SCHEMA["anyOf"], {"type": "null"}]}
_LENGTH_WORDS = (
    'a duration such as "28d", "24h" or "15min" up to '
    f"{LONGEST.days}d, or a whole number of steps up to {_MOST_STEPS}"
)

Length = timedelta | int


def parse_length(name: str, value: Any) -> Length:
    """Read a duration or a count of steps, neither of them negative."""
    length = _length(plain(value))
    allowed = (
        timedelta() <= length <= LONGEST
        if isinstance(length, timedelta)
        else length is not None and 0 <= length <= _MOST_STEPS
    )
    if length is None or not allowed:
        raise ParameterError(name, f"{value!r} is not allowed; give {_LENGTH_WORDS}")
    return length


def parse_optional_length(name: str, value: Any) -> Length | None:
    """As `parse_length`, and None for the default."""
    return None if value is None else parse_length(name, value)


def dump_length(length: Length) -> int | str:
    """Give the shortest spelling that `parse_length` reads back."""
    if isinstance(length, int):
        return length
    for unit in ("d", "h", "min", "s", "ms"):
        if length % _UNITS[unit] == timedelta(0):
            return f"{length // _UNITS[unit]}{unit}"
    return f"{length / _UNITS['ms']}ms"


def total(count: int, length: timedelta) -> timedelta:
    """Multiply, up to `LONGEST`."""
    return length * min(count, -(-LONGEST // length)) if length else length


def _length(value: Any) -> Length | None:
    if isinstance(value, np.timedelta64):
        value = value.astype("timedelta64[us]").item()
    if isinstance(value, str):
        return _duration(value)
    is_length = isinstance(value, timedelta | int) and not isinstance(value, bool)
    return value if is_length else None


def _duration(text: str) -> timedelta | None:
    match = _DURATION.fullmatch(text.strip())
    try:
        return float(match[1]) * _UNITS[match[2]] if match else None
    except OverflowError:
        return None
