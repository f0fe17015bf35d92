"""The body of a message, fixed when it is queued: ``lupus.<event>.v1``.

Numbers are for machines; ``title``, ``text``, ``sentences``, ``closing``, ``footer`` and the texts
of rows are for people, the same words in every kind of channel.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from service.notifications import sentences
from service.notifications.digest import MOST_ROWS, Digest
from service.notifications.not_judged import not_judged
from service.notifications.policy import Told
from service.notifications.rows import (
    Subject,
    anomaly_row,
    ended_text,
    nth_day,
    withdrawn_text,
    worse_text,
)
from service.notifications.wording import clipped, local, range_text
from workflows.report import Report

MOST_BYTES = 64 * 1024
# Rows and episodes, fewer and fewer until the body fits.
_SIZES = ((10, 200), (10, 100), (10, 50), (10, 20), (5, 10), (2, 5), (1, 1), (0, 0))
_MOST_LINKS = 10
_MOST_METRICS = 20
_LINK_LENGTH = 1_000
_ERROR_LENGTH = 2_000
_SHORT = 300

Data = dict[str, Any]


class Size(NamedTuple):
    """How much of what there is a message holds."""

    rows: int
    episodes: int


def envelope(
    event: str, message_id: str, counter: int, now_ms: int, build: Callable[[Size], Data]
) -> str:
    """The whole body as JSON text, with as many rows as fit into it."""
    text = ""
    for size in _SIZES:
        content = content_of(event, message_id, counter, now_ms, build(Size(*size)))
        text = json.dumps(content, ensure_ascii=False, allow_nan=False)
        if len(text.encode()) <= MOST_BYTES:
            break
    return text


def content_of(event: str, message_id: str, counter: int, now_ms: int, data: Data) -> Data:
    """The whole body."""
    return {
        "type": f"lupus.{event}.v1",
        "id": message_id,
        "timestamp": rfc3339(now_ms),
        "counter": counter,
        "data": data,
    }


def rfc3339(time_ms: int) -> str:
    """UTC, to the millisecond where there are some."""
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    text = at.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")
    return text.replace("+00:00", "Z")


def about(subject: Subject, report: Report | None) -> Data:
    """What every message says: whose run, of what, how it went, where to look."""
    run, request, timezone = subject.run, subject.request, subject.timezone
    owner = {
        name: clipped(str(text), _SHORT)
        for name, text in dict(subject.source_body.get("owner") or {}).items()
    }
    said: Data = {
        "source": {
            "name": run.source,
            "display_name": subject.source_name,
            "timezone": timezone,
            "owner": owner,
        },
        "mention": owner.get("mention", ""),
        "rule": run.rule,
        "detector": run.detector,
        "run": run.id,
        "generation": run.generation,
        "metrics": list(request.metrics[:_MOST_METRICS]),
        "more_metrics": max(0, len(request.metrics) - _MOST_METRICS),
        "range": {
            "start": local(request.start_ms, timezone).isoformat(),
            "end": local(request.end_ms, timezone).isoformat(),
            "text": range_text(request.start_ms, request.end_ms, timezone),
        },
        "footer": sentences.footer(subject),
        "links": _links(subject, report),
    }
    if report is not None:
        said["counts"] = dict(report.counts)
        said["not_judged"] = not_judged(report, timezone)
    return said


def _links(subject: Subject, report: Report | None) -> dict[str, str]:
    run = subject.run.id
    given = dict(subject.source_body.get("links") or {})
    theirs = {
        str(name): str(url)
        for name, url in list(given.items())[:_MOST_LINKS]
        if len(str(url)) <= _LINK_LENGTH
    }
    ours = {
        "report": None if report is None else subject.report_url,
        "run": subject.link(f"/v1/detections/{run}"),
        "anomalies": subject.link(f"/v1/anomalies?run={run}"),
    }
    return {**theirs, **{name: url for name, url in ours.items() if url}}


def anomaly_data(
    subject: Subject, report: Report, standing: Digest, over: Digest, size: Size
) -> Data:
    """What is unusual, worst first, then what is over; up to ten rows."""
    rows = [_told_row(subject, told) for told in (*standing.top, *over.top)]
    rows = rows[: size.rows]
    more = standing.rows + over.rows - len(rows)
    title = sentences.anomaly_title(subject, standing, over)
    said = sentences.anomaly(subject, report, standing, over)
    return {
        "severity": standing.worst or None,
        "title": title,
        "text": f"{title}. {said[0]}",
        "sentences": said,
        "series": {
            "told": (standing if standing.rows else over).series,
            "total": report.counts.get("series", 0),
        },
        "rows": rows,
        "more_rows": more,
        "closing": sentences.closing(report, subject, len(rows), more),
        **_episodes(subject, size, standing, over),
        **about(subject, report),
    }


def _episodes(subject: Subject, size: Size, *digests: Digest) -> Data:
    episodes = [episode for digest in digests for episode in digest.episodes]
    shown = episodes[: size.episodes]
    return {
        "episodes": [episode.data(subject.timezone) for episode in shown],
        "more_episodes": len(episodes) - len(shown) + sum(d.more_episodes for d in digests),
    }


def _told_row(subject: Subject, told: Told) -> Data:
    if told.phase == "ended":
        text = ended_text(subject, told.shown)
    elif told.phase == "worse":
        text = worse_text(subject, told.shown, told.before_ms)
    else:
        text = nth_day(subject, told.shown)
    row = anomaly_row(subject, told.shown, told.phase, text)
    return {**row, "points": len(told.covers)}


def withdrawn_data(
    subject: Subject, report: Report, taken_back: Digest, by_rule: int, size: Size
) -> Data:
    """What was told before and does not hold any more."""
    rows = [
        anomaly_row(
            subject,
            told.shown,
            "withdrawn",
            withdrawn_text(subject, told.shown, told.still_ms),
        )
        for told in taken_back.top[: size.rows]
    ]
    more = taken_back.rows - len(rows)
    title = sentences.withdrawn_title(subject, taken_back.rows + by_rule)
    said = sentences.withdrawn(taken_back.rows, by_rule)
    return {
        "title": title,
        "text": f"{title}. {said[0]}",
        "sentences": said,
        "rows": rows,
        "more_rows": more,
        "withdrawn": {"data": taken_back.rows, "rule": by_rule},
        "closing": sentences.closing(report, subject, len(rows), more),
        **_episodes(subject, size, taken_back),
        **about(subject, report),
    }


def plain_data(subject: Subject, event: str, report: Report | None, error: str = "") -> Data:
    """Messages about the run itself."""
    error = clipped(error, _ERROR_LENGTH)
    title, said = sentences.of_run(subject, event, report, error)
    data: Data = {
        "title": title,
        "text": f"{title}. {said[0]}" if said else title,
        "sentences": said,
        "closing": [],
    }
    if error:
        data["error"] = error
    if report is not None and report.failures:
        data["failures"] = _failures(report)
    return {**data, **about(subject, report)}


def _failures(report: Report) -> Sequence[Mapping[str, str]]:
    return [
        {
            "series": failure.series,
            "name": clipped(failure.name, _SHORT),
            "error": clipped(failure.error, _SHORT),
        }
        for failure in report.failures[:MOST_ROWS]
    ]
