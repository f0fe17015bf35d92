"""What a rule says in a run's range, as the index knows it now."""

from collections.abc import Iterator
from dataclasses import replace

from service.report.rank import Ranking, badness, rank_series
from storage.index import Anomaly, AnomalyQuery, Index, Severity
from workflows.request import RunRequest

# Beyond so many only the worst severities are read to the end.
MOST_READ = 10_000
_PER_PAGE = 1_000
_TIERS: tuple[Severity | None, ...] = (None, "major", "critical")


def read_ranking(index: Index, request: RunRequest, most: int = MOST_READ) -> Ranking:
    """Series with anomalies, worst first. Of too many, all the critical ones are read first."""
    query = AnomalyQuery(
        source=request.source.name,
        rule=request.rule or "",
        metrics=tuple(request.metrics),
        labels=request.judged_labels,
        start_ms=request.start_ms,
        end_ms=request.end_ms,
    )
    found: dict[str, Anomaly] = {}
    for tier in _TIERS:
        read = list(_read(index, replace(query, min_severity=tier), most + 1))
        found.update((anomaly.id, anomaly) for anomaly in read[:most])
        if len(read) <= most:
            break
    else:
        tier = "critical"
    worst = sorted(found.values(), key=badness, reverse=True)
    return rank_series(worst, complete=tier is None)


def _read(index: Index, query: AnomalyQuery, most: int) -> Iterator[Anomaly]:
    cursor: str | None = None
    read = 0
    while read < most:
        page = index.search_anomalies(query, min(_PER_PAGE, most - read), cursor)
        yield from page.items
        read += len(page.items)
        cursor = page.cursor
        if cursor is None:
            return
