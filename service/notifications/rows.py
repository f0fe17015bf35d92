"""One row of a message: an anomaly in numbers for machines and in words for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from service.database.runs import Run
from service.notifications.change_words import change_sentence
from service.notifications.wording import (
    bounds_text,
    change_percent,
    change_text,
    clipped,
    date_text,
    day_text,
    days_since,
    local,
    metric_facts,
    number_text,
    ordinal,
)
from storage.series_key import SeriesKey
from storage.source import SourceSpec
from workflows.reconcile import POINT_REMOVED
from workflows.report import Change
from workflows.request import RunRequest

_LABEL_LENGTH = 256  # as long as a managed source's may be; tables of others may have longer ones
_LABELS_TEXT_LENGTH = 300
_SERIES_LENGTH = 1_000
_RELEASE_DAYS = 14  # what is unusual later has another cause more often than not


@dataclass(frozen=True)
class Subject:
    """The run that a message is about, and how its source presents itself."""

    run: Run
    request: RunRequest
    source_body: Mapping[str, Any] = field(default_factory=dict)
    public_url: str = ""
    report_url: str | None = None  # opens the run's report

    @property
    def source(self) -> SourceSpec:
        """The source as the run saw it."""
        return self.request.source

    @property
    def source_name(self) -> str:
        """The source's display name."""
        return clipped(str(self.source_body.get("display_name") or self.run.source), 200)

    @property
    def timezone(self) -> str:
        """The source's clock."""
        return self.request.source.timezone

    def link(self, path: str) -> str | None:
        """An address below the public URL, if the service has one."""
        return f"{self.public_url.rstrip('/')}{path}" if self.public_url else None

    def metric_name(self, metric: str) -> str:
        """The metric's display name."""
        return clipped(metric_facts(self.source.metrics, metric)[0], 200)

    def step_ms(self, metric: str) -> int | None:
        """Distance between points of a metric, where it is known."""
        return self.source.steps_ms.get(metric)

    def day(self, time_ms: int, metric: str) -> str:
        """The date of a point."""
        return date_text(time_ms, self.timezone, self.step_ms(metric))


def anomaly_row(subject: Subject, change: Change, phase: str, phase_text: str) -> dict[str, Any]:
    """One point; ``phase_text`` says what is new about it."""
    timezone = subject.timezone
    name, pattern, unit = metric_facts(subject.source.metrics, change.metric)
    percent = change_percent(change.value, change.expected)
    labels = clipped_labels(change.labels)
    labels_text = clipped(
        ", ".join(f"{label} {text}" for label, text in sorted(labels.items())), _LABELS_TEXT_LENGTH
    )
    key = SeriesKey.stored("", change.metric, labels)
    row: dict[str, Any] = {
        "anomaly": change.anomaly,
        "series_id": change.series,
        "metric": change.metric,
        "display_name": clipped(name, 200),
        "labels": labels,
        "series": clipped(str(key), _SERIES_LENGTH),
        "time": local(change.ts_ms, timezone).isoformat(),
        "date": subject.day(change.ts_ms, change.metric),
        "severity": change.severity,
        "direction": change.direction,
        "reason": change.reason,
        "value": change.value,
        "expected": change.expected,
        "lower": change.lower,
        "upper": change.upper,
        "score": change.score,
        "change_percent": percent,
        "unit": clipped(unit, 50),
        "value_text": number_text(change.value, pattern),
        "expected_text": range_of(change, pattern),
        "day": days_since(change.episode_start_ms, change.ts_ms, timezone),
        "since": local(change.episode_start_ms, timezone).isoformat(),
        "phase": phase,
        "phase_text": phase_text,
        "name_text": f"{clipped(name, 200)}: {labels_text}" if labels_text else clipped(name, 200),
        "labels_text": labels_text,
        "change_text": change_text(percent),
    }
    if change.change is not None:
        row["change"] = _lasting(subject, change, change.change)
    release = _release(subject, change)
    if release is not None:
        row["release"] = release
    row["sentence"] = _sentence(row)
    link = subject.link(f"/v1/anomalies/{quote(change.anomaly)}")
    report = subject.report_url and f"{subject.report_url}#a-{quote(change.anomaly)}"
    links = {"link": link, "report": report}
    return row | {name: url for name, url in links.items() if url}


