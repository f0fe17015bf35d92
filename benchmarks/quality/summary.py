"""Rows of the trials, pooled over metrics."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.quality.events import KINDS, Kind

Row = Mapping[str, Any]
FOUND_KINDS = tuple(kind for kind in KINDS if kind != "missing")
"""Missing points are told by every request, so they say nothing of a detector's recall."""


_YEAR_DAYS = 365.25


@dataclass(frozen=True)
class Pooled:
    """What some rows say together; None where nothing was judged."""

    judged: float
    """Share of the points that got a verdict."""
    alarms_a_year: float | None
    """False episodes a series-year."""
    points_a_year: float | None
    recall: Mapping[str, float]
    delay: Mapping[str, float | None]
    """Median steps, over the metrics' medians."""
    precision: float | None
    after_gap: float
    """Share of the points with data that got a verdict where some are missing."""

    @property
    def all_recall(self) -> float:
        """Of all kinds alike."""
        return sum(self.recall[kind] for kind in FOUND_KINDS) / len(FOUND_KINDS)


def chosen(
    rows: Sequence[Row], detector: str, step: str, history: int, metric: str | None = None
) -> list[Row]:
    """Rows of one detector, step and history, of all metrics or one."""
    return [
        row
        for row in rows
        if (row["detector"], row["step"], row["history"]) == (detector, step, history)
        and metric in (None, row["metric"])
    ]


def pooled(rows: Sequence[Row]) -> Pooled:
    """Pool rows of the same size."""
    years = sum(row["quiet"]["years"] for row in rows)
    events = {kind: [row["events"][kind] for row in rows] for kind in KINDS}
    found = _sum(events, FOUND_KINDS, "found")
    others = _sum(events, FOUND_KINDS, "others")
    return Pooled(
        judged=sum(row["quiet"]["judged"] for row in rows) / len(rows),
        alarms_a_year=_rate(rows, "episodes", years),
        points_a_year=_rate(rows, "points", years),
        recall={
            kind: sum(one["found"] for one in made) / sum(one["events"] for one in made)
            for kind, made in events.items()
        },
        delay={kind: _median(one["delay"] for one in made) for kind, made in events.items()},
        precision=found / (found + others) if found + others else None,
        after_gap=sum(one["judged"] for one in events["missing"]) / len(rows),
    )


def alarms(rows: Sequence[Row], horizon_days: float) -> list[float]:
    """Anomalous points, episodes and merged episodes a year of series with an event each."""
    events = [row["events"][kind] for row in rows for kind in FOUND_KINDS]
    years = sum(one["events"] for one in events) * horizon_days / _YEAR_DAYS
    return [sum(one[name] for one in events) / years for name in ("points", "episodes", "merged")]


def _sum(events: Mapping[Kind, Sequence[Row]], kinds: Iterable[Kind], name: str) -> int:
    return sum(one[name] for kind in kinds for one in events[kind])


def _rate(rows: Sequence[Row], name: str, years: float) -> float | None:
    return sum(row["quiet"][name] for row in rows) / years if years > 0 else None


def _median(delays: Iterable[float | None]) -> float | None:
    known = [delay for delay in delays if delay is not None]
    return median(known) if known else None
