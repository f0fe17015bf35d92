"""JSON Schemas of the messages, for receivers: ``docs/events.json`` is made of them."""

from typing import Any

from service.notifications.digest import MOST_EPISODES, MOST_ROWS
from service.notifications.events import EVENTS, JOB_EVENTS, SEVERITIES
from service.notifications.examples import examples
from workflows.report import COUNTS

_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_COUNT = {"type": "integer", "minimum": 0}
_NUMBER = {"type": ["number", "null"]}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_SEVERITY_OR_NONE = {"enum": [*SEVERITIES, None]}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    # Fields may be added to a message within its version: receivers must let them pass.
    properties = {**required, **(optional or {})}
    return {"type": "object", "required": list(required), "properties": properties}


def _words(says: str) -> dict[str, Any]:
    """Text for people: plain, without markup, not escaped."""
    return {**_TEXT, "description": says}


def _sentences(says: str) -> dict[str, Any]:
    return {"type": "array", "items": _TEXT, "description": says}


_PHASE = {
    "enum": ["started", "worse", "new", "ended", "withdrawn"],
    "description": "What is new: an episode started, got worse, is over; a point is new (repeat "
    "always); what was told is withdrawn.",
}
_ROW = _object(
    {
        "anomaly": _TEXT,
        "series_id": {**_TEXT, "description": "The same in every run: 32 hex digits."},
        "metric": _TEXT,
        "display_name": _TEXT,
        "labels": _TEXTS,
        "series": _TEXT,
        "time": _TIME,
        "date": _words("The time on the source's clock: `Sun 8 Nov 2026`."),
        "severity": {"enum": list(SEVERITIES)},
        "direction": {"enum": ["up", "down", "none"]},
        "reason": _TEXT,
        **dict.fromkeys(
            ("value", "expected", "lower", "upper", "score", "change_percent"), _NUMBER
        ),
        "unit": _TEXT,
        "value_text": _words("The value in the metric's format."),
        "expected_text": _words("`0.35 to 0.45`, `at least 0.3`; empty when nothing is expected."),
        "change_text": _words("`-50 %`; empty when there is nothing to compare with."),
        "name_text": _words("The metric's display name and the labels."),
        "labels_text": _words("`region jp, model dnn-v4`."),
        "phase_text": _words("`new`, `3rd day`, `worse than reported on Sun 8 Nov`."),
        "sentence": _words("Value, expected range, change, date and phase in one line."),
        "day": {"type": "integer", "description": "1 on the first local day of the episode."},
        "since": {**_TIME, "description": "When the episode began."},
        "phase": _PHASE,
    },
    {
        "points": {**_COUNT, "description": "How many points the row speaks of."},
        "link": {**_TEXT, "description": "The anomaly in the API."},
        "report": {**_TEXT, "description": "The anomaly in the run's report."},
        "release": {
            **_object(
                {
                    "name": _TEXT,
                    "time": _TIME,
                    "day": {"type": "integer", "description": "1 on the day of the release."},
                    "text": _words("`2nd day of release ranker v10`."),
                },
                {"link": _TEXT},
            ),
            "description": "The newest release of the last two weeks that the episode began with "
            "or after.",
        },
        "change": {
            **_object(
                {
                    "kind": {"enum": ["level", "slope"]},
                    "size": {"type": "number", "description": "Of a slope: a day."},
                    "confidence": {"type": "number", "minimum": 0, "maximum": 1},
                    "earliest": _TIME,
                    "latest": _TIME,
                    "text": _words("`level rose by 12.3 on Tue 3 Nov 2026, 99.5 % sure`."),
                }
            ),
            "description": "Of a detector of changes: which change the point begins.",
        },
    },
)
_EPISODE = _object(
    {
        "series_id": _TEXT,
        "metric": _TEXT,
        "labels": _TEXTS,
        "since": _TIME,
        "phase": _PHASE,
        "anomaly": _TEXT,
        "was": {
            **_SEVERITY_OR_NONE,
            "description": "The worst that this channel was told of it before and that stood.",
        },
        "now": {**_SEVERITY_OR_NONE, "description": "The worst that stands now; null: it is over."},
    }
)
_ROWS = {
    "rows": {"type": "array", "maxItems": MOST_ROWS, "items": {"$ref": "#/$defs/row"}},
    "more_rows": _COUNT,
    "episodes": {
        "type": "array",
        "maxItems": 2 * MOST_EPISODES,
        "items": {"$ref": "#/$defs/episode"},
        "description": "Every episode that the message is about, also those without a row.",
    },
    "more_episodes": _COUNT,
}
_NOT_JUDGED = _object(
    {
        **dict.fromkeys(
            ("no_data", "insufficient_history", "failed", "series_without_points"), _COUNT
        ),
        "short_series": {**_COUNT, "description": "Series that begin too late to be judged."},
        "text": _words("What was not judged, and when it will be; empty when everything was."),
    },
    {
        "first_ready_at": {**_TIME, "description": "When the first of them can be judged."},
        "ready_at": {**_TIME, "description": "When all of them can be judged."},
    },
)
_ABOUT = {
    "title": _words("One line."),
    "text": _words("One line with a little more, for a notification."),
    "sentences": _sentences("To be shown below the title."),
    "closing": _sentences("To be shown below the rows."),
    "footer": _words("Which rule and detector say so, and what they looked at."),
    "mention": _words("Whom to call: the source's owner. May be empty."),
    "source": _object(
        {"name": _TEXT, "display_name": _TEXT, "timezone": _TEXT, "owner": {"type": "object"}}
    ),
    "rule": {"type": ["string", "null"]},
    "detector": _TEXT,
    "run": _TEXT,
    "generation": {"type": "integer"},
    "metrics": {"type": "array", "items": _TEXT, "description": "The first twenty asked for."},
    "more_metrics": _COUNT,
    "range": _object({"start": _TIME, "end": _TIME, "text": _TEXT}),
    "links": {
        **_TEXTS,
        "description": "report, run, anomalies (with LUPUS_PUBLIC_URL), and the source's own.",
    },
}
_JOB = _object(
    {
        **{
            name: _ABOUT[name]
            for name in ("title", "text", "sentences", "closing", "footer", "mention", "source")
        },
        "links": {**_TEXTS, "description": "The pipeline's own, and the source's."},
        "pipeline": _object(
            {
                "name": _TEXT,
                "run": {**_TEXT, "description": "As the pipeline calls its run."},
                "state": {"enum": ["started", "succeeded", "failed"]},
                "time": _TIME,
                "labels": _TEXTS,
                "message": {**_TEXT, "description": "What the pipeline said."},
            },
            {"duration_seconds": {"type": "number", "minimum": 0}},
        ),
    }
)
_OUTCOME = {
    "counts": _object(dict.fromkeys(COUNTS, _COUNT)),
    "not_judged": _NOT_JUDGED,
    "error": _TEXT,
    "failures": {
        "type": "array",
        "maxItems": MOST_ROWS,
        "items": _object({"series": _TEXT, "name": _TEXT, "error": _TEXT}),
    },
}
_MORE: dict[str, dict[str, Any]] = {
    "anomaly": {
        "severity": {**_SEVERITY_OR_NONE, "description": "The worst; null: all are over."},
        "series": _object({"told": _COUNT, "total": _COUNT}),
        **_ROWS,
    },
    "withdrawn": {**_ROWS, "withdrawn": _object({"data": _COUNT, "rule": _COUNT})},
}


def events_schema() -> dict[str, Any]:
    """One document: a message is one of the events, told by its type."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Lupus webhook messages",
        "oneOf": [{"$ref": f"#/$defs/{event}"} for event in (*EVENTS, *JOB_EVENTS)],
        "$defs": {
            "row": _ROW,
            "episode": _EPISODE,
            **{event: _event(event) for event in EVENTS},
            **{event: _message(event, _JOB) for event in JOB_EVENTS},
        },
        "examples": examples(),
    }


def _event(event: str) -> dict[str, Any]:
    return _message(event, _object({**_ABOUT, **_MORE.get(event, {})}, _OUTCOME))


def _message(event: str, data: dict[str, Any]) -> dict[str, Any]:
    return _object(
        {
            "type": {"const": f"lupus.{event}.v1"},
            "id": {**_TEXT, "description": "The same at every attempt."},
            "timestamp": _TIME,
            "counter": {**_COUNT, "description": "Grows per channel and rule: drop what is older."},
            "data": data,
        }
    )
