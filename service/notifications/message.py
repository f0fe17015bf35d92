"""The body of a message, fixed when it is queued: ``lupus.<event>.v1``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from service.database.runs import Run
from service.notifications.events import rank
from service.notifications.policy import Told, Withdrawing
from service.notifications.wording import (
    change_percent,
    date_text,
    days_since,
    local,
    metric_facts,
    number_text,
    severity_word,
)
from storage.series_key import SeriesKey
from storage.source import SourceSpec
from workflows.report import Change, Report
from workflows.request import RunRequest

MOST_ROWS = 10


@dataclass(frozen=True)
class Subject:
    """The run that a message is about, and how its source presents itself."""

    run: Run
    request: RunRequest
    source_body: Mapping[str, Any]
    public_url: str = ""

    @property
    def source(self) -> SourceSpec:
        """The source as the run saw it."""
        return self.request.source

    @property
    def source_name(self) -> str:
        """The source's display name."""
        return str(self.source_body.get("display_name") or self.run.source)

    def link(self, path: str) -> str | None:
        """An address below the public URL, if the service has one."""
        return f"{self.public_url.rstrip('/')}{path}" if self.public_url else None


def envelope(
    event: str, message_id: str, counter: int, now_ms: int, data: Mapping[str, Any]
) -> str:
    """The whole body as JSON text."""
    content = {
        "type": f"lupus.{event}.v1",
        "id": message_id,
        "timestamp": rfc3339(now_ms),
        "counter": counter,
        "data": data,
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def rfc3339(time_ms: int) -> str:
    """UTC, to the millisecond where there are some."""
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    text = at.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")
    return text.replace("+00:00", "Z")


def about(subject: Subject, report: Report | None) -> dict[str, Any]:
    """What every message says: whose run, of what, how it went, where to look."""
    run, request, body = subject.run, subject.request, subject.source_body
    links = {
        "run": subject.link(f"/v1/detections/{run.id}"),
        "anomalies": subject.link(f"/v1/anomalies?run={run.id}"),
        **{str(name): str(url) for name, url in dict(body.get("links") or {}).items()},
    }
    said: dict[str, Any] = {
        "source": {
            "name": run.source,
            "display_name": subject.source_name,
            "timezone": subject.source.timezone,
            "owner": dict(body.get("owner") or {}),
        },
        "rule": run.rule,
        "detector": run.detector,
        "run": run.id,
        "generation": run.generation,
        "metrics": list(request.metrics),
        "range": {
            "start": local(request.start_ms, subject.source.timezone).isoformat(),
            "end": local(request.end_ms, subject.source.timezone).isoformat(),
        },
        "links": {name: url for name, url in links.items() if url},
    }
    if report is not None:
        said["counts"] = dict(report.counts)
        said["not_judged"] = _not_judged(report, subject)
    return said


def _not_judged(report: Report, subject: Subject) -> dict[str, Any]:
    counts = report.counts
    said: dict[str, Any] = {
        name: counts.get(name, 0)
        for name in ("no_data", "insufficient_history", "failed", "series_without_points")
    }
    if report.ready_at_ms is not None:
        said["ready_at"] = local(report.ready_at_ms, subject.source.timezone).isoformat()
    return said


def anomaly_data(subject: Subject, report: Report, told: Sequence[Told]) -> dict[str, Any]:
    """Up to ten rows, worst first, and how many more there are."""
    standing = [row for row in told if row.phase != "ended"]
    worst = max((row.shown.severity for row in standing), key=rank, default="")
    series = len({row.shown.series for row in standing or told})
    metrics = sorted({row.shown.metric for row in standing or told})
    names = [metric_facts(subject.source.metrics, metric)[0] for metric in metrics]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    word = severity_word(worst) if standing else "Back to normal"
    title = f"{word}: {shown} of {subject.source_name}"
    latest = max((row.shown for row in standing or told), key=lambda change: change.ts_ms)
    step_ms = subject.source.steps_ms.get(latest.metric)
    return {
        "severity": worst or None,
        "title": title,
        "text": f"{title}: {series} of {report.counts.get('series', 0)} series, "
        f"{date_text(latest.ts_ms, subject.source.timezone, step_ms)}, rule {subject.run.rule}",
        "series": {"told": series, "total": report.counts.get("series", 0)},
        "rows": [
            {"phase": row.phase, "points": len(row.covers), **anomaly_row(subject, row.shown)}
            for row in told[:MOST_ROWS]
        ],
        "more_rows": max(0, len(told) - MOST_ROWS),
        **about(subject, report),
    }


def anomaly_row(subject: Subject, change: Change) -> dict[str, Any]:
    """One point: numbers for machines, texts for people."""
    timezone = subject.source.timezone
    name, pattern, unit = metric_facts(subject.source.metrics, change.metric)
    row: dict[str, Any] = {
        "anomaly": change.anomaly,
        "metric": change.metric,
        "display_name": name,
        "labels": dict(change.labels),
        "series": str(SeriesKey("", change.metric, tuple(sorted(change.labels.items())))),
        "time": local(change.ts_ms, timezone).isoformat(),
        "date": date_text(change.ts_ms, timezone, subject.source.steps_ms.get(change.metric)),
        "severity": change.severity,
        "direction": change.direction,
        "reason": change.reason,
        "value": change.value,
        "expected": change.expected,
        "lower": change.lower,
        "upper": change.upper,
        "score": change.score,
        "change_percent": change_percent(change.value, change.expected),
        "unit": unit,
        "value_text": number_text(change.value, pattern),
        "expected_text": _range_text(change, pattern),
        "day": days_since(change.episode_start_ms, change.ts_ms, timezone),
        "since": local(change.episode_start_ms, timezone).isoformat(),
    }
    link = subject.link(f"/v1/anomalies/{quote(change.anomaly)}")
    return {**row, "link": link} if link else row


def _range_text(change: Change, pattern: str) -> str:
    low, high = change.lower, change.upper
    if low is None and high is None:
        return ""
    if low is None:
        return f"at most {number_text(high, pattern)}"
    if high is None:
        return f"at least {number_text(low, pattern)}"
    return f"{number_text(low, pattern)} to {number_text(high, pattern)}"


def withdrawn_data(subject: Subject, report: Report, what: Withdrawing) -> dict[str, Any]:
    """What was told before and does not hold any more."""
    told, by_rule = len(what.told), len(what.by_rule)
    parts = []
    if told:
        parts.append(f"{told} because the data changed")
    if by_rule:
        parts.append(f"{by_rule} because the rule's parameters changed")
    return {
        "title": f"Withdrawn: {' and '.join(parts)}, {subject.source_name}",
        "text": f"Anomalies of {subject.source_name} that were told before do not hold any more: "
        f"{' and '.join(parts)}",
        "rows": [anomaly_row(subject, change) for change in what.told[:MOST_ROWS]],
        "more_rows": max(0, told - MOST_ROWS),
        "withdrawn": {"data": told, "rule": by_rule},
        **about(subject, report),
    }


def plain_data(
    subject: Subject, event: str, report: Report | None, error: str = ""
) -> dict[str, Any]:
    """Messages about the run itself."""
    rule = f"{subject.run.rule or 'a detection'} of {subject.source_name}"
    counts = {} if report is None else report.counts
    absent = counts.get("series_without_points", 0)
    total = counts.get("series", 0)
    titles = {
        "started": f"Started: {rule}",
        "no_data": f"No data: {rule}, {absent} of {total} series have no points in the range"
        if absent
        else f"No data: {rule}, {counts.get('no_data', 0)} expected points are missing",
        "succeeded": f"Succeeded: {rule}, {counts.get('anomalous', 0)} anomalous points",
        "partial": f"Partial: {rule}, not everything could be judged",
        "failed": f"Failed: {rule}",
    }
    title = titles[event]
    data: dict[str, Any] = {"title": title, "text": f"{title}: {error}" if error else title}
    if error:
        data["error"] = error
    if report is not None and report.failures:
        data["failures"] = [vars(failure) for failure in report.failures[:MOST_ROWS]]
    return {**data, **about(subject, report)}
