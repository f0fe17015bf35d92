"""What charts draw, in Elasticsearch: points by day and bands by run.

Both are replaced whole, guarded by an external version: an older one is refused, and that is fine.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from storage.elasticsearch import filters
from storage.elasticsearch.bulk import Action
from storage.elasticsearch.client import Session
from storage.elasticsearch.names import Names
from storage.elasticsearch.search import PAGE_OF_CHARTS, Hit, hits
from storage.index import Band, PointsDay
from storage.series_key import canonical_id

_DAY_MS = 86_400_000


def put_day(names: Names, day: PointsDay) -> Action:
    """Replace the document of a day unless the stored one is newer."""
    start_ms = int(datetime.fromisoformat(day.day).replace(tzinfo=UTC).timestamp()) * 1000
    id_ = canonical_id(day.source, day.series, day.day)
    body = {
        "id": id_,
        "source": day.source,
        "series": day.series,
        "@timestamp": start_ms,
        "day": day.day,
        "sequence": day.sequence,
        "chart": {"ts_ms": list(day.ts_ms), "values": _numbers(day.values)},
    }
    return Action("index", names.index("points", start_ms), id_, body, _guard(day.sequence))


def put_band(names: Names, band: Band) -> Action:
    """Replace a band unless the stored one is newer. It lives in the month of its last time."""
    last_ms = max(band.ts_ms, default=0)
    id_ = canonical_id(band.source, band.series, band.rule, band.run)
    body = {
        "id": id_,
        "source": band.source,
        "series": band.series,
        "@timestamp": last_ms,
        "rule": band.rule,
        "run": band.run,
        "generation": band.generation,
        "chart": {
            "ts_ms": list(band.ts_ms),
            "expected": _numbers(band.expected),
            "lower": _numbers(band.lower),
            "upper": _numbers(band.upper),
        },
    }
    return Action("index", names.index("bands", last_ms), id_, body, _guard(band.generation))


def _guard(version: int) -> dict[str, Any]:
    return {"version": version, "version_type": "external_gte"}


def removal_guard(hit: Hit) -> dict[str, Any]:
    """Of a delete: without it the grave's version would be one higher than the document's, and
    for a minute the same document could not come back."""
    return _guard(hit["_version"])


def points(
    session: Session, names: Names, source: str, series: Sequence[str], start_ms: int, end_ms: int
) -> Iterator[PointsDay]:
    """Days that touch [start, end), by series then day."""
    query = filters.every([
        *filters.equals(source=source),
        filters.one_of("series", series),
        *filters.between(start_ms - start_ms % _DAY_MS, end_ms),
    ])  # fmt: skip
    sort = [{"series": "asc"}, {"@timestamp": "asc"}]
    for hit in hits(session, names.alias("points"), query, sort, page=PAGE_OF_CHARTS):
        found = hit["_source"]
        yield PointsDay(
            source=found["source"],
            series=found["series"],
            day=found["day"],
            ts_ms=found["chart"]["ts_ms"],
            values=found["chart"]["values"],
            sequence=found["sequence"],
        )


def bands(
    session: Session, names: Names, source: str, series: Sequence[str], rule: str | None
) -> Iterator[Band]:
    """Bands of some series, oldest generation first."""
    query = filters.every([
        *filters.equals(source=source, rule=rule),
        filters.one_of("series", series),
    ])  # fmt: skip
    sort = [{name: "asc"} for name in ("generation", "series", "rule", "run")]
    for hit in hits(session, names.alias("bands"), query, sort, page=PAGE_OF_CHARTS):
        found = hit["_source"]
        yield Band(
            source=found["source"],
            rule=found["rule"],
            series=found["series"],
            run=found["run"],
            generation=found["generation"],
            **found["chart"],
        )


def _numbers(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None or not math.isfinite(value) else value for value in values]
