"""Small documents to write into an index."""

from dataclasses import replace
from typing import Any

from storage.index import Anomaly, AnomalyWrite, Band, PointsDay, SeriesEntry
from storage.series_key import SeriesKey, anomaly_id

DAY_MS = 86_400_000


def anomaly(ts_ms: int = 0, generation: int = 1, **other: Any) -> Anomaly:
    """An anomaly of source ``s``, rule ``r``, metric ``m``; everything may be overridden."""
    labels = other.get("labels", {"region": "jp"})
    source, rule = other.get("source", "s"), other.get("rule", "r")
    key = SeriesKey.of(source, other.get("metric", "m"), labels)
    base = Anomaly(
        id=anomaly_id(source, rule, key.id, ts_ms),
        source=source,
        rule=rule,
        series=key.id,
        metric=key.metric,
        labels=labels,
        ts_ms=ts_ms,
        value=1.5,
        expected=1.0,
        lower=0.5,
        upper=None,
        score=3.25,
        severity="major",
        direction="up",
        reason="ok",
        status="found",
        cause=None,
        transition=1,
        episode_start_ms=ts_ms,
        detector="threshold",
        detector_hash="h",
        run=f"run-{generation}",
        generation=generation,
        written_at_ms=1_700_000_000_000,
    )
    return replace(base, **other)


def new(document: Anomaly) -> AnomalyWrite:
    """A write that creates."""
    return AnomalyWrite(document, None)


def day(number: int = 0, sequence: int = 1, values: tuple[float | None, ...] = (1.0,),
        series: str = "q", source: str = "s") -> PointsDay:  # fmt: skip
    """A day of hourly points."""
    ts_ms = [number * DAY_MS + hour * 3_600_000 for hour in range(len(values))]
    text = f"2026-01-{number + 1:02d}"
    start = 20_454 * DAY_MS  # 2026-01-01
    return PointsDay(source, series, text, [start + ts for ts in ts_ms], values, sequence)


def band(generation: int = 1, series: str = "q", rule: str = "r", run: str = "u") -> Band:
    """A band of two times."""
    numbers = [float(generation), None]
    return Band("s", rule, series, run, generation, [1, 2], numbers, numbers, [None, None])


def entry(metric: str = "m", sequence: int = 1, labels: dict[str, str] | None = None,
          **other: Any) -> SeriesEntry:  # fmt: skip
    """A catalog entry of source ``s``."""
    key = SeriesKey.of(other.get("source", "s"), metric, labels or {})
    base = SeriesEntry(
        source=key.source,
        series=key.id,
        metric=metric,
        labels=dict(key.labels),
        step_ms=None,
        first_ms=10,
        last_ms=20,
        sequence=sequence,
    )
    return replace(base, **other)
