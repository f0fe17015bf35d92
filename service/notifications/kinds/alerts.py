"""A message as alerts of Prometheus' Alertmanager: one for each episode, one for a run that failed.

The labels are what an alert is: whoever says later that it is over must say the same labels. So
only what never changes stands in them, and the severity: when it changes, the alert with the old
one is resolved. Everything else is in annotations.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from service.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from service.notifications.kinds.kind import Message
from storage.series_key import SeriesKey

Alert = dict[str, Any]

ANOMALY, RUN, JOB = "LupusAnomaly", "LupusRunIncomplete", "LupusPipelineFailed"
OURS = ("alertname", "source", "rule", "metric", "severity", "series")
LABEL_NAME = r"^[a-zA-Z_][a-zA-Z0-9_]*$"
# Where every anomalous point is told, the next daily run prolongs the alert: it has an hour more.
HOLD_POINT_MS = 25 * HOUR_MS
# Where the end of an episode is told, that ends the alert; this only ends what nobody ends.
HOLD_EPISODE_MS = 7 * DAY_MS
_HOLD_TEST_MS = 5 * MINUTE_MS
_RUN_SEVERITY = "major"
_UNSAFE = re.compile(r"[^a-zA-Z0-9_]")
_MOST_IN_LABEL = 250
_MOST_IN_ANNOTATION = 2000
_ROW_TEXTS = {
    "value_text": "value",
    "expected_text": "expected",
    "change_text": "change",
    "phase_text": "phase",
    "date": "date",
}


@dataclass(frozen=True)
class Alerting:
    """How a channel wants its alerts: labels that all of them get, and how long they hold."""

    labels: Mapping[str, str] = field(default_factory=dict)
    hold_ms: int | None = None


def alerts_of(alerting: Alerting, message: Message, now_ms: int) -> list[Alert]:
    """The alerts that a message changes, as they are from now on."""
    if message.event in ("partial", "failed", "succeeded"):
        return [_run_alert(alerting, message, now_ms)]
    if message.event in ("job_failed", "job_succeeded"):
        return [_job_alert(alerting, message, now_ms)]
    return list(_episode_alerts(alerting, message, now_ms))


def _episode_alerts(alerting: Alerting, message: Message, now_ms: int) -> Iterator[Alert]:
    data = message.data
    rows = {row["anomaly"]: row for row in data.get("rows") or ()}
    for episode in _episodes(message):
        was, now = episode.get("was"), episode.get("now")
        since_ms = min(_ms(str(episode["since"])), now_ms - SECOND_MS)
        annotations = _annotations(data, rows.get(episode["anomaly"]))
        for severity in dict.fromkeys(one for one in (was, now) if one):
            hold_ms = _hold_ms(alerting, message.event, str(episode["phase"]))
            yield {
                "labels": _labels(alerting, _identity(data, episode, str(severity))),
                "annotations": annotations,
                "startsAt": _rfc3339(since_ms),
                "endsAt": _rfc3339(now_ms + hold_ms if severity == now else now_ms),
                **_generator(data),
            }


def _episodes(message: Message) -> list[Mapping[str, Any]]:
    """All episodes told; of a message of the version before those of its rows."""
    named = message.data.get("episodes")
    if named is not None:
        return list(named)
    found: list[Mapping[str, Any]] = []
    for row in message.data.get("rows") or ():
        over = message.event == "withdrawn" or row.get("phase") == "ended"
        severity = row["severity"]
        phase = "withdrawn" if message.event == "withdrawn" else row["phase"]
        standing = {"was": severity, "now": None} if over else {"was": None, "now": severity}
        found.append({**row, "phase": phase, **standing})
    return found


def _hold_ms(alerting: Alerting, event: str, phase: str) -> int:
    if event == "test":
        return _HOLD_TEST_MS
    if alerting.hold_ms is not None:
        return alerting.hold_ms
    return HOLD_POINT_MS if phase == "new" else HOLD_EPISODE_MS


def _identity(data: Mapping[str, Any], episode: Mapping[str, Any], severity: str) -> dict[str, str]:
    source, metric = str(data["source"]["name"]), str(episode["metric"])
    series = episode.get("series_id") or SeriesKey.of(source, metric, episode["labels"]).id
    ours = {
        "alertname": ANOMALY,
        "source": source,
        "rule": str(data.get("rule") or ""),
        "metric": metric,
        "severity": severity,
        "series": str(series),
    }
    return {**_safe(episode["labels"]), **ours}


def _safe(labels: Mapping[str, str]) -> dict[str, str]:
    """A series' own labels, beside ours."""
    safe = {}
    for name, value in labels.items():
        plain = _UNSAFE.sub("_", name)
        taken = plain in OURS or plain.startswith("__") or plain[:1].isdigit()
        safe[f"label_{plain}" if taken else plain] = value
    return safe


