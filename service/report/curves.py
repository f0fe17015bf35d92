"""What is drawn of a series: its points and what a run expected, from the index."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from service.clock import DAY_MS
from service.report.facts import BandCurve, Card, Curve, MetricLook
from service.report.rank import RankedSeries
from storage.index import Band, Index, PointsDay
from workflows.request import RunRequest

# So much history is drawn that the run's range can be judged by eye, and can still be seen.
_HISTORY_RANGES, _HISTORY_STEPS = 3, 40
_MOST_HISTORY_MS = 400 * DAY_MS


def read_cards(
    index: Index, request: RunRequest, series: Sequence[RankedSeries], generation: int
) -> list[Card]:
    """Cards of some series. Bands are those that this run knew, the newest for each time."""
    ids = [one.id for one in series]
    if not ids:
        return []
    source = request.source.name
    looks = {one.metric: MetricLook.of(request.source, one.metric) for one in series}
    from_ms = {one.id: _from_ms(request, looks[one.metric]) for one in series}
    days: dict[str, list[PointsDay]] = defaultdict(list)
    for day in index.points(source, ids, min(from_ms.values()), request.end_ms):
        days[day.series].append(day)
    bands: dict[str, list[Band]] = defaultdict(list)
    if request.rule is not None:
        for band in index.bands(source, ids, request.rule):
            if band.generation <= generation:
                bands[band.series].append(band)
    return [
        _card(one, looks[one.metric], days[one.id], bands[one.id], from_ms[one.id], request)
        for one in series
    ]


def _from_ms(request: RunRequest, look: MetricLook) -> int:
    span = request.end_ms - request.start_ms
    history = max(_HISTORY_RANGES * span, _HISTORY_STEPS * (look.step_ms or 0))
    return request.start_ms - min(history, _MOST_HISTORY_MS)


def _card(
    one: RankedSeries,
    look: MetricLook,
    days: Iterable[PointsDay],
    bands: Iterable[Band],
    from_ms: int,
    request: RunRequest,
) -> Card:
    points = _curve(days, from_ms, request.end_ms)
    if len(points.ts_ms):  # nothing was before the first point: nothing is drawn of it
        first_ms = int(points.ts_ms[0])
        step_ms = look.step_ms or (request.end_ms - request.start_ms) // 20
        from_ms = min(request.start_ms, max(from_ms, first_ms - step_ms))
    else:
        from_ms = request.start_ms
    releases = tuple(r for r in request.releases if r.concerns(one.metric, one.labels))
    return Card(one, look, from_ms, points, _band(bands, from_ms, request.end_ms), releases)


def _curve(days: Iterable[PointsDay], from_ms: int, end_ms: int) -> Curve:
    pairs = [
        (ts, value)
        for day in days
        for ts, value in zip(day.ts_ms, day.values, strict=True)
        if value is not None and from_ms <= ts < end_ms
    ]
    pairs.sort()
    return Curve(
        np.array([ts for ts, _ in pairs], np.int64), np.array([value for _, value in pairs], float)
    )


def _band(bands: Iterable[Band], from_ms: int, end_ms: int) -> BandCurve:
    rows: dict[int, tuple[float | None, float | None, float | None]] = {}
    for band in bands:  # newest generation last, so it overwrites
        columns = zip(band.ts_ms, band.expected, band.lower, band.upper, strict=True)
        rows.update((ts, bounds) for ts, *bounds in columns if from_ms <= ts < end_ms)  # type: ignore[misc]
    times = sorted(rows)
    table = np.array([rows[ts] for ts in times], float).reshape(len(times), 3)
    return BandCurve(np.array(times, np.int64), table[:, 0], table[:, 1], table[:, 2])
