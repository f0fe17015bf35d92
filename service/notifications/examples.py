"""One message of each event, made by the same code as real ones: for docs, pictures and tests."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from service.clock import DAY_MS, HOUR_MS
from service.database.runs import Run
from service.notifications.digest import Digest
from service.notifications.events import EVENTS, Event
from service.notifications.job_message import JobSaid, job_data
from service.notifications.message import (
    Data,
    Size,
    anomaly_data,
    content_of,
    plain_data,
    withdrawn_data,
)
from service.notifications.outbox import message_id
from service.notifications.policy import Phase, Told
from service.notifications.rows import Subject
from service.notifications.touched import Episode
from storage.series_key import SeriesKey, anomaly_id
from storage.source import SourceSpec
from workflows.report import COUNTS, Change, Report, SeriesFailure
from workflows.request import RunRequest

_ZONE = "Asia/Tokyo"
_SOURCE, _RULE, _RUN = "job.service1-recommend", "ranking-daily", "01KE3M2Q7Z8V4W5X6Y7A8B9C0D"
_SUNDAY = int(datetime(2026, 11, 8, tzinfo=ZoneInfo(_ZONE)).timestamp() * 1000)
_NOW = _SUNDAY + DAY_MS + 6 * HOUR_MS
_URL = "https://lupus.example.com"
_SIZE = Size(10, 200)
_BODY: Mapping[str, Any] = {
    "display_name": "Ranking",
    "owner": {"team": "rec", "mention": "@rec-oncall"},
    "links": {"runbook": "https://wiki.example.com/ranking"},
}
_METRICS = {
    "ndcg@10": {"display_name": "nDCG@10", "format": "0.000", "good": "up"},
    "latency_p99": {"display_name": "Latency p99", "unit": "ms", "format": "#,##0"},
}


def examples() -> list[dict[str, Any]]:
    """One of each event."""
    return [*(example(event) for event in EVENTS), *job_examples()]


def example(event: Event) -> dict[str, Any]:
    """The message of an event."""
    id_ = message_id(_RUN, "slack-ml", event)
    return content_of(event, id_, EVENTS.index(event) + 1, _NOW, _BUILDERS[event]())


def job_examples() -> list[dict[str, Any]]:
    """What a pipeline's start, success and failure become."""
    said = JobSaid(
        "nightly-train", "2026-11-08", "started", _NOW - HOUR_MS, {}, "", {"log": f"{_URL}/log"}
    )
    failed = replace(said, state="failed", time_ms=_NOW, message="exit code 137 in step train")
    ended = replace(said, state="succeeded", time_ms=_NOW, duration_seconds=3600.0)
    return [
        content_of(
            f"job_{one.state}",
            message_id(f"{_SOURCE} {one.pipeline} {one.run}", "slack-ml", one.state),
            number,
            _NOW,
            job_data(_SOURCE, _ZONE, _BODY, one),
        )
        for number, one in enumerate((said, ended, failed), 1)
    ]


def _anomaly() -> Data:
    jp = _change({"region": "jp", "model": "dnn-v4"}, 0.312, 0.413, severity="critical", score=9.1)
    tw = _change({"region": "tw", "model": "dnn-v4"}, 0.358, 0.402, days=2)
    th = _change({"region": "th", "model": "dnn-v4"}, 0.371, 0.404, score=3.4)
    kr = _change({"region": "kr", "model": "gbdt-v2"}, 0.398, 0.401, days=3, direction="none")
    standing, over = Digest(), Digest()
    _tell(standing, "started", jp, None, "critical")
    _tell(standing, "worse", tw, "warning", "major", before_ms=_SUNDAY - DAY_MS)
    _tell(standing, "started", th, None, "major")
    _tell(over, "ended", replace(kr, reason="ok"), "major", None)
    report = _report("succeeded", anomalous=4, new=3, insufficient_history=84, short=12)
    return anomaly_data(_subject(), report, standing, over, _SIZE)


