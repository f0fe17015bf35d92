"""Episodes: anomalies of one series on one side that follow one another, as one row each."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fastapi import APIRouter
from pydantic import BaseModel, Field

from service.api import cursor as cursors
from service.api.anomaly_search import Searched
from service.api.body import StrictRoute
from service.api.errors import QueryError
from service.api.page import Cursor, Limit, PageOut
from service.api.resources import Opened
from service.api.times import rfc3339
from storage.index import Anomaly, AnomalyQuery, Index, Severity
from storage.series_key import SeriesKey

router = APIRouter(prefix="/v1/episodes", tags=["anomalies"], route_class=StrictRoute)

MOST_ANOMALIES = 10_000
_READ = 1_000
_SEVERITIES: Sequence[Severity] = ("warning", "major", "critical")


class EpisodeOut(BaseModel):
    """Adjacent anomalies of one series by one rule, as far as the search matches them."""

    source: str
    rule: str
    series: str = Field(description="Id of the series.")
    name: str = Field(description='The series as written: `ndcg@10{region="jp"}`.')
    metric: str
    labels: dict[str, str]
    direction: str
    start: str = Field(description="Of the episode, also where it began before the search's range.")
    end: str = Field(description="Time of its last anomaly.")
    points: int = Field(description="Anomalies of it that match the search.")
    severity: Severity = Field(description="The worst.")
    peak: str = Field(description="Time of the highest score.")
    peak_score: float | None
    peak_value: float | None
    anomaly: str = Field(description="Id of the anomaly at the peak.")


@router.get("", operation_id="searchEpisodes")
def search_episodes(
    opened: Opened, query: Searched, cursor: Cursor = None, limit: Limit = 100
) -> PageOut[EpisodeOut]:
    """Newest start first; without `status` of anomalies that stand.

    At most 10,000 anomalies may match.
    """
    after = cursors.decode(cursor, int, str)
    if query.status is None:
        query = replace(query, status="found")
    groups: dict[tuple[str, str, str, int], list[Anomaly]] = {}
    for one in _all(opened.stores.index, query):
        key = (one.source, one.rule, one.series, one.episode_start_ms)
        groups.setdefault(key, []).append(one)
    ordered = sorted((-key[3], "\n".join(key[:3]), found) for key, found in groups.items())
    left = [one for one in ordered if after is None or one[:2] > (after[0], after[1])]
    page = left[:limit]
    more = len(left) > len(page)
    return PageOut(
        items=[_shown(found) for _, _, found in page],
        cursor=cursors.encode(*page[-1][:2]) if more else None,
    )


def _all(index: Index, query: AnomalyQuery) -> Iterator[Anomaly]:
    read, cursor = 0, None
    while True:
        page = index.search_anomalies(query, _READ, cursor)
        read += len(page.items)
        if read > MOST_ANOMALIES:
            raise QueryError(
                "start",
                f"more than {MOST_ANOMALIES:,} anomalies match; narrow start and end, or name a "
                "source, a rule or a metric",
            )
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


def _shown(found: Sequence[Anomaly]) -> EpisodeOut:
    peak = max(found, key=lambda one: (-1.0 if one.score is None else one.score, -one.ts_ms))
    key = SeriesKey.stored(peak.source, peak.metric, peak.labels)
    return EpisodeOut(
        source=peak.source,
        rule=peak.rule,
        series=peak.series,
        name=str(key),
        metric=peak.metric,
        labels=dict(peak.labels),
        direction=peak.direction,
        start=rfc3339(peak.episode_start_ms),
        end=rfc3339(max(one.ts_ms for one in found)),
        points=len(found),
        severity=max((one.severity for one in found), key=_SEVERITIES.index),
        peak=rfc3339(peak.ts_ms),
        peak_score=peak.score,
        peak_value=peak.value,
        anomaly=peak.id,
    )