def _run_alert(alerting: Alerting, message: Message, now_ms: int) -> Alert:
    data = message.data
    over = message.event == "succeeded"
    identity = {
        "alertname": RUN,
        "source": str(data["source"]["name"]),
        "rule": str(data.get("rule") or ""),
        "severity": _RUN_SEVERITY,
    }
    said_ms = min(_ms(str(message.content["timestamp"])), now_ms - SECOND_MS)
    hold_ms = HOLD_POINT_MS if alerting.hold_ms is None else alerting.hold_ms
    outcome = {} if over else {"outcome": message.event}
    return {
        "labels": _labels(alerting, identity),
        "annotations": {**_annotations(data, None), **outcome},
        "startsAt": _rfc3339(said_ms),
        "endsAt": _rfc3339(now_ms if over else now_ms + hold_ms),
        **_generator(data),
    }


def _job_alert(alerting: Alerting, message: Message, now_ms: int) -> Alert:
    """Of a pipeline that failed, until a run of it succeeds."""
    data = message.data
    identity = {
        "alertname": JOB,
        "source": str(data["source"]["name"]),
        "pipeline": str(data["pipeline"]["name"]),
        "severity": _RUN_SEVERITY,
    }
    said_ms = min(_ms(str(data["pipeline"]["time"])), now_ms - SECOND_MS)
    hold_ms = HOLD_EPISODE_MS if alerting.hold_ms is None else alerting.hold_ms
    over = message.event == "job_succeeded"
    return {
        "labels": _labels(alerting, identity),
        "annotations": _annotations(data, None),
        "startsAt": _rfc3339(said_ms),
        "endsAt": _rfc3339(now_ms if over else now_ms + hold_ms),
        **_generator(data),
    }


def _labels(alerting: Alerting, identity: Mapping[str, str]) -> dict[str, str]:
    labels = {**identity, **alerting.labels}
    return {name: value[:_MOST_IN_LABEL] for name, value in labels.items() if value}


def _annotations(data: Mapping[str, Any], row: Mapping[str, Any] | None) -> dict[str, str]:
    """What people read: numbers and texts change with every message."""
    said = {
        "summary": str(data.get("title") or ""),
        "description": str(data.get("text") or ""),
        "source_name": str(data["source"].get("display_name") or ""),
        "owner": str(data.get("mention") or ""),
        "detector": str(data.get("detector") or ""),
        "run": str(data.get("run") or ""),
        "not_judged": str((data.get("not_judged") or {}).get("text") or ""),
        "error": str(data.get("error") or ""),
        **{f"link_{name}": str(url) for name, url in dict(data.get("links") or {}).items()},
    }
    if row is not None:
        said["summary"] = str(row.get("name_text") or row.get("series") or said["summary"])
        said["description"] = str(row.get("sentence") or said["description"])
        said.update({ours: str(row.get(theirs) or "") for theirs, ours in _ROW_TEXTS.items()})
        said["link_anomaly"] = str(row.get("report") or row.get("link") or "")
    return {
        _UNSAFE.sub("_", name): text[:_MOST_IN_ANNOTATION] for name, text in said.items() if text
    }


def _generator(data: Mapping[str, Any]) -> dict[str, str]:
    links = data.get("links") or {}
    url = links.get("report") or links.get("run")
    return {"generatorURL": str(url)} if url else {}


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def _rfc3339(time_ms: int) -> str:
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
