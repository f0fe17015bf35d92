"""A lasting change in words: what changed, by how much, since when, how sure."""

from collections.abc import Mapping
from typing import Any

from service.clock import DAY_MS
from service.notifications.wording import date_text, local, number_text

_SUREST = 0.999


def change_sentence(
    change: Mapping[str, Any],
    ts_ms: int,
    timezone: str,
    pattern: str,
    unit: str,
    step_ms: int | None,
) -> str:
    """``level rose by 12.3 on Tue 3 Nov 2026 (between Sun 1 Nov and Thu 5 Nov), 99.5 % sure``."""
    kind, size = str(change["kind"]), float(change["size"])
    amount = f"{number_text(abs(size), pattern)}{f' {unit}' if unit else ''}"
    per = " a day" if kind == "slope" else ""
    date = date_text(ts_ms, timezone, step_ms)
    between = between_text(change, timezone, step_ms)
    return (
        f"{kind} {'rose' if size > 0 else 'fell'} by {amount}{per} on {date}"
        f"{f' ({between})' if between else ''}, {sure_text(float(change['confidence']))}"
    )


def between_text(change: Mapping[str, Any], timezone: str, step_ms: int | None) -> str:
    """``between Sun 1 Nov and Thu 5 Nov``; empty where there is only one date."""
    earliest, latest = int(change["earliest_ms"]), int(change["latest_ms"])
    if earliest == latest:
        return ""
    by_day = step_ms is not None and step_ms >= DAY_MS
    if by_day and local(earliest, timezone).date() == local(latest, timezone).date():
        return ""
    first, last = (date_text(at, timezone, step_ms, year=False) for at in (earliest, latest))
    return f"between {first} and {last}"


def sure_text(confidence: float) -> str:
    """``99.2 % sure``, ``more than 99.9 % sure``."""
    if confidence > _SUREST:
        return "more than 99.9 % sure"
    return f"{confidence * 100:.3g} % sure"
