"""What anomalies are searched by: the query parameters that lists of them share."""

from typing import Annotated

from fastapi import Depends, Query

from service.api.access import Asking, source_or_404, visible
from service.api.errors import QueryError
from service.api.label_query import query_conditions
from service.api.resources import Opened
from service.api.times import query_ms
from storage.index import AnomalyQuery, Severity, Status, Verdict


def _query(
    opened: Opened,
    caller: Asking,
    source: str | None = None,
    metric: Annotated[list[str] | None, Query(description="Names or globs; any of them.")] = None,
    rule: str | None = None,
    labels: Annotated[list[str] | None, Query(description="`region=jp`, or JSON.")] = None,
    series: Annotated[str | None, Query(description="Id of a series.")] = None,
    start: Annotated[str | None, Query(description="First time, inclusive.")] = None,
    end: Annotated[str | None, Query(description="Last time, exclusive.")] = None,
    min_severity: Severity | None = None,
    status: Status | None = None,
    verdict: Verdict | None = None,
    run: str | None = None,
) -> AnomalyQuery:
    timezone = "UTC"
    with opened.database.read() as tx:
        names = visible(tx, caller, "read")
        if source is not None:
            timezone = source_or_404(tx, caller, "read", source).timezone
    start_ms, end_ms = query_ms("start", start, timezone), query_ms("end", end, timezone)
    if start_ms is not None and end_ms is not None and end_ms <= start_ms:
        raise QueryError("start", "must be before end")
    return AnomalyQuery(
        source=source,
        sources=None if names is None else tuple(names),
        metrics=tuple(metric or ()),
        rule=rule,
        series=series,
        labels=query_conditions("labels", labels or ()),
        start_ms=start_ms,
        end_ms=end_ms,
        min_severity=min_severity,
        status=status,
        verdict=verdict,
        run=run,
    )


Searched = Annotated[AnomalyQuery, Depends(_query)]