def _withdrawn() -> Data:
    told = _change({"region": "jp", "model": "dnn-v4"}, 0.409, 0.413, kind="withdrawn")
    taken_back = Digest()
    told = replace(told, previous={"value": 0.312}, cause="data")
    row = Told("withdrawn", told, told.ts_ms, (told,))
    taken_back.add([row], [Episode("withdrawn", told, told.ts_ms, "critical", None)])
    return withdrawn_data(_subject(), _report("succeeded", withdrawn=1), taken_back, 0, _SIZE)


def _started() -> Data:
    return plain_data(_subject(), "started", None)


def _no_data() -> Data:
    report = _report("partial", series_without_points=3, no_data=23, judged=271)
    return plain_data(_subject(), "no_data", report)


def _succeeded() -> Data:
    return plain_data(_subject(), "succeeded", _report("succeeded"))


def _partial() -> Data:
    key = SeriesKey.of(_SOURCE, "latency_p99", {"region": "jp"})
    failure = SeriesFailure(key.id, str(key), "the series has values that are not finite")
    report = _report("partial", failed=1, anomalous=2, judged=287)
    return plain_data(_subject(), "partial", replace(report, failures=(failure,)))


def _failed() -> Data:
    error = "plan: the table ml_metrics.daily_eval does not exist"
    return plain_data(_subject(), "failed", None, error)


_BUILDERS: Mapping[Event, Callable[[], Data]] = {
    "started": _started,
    "anomaly": _anomaly,
    "withdrawn": _withdrawn,
    "no_data": _no_data,
    "succeeded": _succeeded,
    "partial": _partial,
    "failed": _failed,
}


def _tell(
    digest: Digest,
    phase: Phase,
    change: Change,
    was: str | None,
    now: str | None,
    before_ms: int | None = None,
) -> None:
    episode = Episode(phase, change, change.episode_start_ms, was, now)
    row = Told(phase, change, change.episode_start_ms, (change,), before_ms)
    digest.add([row], [episode])


def _change(labels: dict[str, str], value: float, expected: float, **changes: Any) -> Change:
    key = SeriesKey.of(_SOURCE, "ndcg@10", labels)
    days = changes.pop("days", 1)
    plain = Change(
        kind="new",
        anomaly=anomaly_id(_SOURCE, _RULE, key.id, _SUNDAY),
        transition=1,
        cause=None,
        series=key.id,
        metric="ndcg@10",
        labels=dict(key.labels),
        ts_ms=_SUNDAY,
        value=value,
        expected=expected,
        lower=round(expected - 0.022, 3),
        upper=round(expected + 0.022, 3),
        score=4.0,
        severity="major",
        direction="down",
        reason="ok",
        episode_start_ms=_SUNDAY - (days - 1) * DAY_MS,
    )
    return replace(plain, **changes)


def _report(outcome: Any, short: int = 0, **counts: int) -> Report:
    return Report(
        run=_RUN,
        generation=118,
        outcome=outcome,
        counts={**dict.fromkeys(COUNTS, 0), "series": 42, "judged": 294, **counts},
        short_series=short,
        first_ready_at_ms=_SUNDAY + 29 * DAY_MS if short else None,
        ready_at_ms=_SUNDAY + 36 * DAY_MS if short else None,
    )


def _subject() -> Subject:
    spec = SourceSpec(_SOURCE, _ZONE, None, dict.fromkeys(_METRICS, DAY_MS), _METRICS)
    request = RunRequest(
        run=_RUN,
        generation=118,
        source=spec,
        metrics=tuple(_METRICS),
        start_ms=_SUNDAY - 6 * DAY_MS,
        end_ms=_SUNDAY + DAY_MS,
        detector={"type": "prophet"},
        accepted_ms=_NOW,
        deadline_ms=_NOW + DAY_MS,
        rule=_RULE,
    )
    run = Run(
        id=_RUN,
        source=_SOURCE,
        rule=_RULE,
        generation=118,
        state="succeeded",
        detector="prophet",
        body={},
        request={},
        notify={},
        after=(),
        accepted_ms=_NOW,
        deadline_ms=_NOW + DAY_MS,
        caller="airflow",
    )
    return Subject(run, request, _BODY, _URL, f"{_URL}/v1/detections/{_RUN}/report")
