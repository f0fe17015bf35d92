"""Facts of a report as a run would have left them, with names that a test chooses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from service.clock import DAY_MS
from service.database.deliveries import Delivery
from service.database.runs import Run
from service.report.facts import (
    BandCurve,
    Card,
    Curve,
    Lack,
    Lacking,
    LackingSeries,
    MetricLook,
    ReportFacts,
    Share,
)
from service.report.rank import RankedSeries, rank_series
from storage.index import Anomaly
from storage.series_key import anomaly_id, canonical_id
from storage.source import SourceSpec
from workflows.codec import to_plain
from workflows.failure import Failure
from workflows.report import Report, SeriesFailure
from workflows.request import RunRequest

# Sunday 1 November 2026, midnight in Tokyo.
START_MS = 1_793_458_800_000
END_MS = START_MS + 7 * DAY_MS
COUNTS = {"series": 42, "judged": 280, "anomalous": 2, "no_data": 3, "insufficient_history": 7}


@dataclass(frozen=True)
class Names:
    """Every text on the page that a stranger may have chosen."""

    metric: str = "ndcg@10"
    display: str = "nDCG@10"
    unit: str = ""
    source: str = "Ranking"
    rule: str = "ranking-daily"
    label: str = "jp"
    comment: str = "we know"
    error: str = "ValueError: too few points"
    team: str = "rec"
    link: str = "https://wiki.example.com/runbook"
    channel: str = "slack-ml"
    why: str = "below_min_severity"
    caller: str = "token:01k"
    log: str = "INFO reading"


def anomaly(day: int, value: float | None = 0.31, **more: Any) -> Anomaly:
    """One of day ``day`` of the range."""
    given: dict[str, Any] = {
        "source": "job.rank",
        "rule": "ranking-daily",
        "series": canonical_id("series"),
        "metric": "ndcg@10",
        "labels": {"region": "jp"},
        "ts_ms": START_MS + day * DAY_MS,
        "value": value,
        "expected": 0.42,
        "lower": 0.40,
        "upper": 0.44,
        "score": 5.5,
        "severity": "critical",
        "direction": "down",
        "reason": "ok",
        "status": "found",
        "cause": None,
        "transition": 1,
        "episode_start_ms": START_MS,
        "detector": "window",
        "detector_hash": "",
        "run": "01krun",
        "generation": 7,
        "written_at_ms": END_MS,
        **more,
    }
    id_ = anomaly_id(given["source"], given["rule"], given["series"], given["ts_ms"])
    return Anomaly(id=id_, **given)


def request(names: Names, **more: Any) -> RunRequest:
    """What the run was asked."""
    metrics = {names.metric: {"display_name": names.display, "unit": names.unit}}
    source = SourceSpec("job.rank", "Asia/Tokyo", None, {names.metric: DAY_MS}, metrics)
    given: dict[str, Any] = {
        "run": "01krun",
        "generation": 7,
        "source": source,
        "metrics": (names.metric,),
        "start_ms": START_MS,
        "end_ms": END_MS,
        "detector": {"type": "window", "window": "28d", "k": 4.0, "direction": "down"},
        "accepted_ms": END_MS,
        "deadline_ms": END_MS + DAY_MS,
        "rule": names.rule,
        "labels": {"region": (names.label,)},
        **more,
    }
    return RunRequest(**given)


def report(names: Names) -> Report:
    """What the run said."""
    failures = (SeriesFailure("f" * 32, names.metric, names.error),)
    return Report("01krun", 7, "partial", {**COUNTS, "failed": 1}, {}, END_MS, failures)


def run(names: Names, asked: RunRequest, **more: Any) -> Run:
    """The run's row, ended an hour after it was asked for."""
    note = {"event": "anomaly", "why": names.why, "count": 1}
    sent = {"event": "anomaly", "delivery": "msg_1", "count": 2}
    given: dict[str, Any] = {
        "id": "01krun",
        "source": "job.rank",
        "rule": names.rule,
        "generation": 7,
        "state": "partial",
        "detector": "window",
        "body": {},
        "request": to_plain(asked),
        "notify": {"channels": [names.channel]},
        "after": (),
        "accepted_ms": END_MS,
        "deadline_ms": END_MS + DAY_MS,
        "caller": names.caller,
        "started_ms": END_MS + 1_000,
        "ended_ms": END_MS + 3_600_000,
        "report": to_plain(report(names)),
        "notified": {names.channel: {"sent": [sent], "held": [note]}},
        "error": names.error,
        **more,
    }
    return Run(**given)


