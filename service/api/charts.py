"""Points of a metric as charts draw them: values, bands and anomalies, series by series."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from service.api.access import Asking, source_or_404
from service.api.anomalies import AnomalyOut, shown
from service.api.body import StrictRoute
from service.api.downsample import keep_extremes
from service.api.errors import QueryError
from service.api.label_query import query_conditions
from service.api.page import Cursor
from service.api.releases import EventOut
from service.api.releases import shown as event_shown
from service.api.resources import Opened
from service.api.times import query_ms, rfc3339
from service.clock import DAY_MS
from service.database.releases import releases_of
from storage.index import AnomalyQuery, Band, Index, PointsDay, SeriesEntry
from storage.series_key import SeriesKey
from workflows.releases import MOST_RELEASES

router = APIRouter(prefix="/v1/points", tags=["points"], route_class=StrictRoute)

_DEFAULT_DAYS = 28
_MOST_ANOMALIES = 1000


class BandOut(BaseModel):
    """What a rule expected; the newest run wins for each time."""

    rule: str
    times_ms: list[int]
    expected: list[float | None]
    lower: list[float | None]
    upper: list[float | None]


class ChartSeries(BaseModel):
    """One series in the range."""

    series: str
    name: str
    metric: str
    labels: dict[str, str]
    points: int = Field(description="Points in the range, before downsampling.")
    times_ms: list[int]
    values: list[float]
    bands: list[BandOut]
    anomalies: list[AnomalyOut]


class ChartOut(BaseModel):
    """Some series; ``cursor`` is null on the last page."""

    source: str
    start: str
    end: str
    items: list[ChartSeries]
    events: list[EventOut] = Field(description="Releases in the range, oldest first.")
    cursor: str | None


@router.get("", operation_id="getPoints")
def get_points(
    opened: Opened,
    caller: Asking,
    source: str,
    metric: Annotated[list[str], Query(description="Names or globs.", min_length=1)],
    labels: Annotated[list[str] | None, Query(description="`region=jp`, or JSON.")] = None,
    series: Annotated[list[str] | None, Query(description="Only these ids of series.")] = None,
    rule: Annotated[str | None, Query(description="Bands and anomalies of this rule.")] = None,
    start: Annotated[str | None, Query(description="Default: 28 days before the end.")] = None,
    end: Annotated[str | None, Query(description="Exclusive. Default: now.")] = None,
    max_points: Annotated[
        int, Query(ge=4, le=100_000, description="Per series; lowest and highest are kept.")
    ] = 1000,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Most series of this page.")] = 20,
) -> ChartOut:
    """Chart data: points, anomalies and bands."""
    with opened.database.read() as tx:
        timezone = source_or_404(tx, caller, "read", source).timezone
        end_ms = query_ms("end", end, timezone) or opened.clock.now_ms()
        start_ms = query_ms("start", start, timezone)
        start_ms = end_ms - _DEFAULT_DAYS * DAY_MS if start_ms is None else start_ms
        if start_ms >= end_ms:
            raise QueryError("start", "must be before end")
        releases = releases_of(tx, source, end_ms, MOST_RELEASES, start_ms)
    index = opened.stores.index
    conditions = query_conditions("labels", labels or ())
    page = index.series(source, tuple(metric), conditions, limit, cursor)
    entries = [entry for entry in page.items if not series or entry.series in series]
    chart = _Chart(index, source, start_ms, end_ms, rule, max_points)
    return ChartOut(
        source=source,
        start=rfc3339(start_ms),
        end=rfc3339(end_ms),
        items=chart.of(entries),
        events=[event_shown(one) for one in releases],
        cursor=page.cursor,
    )


class _Chart:
    """Collects what is drawn of some series of one source."""

    def __init__(
        self, index: Index, source: str, start_ms: int, end_ms: int, rule: str | None, most: int
    ) -> None:
        self._index = index
        self._source = source
        self._start_ms = start_ms
        self._end_ms = end_ms
        self._rule = rule
        self._most = most

    def of(self, entries: Sequence[SeriesEntry]) -> list[ChartSeries]:
        ids = [entry.series for entry in entries]
        days: dict[str, list[PointsDay]] = {id_: [] for id_ in ids}
        bands: dict[str, list[Band]] = {id_: [] for id_ in ids}
        if ids:
            for day in self._index.points(self._source, ids, self._start_ms, self._end_ms):
                days[day.series].append(day)
            for band in self._index.bands(self._source, ids, self._rule):
                bands[band.series].append(band)
        return [self._series(entry, days[entry.series], bands[entry.series]) for entry in entries]

    def _series(
        self, entry: SeriesEntry, days: Iterable[PointsDay], bands: Iterable[Band]
    ) -> ChartSeries:
        pairs = [
            (ts, value)
            for day in days
            for ts, value in zip(day.ts_ms, day.values, strict=True)
            if value is not None and self._start_ms <= ts < self._end_ms
        ]
        pairs.sort()
        values = np.array([value for _, value in pairs], dtype=np.float64)
        kept = keep_extremes(values, values, self._most)
        key = SeriesKey.stored(self._source, entry.metric, entry.labels)
        return ChartSeries(
            series=entry.series,
            name=str(key),
            metric=entry.metric,
            labels=dict(entry.labels),
            points=len(pairs),
            times_ms=[pairs[row][0] for row in kept],
            values=[pairs[row][1] for row in kept],
            bands=self._bands(bands),
            anomalies=self._anomalies(entry.series),
        )

    def _bands(self, bands: Iterable[Band]) -> list[BandOut]:
        rows: dict[str, dict[int, tuple[float | None, float | None, float | None]]] = {}
        for band in bands:  # newest generation last, so it overwrites
            columns = zip(band.ts_ms, band.expected, band.lower, band.upper, strict=True)
            mine = rows.setdefault(band.rule, {})
            for ts, expected, lower, upper in columns:
                if self._start_ms <= ts < self._end_ms:
                    mine[ts] = (expected, lower, upper)
        return [self._band(rule, mine) for rule, mine in sorted(rows.items()) if mine]

    def _band(
        self, rule: str, rows: dict[int, tuple[float | None, float | None, float | None]]
    ) -> BandOut:
        times = sorted(rows)
        lower = _floats(rows[time][1] for time in times)
        upper = _floats(rows[time][2] for time in times)
        kept = [times[row] for row in keep_extremes(lower, upper, self._most)]
        return BandOut(
            rule=rule,
            times_ms=kept,
            expected=[rows[time][0] for time in kept],
            lower=[rows[time][1] for time in kept],
            upper=[rows[time][2] for time in kept],
        )

    def _anomalies(self, series: str) -> list[AnomalyOut]:
        query = AnomalyQuery(
            source=self._source,
            series=series,
            rule=self._rule,
            start_ms=self._start_ms,
            end_ms=self._end_ms,
            status="found",
        )
        page = self._index.search_anomalies(query, _MOST_ANOMALIES)
        return [shown(anomaly) for anomaly in page.items]


def _floats(values: Iterable[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
