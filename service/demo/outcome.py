"""What was planted, held against what was found: misses and false alarms included."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.demo.plant import Planted
from service.demo.rules import Rule

SEVERITIES = ("warning", "major", "critical")


@dataclass(frozen=True)
class Outcome:
    """One planted event and one rule that watches its metric."""

    planted: Planted
    rule: Rule
    found: bool
    delay: timedelta | None  # from the event's first point to the first one found
    severity: str


@dataclass(frozen=True)
class FalseAlarm:
    """An anomaly where nothing was planted."""

    rule: Rule
    series: str
    when: datetime
    severity: str


def hold_against(
    planted: Sequence[Planted],
    rules: Sequence[Rule],
    anomalies: Mapping[str, Sequence[Mapping[str, Any]]],
) -> tuple[list[Outcome], list[FalseAlarm]]:
    """Match by series and time; ``anomalies`` are by rule, as the API gives them."""
    outcomes = [
        _outcome(event, rule, anomalies[rule.name])
        for event in planted
        for rule in rules
        if rule.source == event.source and event.series.split("{")[0] in rule.metrics
    ]
    alarms = [
        FalseAlarm(rule, str(anomaly["name"]), _time(anomaly), str(anomaly["severity"]))
        for rule in rules
        for anomaly in anomalies[rule.name]
        if not any(_belongs(anomaly, event, rule) for event in planted)
    ]
    return outcomes, alarms


def _outcome(event: Planted, rule: Rule, anomalies: Sequence[Mapping[str, Any]]) -> Outcome:
    hits = [
        anomaly
        for anomaly in anomalies
        if anomaly["name"] == event.series and event.start <= _time(anomaly) <= event.end
    ]
    if not hits:
        return Outcome(event, rule, False, None, "")
    worst = max((str(hit["severity"]) for hit in hits), key=SEVERITIES.index)
    return Outcome(event, rule, True, min(map(_time, hits)) - event.start, worst)


def _belongs(anomaly: Mapping[str, Any], event: Planted, rule: Rule) -> bool:
    """Inside the event, or one step after it."""
    after = event.end + timedelta(hours=rule.step_hours)
    return bool(
        event.source == rule.source
        and anomaly["name"] == event.series
        and event.start <= _time(anomaly) <= after
    )


def _time(anomaly: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(anomaly["time"]))