def _lasting(subject: Subject, change: Change, lasting: Mapping[str, Any]) -> dict[str, Any]:
    """The change that an anomaly of a detector of changes is, in numbers and in words."""
    timezone = subject.timezone
    _, pattern, unit = metric_facts(subject.source.metrics, change.metric)
    step_ms = subject.step_ms(change.metric)
    return {
        "kind": lasting["kind"],
        "size": lasting["size"],
        "confidence": lasting["confidence"],
        "earliest": local(lasting["earliest_ms"], timezone).isoformat(),
        "latest": local(lasting["latest_ms"], timezone).isoformat(),
        "text": change_sentence(
            lasting, change.ts_ms, timezone, pattern, clipped(unit, 50), step_ms
        ),
    }


def _release(subject: Subject, change: Change) -> dict[str, Any] | None:
    """The newest release that an episode may come from: it began with it or after it."""
    timezone, since_ms = subject.timezone, change.episode_start_ms
    for release in reversed(subject.request.releases):
        day = days_since(release.time_ms, change.ts_ms, timezone)
        if day > _RELEASE_DAYS:
            return None
        if release.time_ms <= since_ms and release.concerns(change.metric, change.labels):
            link = {"link": release.link} if release.link else {}
            return {
                "name": clipped(release.name, 200),
                "time": local(release.time_ms, timezone).isoformat(),
                "day": day,
                "text": f"{ordinal(day)} day of release {clipped(release.name, 60)}",
                **link,
            }
    return None


def clipped_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels with values that a message has room for."""
    return {label: clipped(text, _LABEL_LENGTH) for label, text in labels.items()}


def _sentence(row: dict[str, Any]) -> str:
    """``0.2, expected 0.35 to 0.45 (-50 %), Thu 20 Nov 2025, 3rd day``."""
    release = row["release"]["text"] if "release" in row else ""
    if "change" in row and row["reason"] != POINT_REMOVED:
        parts = (row["change"]["text"], row["phase_text"], release)
        return ", ".join(part for part in parts if part)
    unit = f" {row['unit']}" if row["unit"] else ""
    removed = row["reason"] == POINT_REMOVED
    value = "" if removed else f"{row['value_text']}{unit if row['value'] is not None else ''}"
    change = f" ({row['change_text']})" if row["change_text"] else ""
    expected = f"expected {row['expected_text']}{unit}{change}" if row["expected_text"] else ""
    said = (value, expected, row["date"], row["phase_text"], release)
    return ", ".join(part for part in said if part)


def range_of(change: Change, pattern: str) -> str:
    """The expected range: both bounds, one, or only what was expected."""
    bounds = bounds_text(change.lower, change.upper, lambda value: number_text(value, pattern))
    if bounds or change.expected is None:
        return bounds
    return f"about {number_text(change.expected, pattern)}"


def nth_day(subject: Subject, change: Change) -> str:
    """``new``, ``3rd day``; for what comes more often than daily ``since 14:00`` on its first."""
    since_ms, timezone = change.episode_start_ms, subject.timezone
    day = days_since(since_ms, change.ts_ms, timezone)
    if day > 1:
        return f"{ordinal(day)} day"
    if since_ms == change.ts_ms:
        return "new"
    return f"since {local(since_ms, timezone):%H:%M}"


def worse_text(subject: Subject, change: Change, told_ms: int | None) -> str:
    """What was told before is worse now."""
    when = "" if told_ms is None else f" than reported on {day_text(told_ms, subject.timezone)}"
    return f"{nth_day(subject, change)}, worse{when}".removeprefix("new, ")


def ended_text(subject: Subject, change: Change) -> str:
    """The series' newest point is normal."""
    since = date_text(
        change.episode_start_ms, subject.timezone, subject.step_ms(change.metric), year=False
    )
    return f"back to normal (unusual since {since})"


def withdrawn_text(subject: Subject, change: Change, still_ms: int | None) -> str:
    """Why what was told does not hold, and whether the series is unusual all the same."""
    why = "the point was removed" if change.reason == POINT_REMOVED else "the data was corrected"
    before = (change.previous or {}).get("value")
    told = ""
    if isinstance(before, int | float) and change.reason != POINT_REMOVED:
        pattern = metric_facts(subject.source.metrics, change.metric)[1]
        told = f" (reported as {number_text(float(before), pattern)})"
    still = ""
    if still_ms is not None:
        still = f"; the series is still unusual on {subject.day(still_ms, change.metric)}"
    return f"withdrawn: {why}{told}{still}"
