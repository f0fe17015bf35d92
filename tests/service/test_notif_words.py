"""The words of messages: what a person reads, sentence by sentence."""

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from service.clock import DAY_MS, HOUR_MS
from service.notifications.events import EVENTS, Event, NotifyRules
from service.notifications.examples import example
from service.notifications.message import MOST_BYTES
from service.notifications.not_judged import not_judged
from service.notifications.reasons import REASONS, held_text, sent_text
from service.notifications.schema import events_schema
from service.notifications.sentences import withdrawn
from service.notifications.wording import (
    change_text,
    clipped,
    listed,
    number_text,
    ordinal,
    plural,
    range_text,
)
from tests.conftest import ROOT
from workflows.report import Report, SeriesFailure

SUNDAY = 1_794_063_600_000  # 2026-11-08 in Tokyo
ZONE = "Asia/Tokyo"
PAGE = (ROOT / "docs" / "notifications.md").read_text("utf-8")


def texts(value: Any) -> list[str]:
    """Everything that people read of a message."""
    data = value["data"]
    rows = [row[name] for row in data.get("rows", ()) for name in ("sentence", "phase_text")]
    words = [data[name] for name in ("title", "text", "footer")]
    return [*words, *data["sentences"], *data["closing"], *rows]


@pytest.mark.parametrize("event", EVENTS)
def test_each_event_has_a_full_example_of_its_schema(event: Event) -> None:
    found = example(event)
    schema = events_schema()
    jsonschema.Draft202012Validator(schema).validate(found)
    assert found in schema["examples"]
    assert found["type"] == f"lupus.{event}.v1"
    assert len(json.dumps(found)) < MOST_BYTES
    required = schema["$defs"][event]["properties"]["data"]["required"]
    assert set(required) <= found["data"].keys()


@pytest.mark.parametrize("event", EVENTS)
def test_texts_are_whole_and_name_no_term_of_the_program(event: Event) -> None:
    found = example(event)
    terms = ("no_data", "insufficient", "transition", "ledger", "None", "null", "{", "}", "  ")
    for text in texts(found):
        assert text
        assert text == text.strip()
        assert not any(term in text for term in terms), text
        assert "1 anomalies" not in text
        assert "1 points" not in text
    for sentence in (*found["data"]["sentences"], *found["data"]["closing"]):
        assert sentence.endswith((".", "!", "?")), sentence
    assert len(found["data"]["title"]) <= 150, "what the header of a Slack message holds"


def test_the_page_explains_every_event_and_every_reason() -> None:
    for word in (*EVENTS, *REASONS):
        assert f"`{word}`" in PAGE, word


def report(**changes: Any) -> Report:
    counts = changes.pop("counts", {})
    plain = Report("run", 1, "partial", {"series": 42, "judged": 1, **counts})
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, ""),
        (
            {
                "short_series": 12,
                "first_ready_at_ms": SUNDAY + 29 * DAY_MS,
                "ready_at_ms": SUNDAY + 36 * DAY_MS,
            },
            "12 series have too short a history; the first can be judged from Mon 7 Dec 2026, "
            "all from Mon 14 Dec 2026.",
        ),
        (
            {"short_series": 1, "first_ready_at_ms": SUNDAY, "ready_at_ms": SUNDAY},
            "1 series has too short a history; it can be judged from Sun 8 Nov 2026.",
        ),
        (
            {"short_series": 2, "first_ready_at_ms": SUNDAY, "ready_at_ms": SUNDAY},
            "2 series have too short a history; all can be judged from Sun 8 Nov 2026.",
        ),
        (
            {"short_series": 2},
            "2 series have too short a history; send older points, "
            "or choose a detector that needs fewer.",
        ),
        (
            {"counts": {"insufficient_history": 1}},
            "1 point comes too early in its series to be judged.",
        ),
        ({"counts": {"series_without_points": 1, "no_data": 7}}, "1 series sent no data."),
        ({"counts": {"no_data": 1}}, "1 expected point is missing."),
        (
            {"counts": {"failed": 2}, "failures": (SeriesFailure("a", "m", "all are alike."),)},
            "2 series could not be judged: all are alike.",
        ),
    ],
)
def test_what_was_not_judged_and_when_it_will_be(changes: dict[str, Any], text: str) -> None:
    assert not_judged(report(**changes), ZONE)["text"] == text


def test_numbers_dates_and_lists_read_well() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == (
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]
    )
    assert plural(1, "point") == "1 point"
    assert plural(1200, "point") == "1,200 points"
    assert [listed(list("abcdefg"[:n])) for n in (0, 1, 2, 3, 7)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
        "a, b, c and 4 more",
    ]
    assert clipped("abcdef", 4) == "abc…"
    assert [change_text(change) for change in (None, -50.0, 1.44, 250_000.0, -0.04)] == [
        "",
        "-50 %",
        "+1.4 %",
        "+9,999 % and more",
        "+0.0 %",
    ]
    assert number_text(85_860.4) == "85,860"


def test_a_range_is_told_by_its_days_or_its_hours() -> None:
    assert range_text(SUNDAY - 6 * DAY_MS, SUNDAY + DAY_MS, ZONE) == ("Mon 2 Nov to Sun 8 Nov 2026")
    assert range_text(SUNDAY, SUNDAY + DAY_MS, ZONE) == "Sun 8 Nov 2026"
    assert range_text(SUNDAY - 365 * DAY_MS, SUNDAY, ZONE) == "Sat 8 Nov 2025 to Sat 7 Nov 2026"
    assert range_text(SUNDAY + HOUR_MS, SUNDAY + 5 * HOUR_MS, ZONE) == (
        "Sun 8 Nov 2026 01:00 to 05:00"
    )
    assert range_text(SUNDAY, SUNDAY + 30 * HOUR_MS, ZONE) == (
        "Sun 8 Nov 2026 00:00 to Mon 9 Nov 2026 06:00"
    )


def test_withdrawals_say_why() -> None:
    assert withdrawn(1, 0) == ["Its data was corrected after it was reported."]
    assert withdrawn(2, 3) == [
        "Their data was corrected after they were reported.",
        "3 more anomalies are normal by the rule's new settings; the data did not change.",
    ]
    assert withdrawn(0, 1) == [
        "1 anomaly is normal by the rule's new settings; the data did not change."
    ]


def test_every_reason_has_words() -> None:
    rules = NotifyRules(min_severity="critical")
    said = [held_text("anomaly", why, 2, rules) for why in REASONS]
    assert len(set(said)) == len(REASONS)
    assert all(text.startswith("2 anomalies: ") for text in said)
    assert "critical" in held_text("anomaly", "below_min_severity", 1, rules)
    assert held_text("succeeded", "not_asked_for", 1, rules) == (
        "not told: the request's notify.on does not name succeeded"
    )
    assert sent_text("anomaly", 1, 2) == "1 anomaly; 2 series are normal"
