"""What a run could not judge, and when it will, in sentences that need no statistics."""

from collections.abc import Sequence
from typing import Any

from service.notifications.wording import date_text, local, plural
from workflows.report import Report

_COUNTED = ("no_data", "insufficient_history", "failed", "series_without_points")


def not_judged(report: Report, timezone: str) -> dict[str, Any]:
    """Counts for machines, ``text`` for people (empty when everything was judged)."""
    said: dict[str, Any] = {name: report.counts.get(name, 0) for name in _COUNTED}
    said["short_series"] = report.short_series
    times = {"first_ready_at": report.first_ready_at_ms, "ready_at": report.ready_at_ms}
    said |= {name: local(at, timezone).isoformat() for name, at in times.items() if at is not None}
    sentences = [
        sentence
        for sentence in (_short(report, timezone), _absent(report), _failed(report))
        if sentence
    ]
    return {**said, "text": " ".join(sentences)}


def short_text(report: Report, timezone: str) -> str:
    """Who lacks history and until when, without a full stop; empty when nobody does."""
    series, points = report.short_series, report.counts.get("insufficient_history", 0)
    if series:
        have = "has" if series == 1 else "have"
        who = f"{plural(series, 'series', 'series')} {have} too short a history"
        return f"{who}; {_when(report, timezone)}"
    if points:
        come = "comes too early in its" if points == 1 else "come too early in their"
        return f"{plural(points, 'point')} {come} series to be judged"
    return ""


def _when(report: Report, timezone: str) -> str:
    first_ms, last_ms = report.first_ready_at_ms, report.ready_at_ms
    if last_ms is None:
        return "send older points, or choose a detector that needs fewer"
    first = date_text(last_ms if first_ms is None else first_ms, timezone, None)
    last = date_text(last_ms, timezone, None)
    if report.short_series == 1:
        return f"it can be judged from {last}"
    if first == last or first_ms is None:
        return f"all can be judged from {last}"
    return f"the first can be judged from {first}, all from {last}"


def _short(report: Report, timezone: str) -> str:
    text = short_text(report, timezone)
    return f"{text}." if text else ""


def _absent(report: Report) -> str:
    absent = report.counts.get("series_without_points", 0)
    missing = report.counts.get("no_data", 0)
    if absent:
        return f"{plural(absent, 'series', 'series')} sent no data."
    if missing:
        return f"{plural(missing, 'expected point')} {'is' if missing == 1 else 'are'} missing."
    return ""


def _failed(report: Report) -> str:
    failed = report.counts.get("failed", 0)
    if not failed:
        return ""
    first = report.failures[0].error if report.failures else ""
    why = f": {first[:200].rstrip('.')}" if first and _alike(report.failures) else ""
    return f"{plural(failed, 'series', 'series')} could not be judged{why}."


def _alike(failures: Sequence[Any]) -> bool:
    return len({failure.error for failure in failures}) == 1
