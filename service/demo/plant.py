"""What is done to some of the series, and where and when."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from service.demo.series import PIPELINE, QUALITY, SERVING, DemoSeries


@dataclass(frozen=True)
class Planted:
    """One event: the points of ``series`` from ``start`` up to and including ``end``."""

    kind: str
    source: str
    series: str  # as written
    start: datetime
    end: datetime


@dataclass(frozen=True)
class LatePartition:
    """Points that first arrive much too small and are rewritten while the demonstration runs."""

    series: DemoSeries
    row: int
    right_value: float


def plant(series: list[DemoSeries]) -> tuple[list[Planted], LatePartition]:
    """Change some series in place; every run plants the same events in the same series."""
    by_name = {(s.source, s.name): s for s in series}

    planted = [
        _shape(kind, by_name[source, name], before_end, length, change)
        for kind, source, name, before_end, length, change in EVENTS
    ]
    planted.append(_missing(by_name[PIPELINE, 'row_count{region="th",table="users"}'], 3, 2))
    late = by_name[PIPELINE, 'row_count{region="us",table="purchases"}']
    row = len(late.values) - 1
    right = float(late.values[row])
    late.values[row] = np.round(right * 0.08)
    time = late.times[row]
    planted.append(Planted("late partition", PIPELINE, late.name, time, time))
    return planted, LatePartition(late, row, right)


Change = Callable[[DemoSeries, slice], None]


def _shape(kind: str, series: DemoSeries, before_end: int, length: int, change: Change) -> Planted:
    rows = slice(len(series.values) - before_end, len(series.values) - before_end + length)
    change(series, rows)
    return Planted(
        kind, series.source, series.name, series.times[rows.start], series.times[rows.stop - 1]
    )


def _missing(series: DemoSeries, before_end: int, length: int) -> Planted:
    first = len(series.values) - before_end
    series.missing |= set(range(first, first + length))
    times = series.times
    return Planted(
        "missing days", series.source, series.name, times[first], times[first + length - 1]
    )


def _add(noises: float) -> Change:
    """Move by so many standard deviations of a point's noise."""

    def change(series: DemoSeries, rows: slice) -> None:
        series.values[rows] += noises * series.noise

    return change


def _slope(noises: float) -> Change:
    """Drift until it is so many standard deviations away at the end."""

    def change(series: DemoSeries, rows: slice) -> None:
        count = rows.stop - rows.start
        series.values[rows] += np.linspace(0, noises * series.noise, count)

    return change


def _scale(factor: float) -> Change:
    def change(series: DemoSeries, rows: slice) -> None:
        series.values[rows] = np.round(series.values[rows] * factor, 3)

    return change


# kind, source, series, rows before the end where it begins, length in rows, change
EVENTS: tuple[tuple[str, str, str, int, int, Change], ...] = (
    ("spike", QUALITY, 'recall@20{model="dnn-v3",region="us"}', 4, 1, _add(9)),
    ("drop", QUALITY, 'ndcg@10{model="dnn-v4",region="jp"}', 1, 1, _add(-12)),
    ("level shift", QUALITY, 'ndcg@10{model="two-tower",region="de"}', 6, 6, _add(-7)),
    ("slow trend", QUALITY, 'recall@20{model="dnn-v4",region="in"}', 21, 21, _slope(-6)),
    ("spike", PIPELINE, 'prediction_mean{region="tw",segment="heavy"}', 2, 1, _add(14)),
    ("level shift", PIPELINE, 'prediction_mean{region="kr",segment="new"}', 5, 5, _add(8)),
    ("drop", PIPELINE, 'row_count{region="jp",table="clicks"}', 3, 1, _scale(0.35)),
    ("spike", SERVING, 'latency_p95_ms{endpoint="/v1/rank",region="jp"}', 30, 3, _scale(2.2)),
    (
        "level shift",
        SERVING,
        'latency_p95_ms{endpoint="/v2/feed",region="us"}',
        20,
        20,
        _scale(1.5),
    ),
)