def card(one: RankedSeries, look: MetricLook, days: int = 30) -> Card:
    """A month of points, the last week with a band, a day without a point in it."""
    times = END_MS - DAY_MS * np.arange(days, 0, -1, dtype=np.int64)
    values = 0.42 + 0.01 * np.sin(np.arange(days))
    for found in one.anomalies:
        values[times == found.ts_ms] = found.value
    kept = times != START_MS + DAY_MS
    judged = times >= START_MS
    expected = np.full(judged.sum(), 0.42)
    band = BandCurve(times[judged], expected, expected - 0.02, expected + 0.02)
    return Card(one, look, int(times[0]) - DAY_MS, Curve(times[kept], values[kept]), band)


def facts(names: Names | None = None, **more: Any) -> ReportFacts:
    """A report with something of everything."""
    names = names or Names()
    labels = {"region": names.label}
    said: dict[str, Any] = {"metric": names.metric, "labels": labels, "rule": names.rule}
    found = [
        anomaly(6, **said),
        anomaly(5, severity="warning", score=1.2, value=0.395, **said),
        anomaly(2, status="withdrawn", cause="data", value=0.41, transition=2, **said),
        anomaly(
            6,
            **said | {"series": canonical_id("other"), "labels": {"region": "tw"}},
            verdict="expected",
            comment=names.comment,
            verdict_by=names.caller,
            verdict_at_ms=END_MS,
            severity="major",
        ),
    ]
    asked = request(names)
    ranking = rank_series(found)
    look = MetricLook.of(asked.source, names.metric)
    lack = LackingSeries(names.metric, 3, 1, 2, END_MS + DAY_MS, names.error)
    lacks = Lack(30, (lack,))
    given: dict[str, Any] = {
        "run": run(names, asked),
        "request": asked,
        "source_body": {
            "display_name": names.source,
            "owner": {"team": names.team, "mention": "@x"},
        },
        "now_ms": END_MS + DAY_MS,
        "ranking": ranking,
        "cards": [card(one, look) for one in ranking.series],
        "lacking": Lacking(lacks, lacks, lacks, lacks, names.error),
        "shares": [Share("region", names.label, 3, 4), Share("model", names.label, 5, None)],
        "deliveries": [delivery(names)],
        "failures": [
            Failure("detect", 0, "ValueError", names.error, False, END_MS, 3, log=(names.log,) * 2)
        ],
        "links": {names.team or "x": names.link},
        **more,
    }
    return ReportFacts(**given)


def delivery(names: Names, **more: Any) -> Delivery:
    """A message that was sent."""
    given: dict[str, Any] = {
        "id": "msg_1",
        "run": "01krun",
        "source": "job.rank",
        "channel": names.channel,
        "event": "anomaly",
        "counter": 1,
        "body": "{}",
        "state": "sent",
        "created_ms": END_MS,
        "sent_ms": END_MS + 2_000,
        **more,
    }
    return Delivery(**given)


def in_state(state: str, **more: Any) -> ReportFacts:
    """A run that is not over, or that came to nothing."""
    sample = facts()
    changed: Mapping[str, Any] = {"state": state, "report": None, "notified": None, **more}
    return ReportFacts(
        run=replace(sample.run, **changed),
        request=sample.request,
        source_body=sample.source_body,
        now_ms=sample.now_ms,
    )


def many(count: int) -> Sequence[Anomaly]:
    """Anomalies of one series, one a minute."""
    return [anomaly(0, ts_ms=START_MS + minute * 60_000) for minute in range(count)]
