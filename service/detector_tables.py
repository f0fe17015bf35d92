"""The tables of docs/detectors/ that follow from the detectors: their parameters, their history."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from detectors import detector_from_dict
from detectors.auto.choice import choices_at
from detectors.auto.quiet import quiet
from detectors.catalog import detector_class, detector_types
from detectors.detector import Detector
from detectors.parameters import LENGTH_SCHEMA, default_of, dumped, parameters_of
from detectors.schema import json_schema

FOLDER = "detectors"
_COMMON = "common"

_STEPS = {"daily": timedelta(days=1), "hourly": timedelta(hours=1), "5 min": timedelta(minutes=5)}
_STEP_HEADS = " | ".join(f"{step} points" for step in _STEPS)
_LENGTH = 'a duration `"28d"`, `"12h"`, `"5min"` or a number of steps'
# A week judged, as in most requests; the dates themselves do not matter.
_WEEK = (datetime.fromisoformat("2026-11-02T00:00Z"), datetime.fromisoformat("2026-11-09T00:00Z"))
# The one type that needs to be told something.
_LEAST = {"threshold": {"lower": 0}}


def page_names() -> tuple[str, ...]:
    """The pages that hold generated tables, below docs/."""
    return tuple(f"{FOLDER}/{name}.md" for name in (_COMMON, *detector_types()))


def filled(page: str, text: str) -> str:
    """A page's text with its tables made anew between their markers."""
    name = Path(page).stem
    tables: dict[str, Callable[[str], str]] = {"parameters": parameter_table}
    if name == _COMMON:
        tables["filled"] = filled_table
    else:
        tables["history"] = history_table
    if name == "auto":
        tables["choices"] = choice_table
    for table, made in tables.items():
        begin, end = f"<!-- {table} -->", f"<!-- /{table} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"{page} lacks {begin} ... {end}")
        text = f"{before}{begin}\n{made(name)}{end}{after}"
    return text


def parameter_table(name: str) -> str:
    """Every parameter that is a detector's own; a line names the ones that all share."""
    if name == _COMMON:
        schema = {item.name: item for item in parameters_of(Detector)}
        rows = [
            _row(
                key,
                {
                    **item.metadata["schema"],
                    "description": item.metadata["help"],
                    "default": dumped(item, default_of(item)),
                },
            )
            for key, item in schema.items()
        ]
        return _HEAD + "".join(rows)
    described = json_schema(detector_class(name))["properties"]
    shared = shared_names(name)
    rows = [_row(key, one) for key, one in described.items() if key not in {"type", *shared}]
    links = ", ".join(f"[`{key}`](common.md#{key})" for key in shared)
    return f"{_HEAD}{''.join(rows)}\nAs every detector: {links}.\n"


def shared_names(type_: str) -> list[str]:
    """Parameters that a type has exactly as every detector has them."""
    own = {item.name: item.metadata["help"] for item in parameters_of(detector_class(type_))}
    return [
        item.name for item in parameters_of(Detector) if own.get(item.name) == item.metadata["help"]
    ]


def history_table(type_: str) -> str:
    """How much before a judged week the verdicts on it depend on, with default parameters."""
    detector = detector_from_dict({"type": type_, **_LEAST.get(type_, {})})
    cells = [_days(detector.history(*_WEEK, step)) for step in _STEPS.values()]
    return (
        f"| read before a judged week | {_STEP_HEADS} |\n|---|{'---|' * len(cells)}\n"
        f"| `{type_}`, default parameters | {' | '.join(cells)} |\n"
    )


def filled_table(_: str) -> str:
    """What requests fill in for detectors whose own defaults do not suit every step."""
    cells = {
        words: [json.dumps(dict(quiet(type_, _milliseconds(step), method))) for step in _STEPS]
        for words, type_, method in (
            ("`window`, method `z`", "window", "z"),
            ("`window`, method `robust`", "window", "robust"),
            ("`prophet`", "prophet", ""),
        )
    }
    rows = [f"| {words} | " + " | ".join(map(_code, row)) + " |\n" for words, row in cells.items()]
    return f"| a request fills in | {_STEP_HEADS} |\n|---|---|---|---|\n{''.join(rows)}"


def choice_table(_: str) -> str:
    """What `auto` takes at each step, by the history before the range."""
    rows = []
    for words in _STEPS:
        step_ms = _milliseconds(words)
        for least, choice in choices_at(step_ms):
            taken = _code(json.dumps(dict(choice.parameters)))
            rows.append(f"| {words} | {least // step_ms:,} | {taken} |\n")
    return f"| points | that many before the range | what judges |\n|---|---|---|\n{''.join(rows)}"


def _milliseconds(step: str) -> int:
    return _STEPS[step] // timedelta(milliseconds=1)


def _code(text: str) -> str:
    return "" if text == "{}" else f"`{text}`"


def _days(length: timedelta) -> str:
    if not length:
        return "nothing"
    return f"{length / timedelta(days=1):.1f} days".replace(".0 ", " ")


_HEAD = "| parameter | default | allowed | meaning |\n|---|---|---|---|\n"


def _row(name: str, described: Mapping[str, Any]) -> str:
    cells = (
        f"`{name}`",
        f"`{json.dumps(described['default'])}`",
        allowed(described),
        described["description"],
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def allowed(schema: Mapping[str, Any]) -> str:
    """What a fragment of JSON Schema lets through, in words."""
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "anyOf" in schema:
        parts = [part for part in schema["anyOf"] if part not in LENGTH_SCHEMA["anyOf"]]
        is_length = len(parts) < len(schema["anyOf"])
        return " or ".join([*[_LENGTH] * is_length, *map(allowed, parts)])
    kinds = schema.get("type", "anything")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return " or ".join(_kind(kind, schema) for kind in kinds)


def _kind(kind: str, schema: Mapping[str, Any]) -> str:
    if kind == "null":
        return "`null`"
    if kind == "boolean":
        return "`true`, `false`"
    if kind == "string":
        return _text(schema)
    if kind == "array":
        inside = allowed(schema.get("items", {}))
        pair = schema.get("minItems") == schema.get("maxItems") == 2
        return f"[{inside}, {inside}]" if pair else f"a list, each {inside}"
    if kind == "object":
        names = ", ".join(f"`{name}`" for name in schema.get("properties", {}))
        return f"an object of {names}" if names else "an object"
    return " ".join(filter(None, ["whole number" if kind == "integer" else "number",
                                  _limits(schema)]))  # fmt: skip


def _text(schema: Mapping[str, Any]) -> str:
    if schema.get("format") == "date":
        return 'a date `"2026-12-25"`'
    pattern = schema.get("pattern", "")
    for examples in (("7d", "2w"), ("DE", "US-NY")):
        if pattern and all(re.search(pattern, one) for one in examples):
            return ", ".join(f'`"{one}"`' for one in examples)
    return f"text like `{pattern}`" if pattern else "text"


def _limits(schema: Mapping[str, Any]) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    return ", ".join(
        f"{sign} {_plain(schema[key])}" for key, sign in signs.items() if key in schema
    )


def _plain(number: float) -> str:
    return f"{int(number):,}" if number == int(number) else f"{number:g}"
