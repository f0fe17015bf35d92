"""Numbers, dates and severities as people read them."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from service.clock import DAY_MS

_WORDS = {"critical": "Critical", "major": "Major", "warning": "Warning"}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip


def severity_word(severity: str) -> str:
    """A severity in words."""
    return _WORDS.get(severity, "Anomaly")


def local(time_ms: int, timezone: str) -> datetime:
    """A time on the source's clock."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(ZoneInfo(timezone))


def date_text(time_ms: int, timezone: str, step_ms: int | None) -> str:
    """``Sun 8 Nov 2026``, and the hour for what comes more often than daily."""
    at = local(time_ms, timezone)
    text = f"{_DAYS[at.weekday()]} {at.day} {_MONTHS[at.month - 1]} {at.year}"
    sub_daily = step_ms is not None and step_ms < DAY_MS
    return f"{text} {at:%H:%M}" if sub_daily or (at.hour, at.minute) != (0, 0) else text


def days_since(start_ms: int, time_ms: int, timezone: str) -> int:
    """1 on the day something began, 2 on the next local day, ..."""
    return (local(time_ms, timezone).date() - local(start_ms, timezone).date()).days + 1


def number_text(value: float | None, pattern: str = "") -> str:
    """A value in the metric's format: ``0.000``, ``#,##0``, ``0.0%``; else four digits."""
    if value is None:
        return "no data"
    if not math.isfinite(value):
        return "unbounded"
    if not pattern:
        return f"{value:,.0f}" if abs(value) >= 1000 and value == round(value) else f"{value:.4g}"
    percent = pattern.endswith("%")
    decimals = len(pattern.rstrip("%").partition(".")[2])
    grouping = "," if "," in pattern else ""
    text = f"{value * 100 if percent else value:{grouping}.{decimals}f}"
    return f"{text}%" if percent else text


def change_percent(value: float | None, expected: float | None) -> float | None:
    """How far a value is from what was expected, in percent of it."""
    if value is None or expected is None or expected == 0:
        return None
    change = (value - expected) / abs(expected) * 100
    return round(change, 2) if math.isfinite(change) else None


def metric_facts(metrics: Mapping[str, Mapping[str, Any]], metric: str) -> tuple[str, str, str]:
    """Display name, format and unit of a metric."""
    facts = metrics.get(metric, {})
    name = str(facts.get("display_name") or metric)
    return name, str(facts.get("format") or ""), str(facts.get("unit") or "")
