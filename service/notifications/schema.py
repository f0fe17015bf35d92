"""JSON Schemas of the messages, for receivers: ``docs/events.json`` is made of them."""

from typing import Any

from service.notifications.events import EVENTS, SEVERITIES
from service.notifications.message import MOST_ROWS
from workflows.report import COUNTS

_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_COUNT = {"type": "integer", "minimum": 0}
_NUMBERS = ("value", "expected", "lower", "upper", "score", "change_percent")
_NUMBER = {"type": ["number", "null"]}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    # Fields may be added to a message within its version: receivers must let them pass.
    properties = {**required, **(optional or {})}
    return {"type": "object", "required": list(required), "properties": properties}


_ROW = _object(
    {
        "anomaly": _TEXT,
        "metric": _TEXT,
        "display_name": _TEXT,
        "labels": _TEXTS,
        "series": _TEXT,
        "time": _TIME,
        "date": _TEXT,
        "severity": {"enum": list(SEVERITIES)},
        "direction": {"enum": ["up", "down", "none"]},
        "reason": _TEXT,
        **dict.fromkeys(
            ("value", "expected", "lower", "upper", "score", "change_percent"), _NUMBER
        ),
        "unit": _TEXT,
        "value_text": _TEXT,
        "expected_text": _TEXT,
        "day": {"type": "integer", "description": "1 on the first local day of the episode."},
        "since": _TIME,
    },
    {
        "phase": {"enum": ["started", "worse", "new", "ended"]},
        "points": _COUNT,
        "link": _TEXT,
    },
)
_ROWS = {"type": "array", "maxItems": MOST_ROWS, "items": {"$ref": "#/$defs/row"}}
_ABOUT = {
    "title": _TEXT,
    "text": _TEXT,
    "source": _object(
        {"name": _TEXT, "display_name": _TEXT, "timezone": _TEXT, "owner": {"type": "object"}}
    ),
    "rule": {"type": ["string", "null"]},
    "detector": _TEXT,
    "run": _TEXT,
    "generation": {"type": "integer"},
    "metrics": {"type": "array", "items": _TEXT},
    "range": _object({"start": _TIME, "end": _TIME}),
    "links": _TEXTS,
}
_OUTCOME = {
    "counts": _object(dict.fromkeys(COUNTS, _COUNT)),
    "not_judged": {"type": "object"},
    "error": _TEXT,
    "failures": {"type": "array", "items": {"type": "object"}},
}
_MORE: dict[str, dict[str, Any]] = {
    "anomaly": {
        "severity": {"enum": [*SEVERITIES, None]},
        "series": _object({"told": _COUNT, "total": _COUNT}),
        "rows": _ROWS,
        "more_rows": _COUNT,
    },
    "withdrawn": {
        "rows": _ROWS,
        "more_rows": _COUNT,
        "withdrawn": _object({"data": _COUNT, "rule": _COUNT}),
    },
}


def events_schema() -> dict[str, Any]:
    """One document: a message is one of the events, told by its type."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Lupus webhook messages",
        "oneOf": [{"$ref": f"#/$defs/{event}"} for event in EVENTS],
        "$defs": {"row": _ROW, **{event: _event(event) for event in EVENTS}},
    }


def _event(event: str) -> dict[str, Any]:
    return _object(
        {
            "type": {"const": f"lupus.{event}.v1"},
            "id": {**_TEXT, "description": "The same at every attempt."},
            "timestamp": _TIME,
            "counter": {**_COUNT, "description": "Grows per channel and rule: drop what is older."},
            "data": _object({**_ABOUT, **_MORE.get(event, {})}, _OUTCOME),
        }
    )
