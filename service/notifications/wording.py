"""Numbers, dates and severities as people read them."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from service.clock import DAY_MS

_WORDS = {"critical": "Critical", "major": "Major", "warning": "Warning"}
_SIDES = {"up": "unusually high", "down": "unusually low"}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_TEENS = (11, 12, 13)
_WHOLE_PERCENT = 10  # from here on a change has no decimals
_MOST_PERCENT = 9_999
_MOST_WHOLE = 1e15  # larger numbers are written with an exponent


def severity_word(severity: str) -> str:
    """A severity in words."""
    return _WORDS.get(severity, "Anomaly")


def side_words(direction: str) -> str:
    """Where a value lies against what was expected."""
    return _SIDES.get(direction, "unusual")


def plural(count: int, noun: str, many: str = "") -> str:
    """``1 point``, ``1,200 points``, ``3 series``."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    if number % 100 in _TEENS:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def listed(names: Sequence[str], most: int = 3) -> str:
    """``a``, ``a and b``, ``a, b and c``, ``a, b, c and 4 more``."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most:,} more")
    return " and ".join((*([", ".join(shown[:-1])] if shown[:-1] else []), *shown[-1:]))


def clipped(text: str, most: int) -> str:
    """At most so many characters; an ellipsis says that there were more."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def local(time_ms: int, timezone: str) -> datetime:
    """A time on the source's clock."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(ZoneInfo(timezone))


def date_text(time_ms: int, timezone: str, step_ms: int | None, year: bool = True) -> str:
    """``Sun 8 Nov 2026``, and the hour for what comes more often than daily."""
    at = local(time_ms, timezone)
    text = f"{_DAYS[at.weekday()]} {at.day} {_MONTHS[at.month - 1]}"
    text += f" {at.year}" if year else ""
    sub_daily = step_ms is not None and step_ms < DAY_MS
    return f"{text} {at:%H:%M}" if sub_daily or (at.hour, at.minute) != (0, 0) else text


def day_text(time_ms: int, timezone: str) -> str:
    """``Sun 8 Nov``: a day that is not far away."""
    at = local(time_ms, timezone)
    return f"{_DAYS[at.weekday()]} {at.day} {_MONTHS[at.month - 1]}"


def bounds_text(low: float | None, high: float | None, shown: Callable[[float], str]) -> str:
    """``0.40 to 0.44``, ``at least 0.40``, ``at most 0.44``; empty without a bound."""
    if low is None:
        return "" if high is None else f"at most {shown(high)}"
    return f"at least {shown(low)}" if high is None else f"{shown(low)} to {shown(high)}"


def range_text(start_ms: int, end_ms: int, timezone: str) -> str:
    """``Sun 1 Nov to Sat 7 Nov 2026``: whole days by their first and last, else by hours."""
    start, end = local(start_ms, timezone), local(end_ms, timezone)
    if any(at.hour or at.minute or at.second for at in (start, end)):
        until = date_text(end_ms, timezone, 1)
        same = start.date() == end.date()
        return f"{date_text(start_ms, timezone, 1)} to {f'{end:%H:%M}' if same else until}"
    last_ms = max(start_ms, end_ms - 1)
    last = day_text(last_ms, timezone) + f" {local(last_ms, timezone).year}"
    if start.date() == local(last_ms, timezone).date():
        return last
    year = "" if start.year == local(last_ms, timezone).year else f" {start.year}"
    return f"{day_text(start_ms, timezone)}{year} to {last}"


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
        return f"{value:,.0f}" if 1000 <= abs(value) < _MOST_WHOLE else f"{value:.4g}"
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


def change_text(percent: float | None) -> str:
    """``-50 %``, ``+1.4 %``; empty when there is nothing to compare with."""
    if percent is None:
        return ""
    if abs(percent) > _MOST_PERCENT:
        return f"{'+' if percent > 0 else '-'}{_MOST_PERCENT:,} % and more"
    return f"{percent:+z,.{0 if abs(percent) >= _WHOLE_PERCENT else 1}f} %"


def metric_facts(metrics: Mapping[str, Mapping[str, Any]], metric: str) -> tuple[str, str, str]:
    """Display name, format and unit of a metric."""
    facts = metrics.get(metric, {})
    name = str(facts.get("display_name") or metric)
    return name, str(facts.get("format") or ""), str(facts.get("unit") or "")
