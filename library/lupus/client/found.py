"""What the service found: anomalies as rows, points as charts."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from lupus.chart import Band, Chart, Charts
from lupus.client.instant import instant
from lupus.client.paging import every
from lupus.client.service import Service
from lupus.errors import MetricsError
from lupus.rows import Rows

ANOMALY = ("name", "time", "value", "expected", "lower", "upper", "score", "severity", "direction")
_MOST_POINTS = 100_000
_PAGE_SERIES = 200


def anomaly_rows(service: Service, query: Mapping[str, Any], most: Optional[int] = None) -> Rows:
    """Give the anomalies that a query selects, newest first."""
    return Rows(list(every(service, ("anomalies",), query_of(query), most)), ANOMALY, "anomaly")


def query_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Give a query in the spelling of the service: times as texts, labels as JSON."""
    query = {name: value for name, value in given.items() if value is not None}
    for name in ("start", "end"):
        if name in query:
            query[name] = instant(query[name])
    if "labels" in query:
        query["labels"] = json.dumps(dict(query["labels"]))
    return query


def charts_of(service: Service, given: Mapping[str, Any]) -> Charts:
    """Give points, bands and anomalies; with several rules in the range one must be named."""
    query = {"limit": _PAGE_SERIES, "max_points": _MOST_POINTS, **query_of(given)}
    rule, cursor = query.get("rule"), None
    charts: list[Chart] = []
    while True:
        page = service.get("points", query={**query, "cursor": cursor})
        charts += [_chart(one, rule) for one in page["items"]]
        cursor = page["cursor"]
        if cursor is None:
            return Charts(charts)


def _chart(one: Mapping[str, Any], rule: Optional[str]) -> Chart:
    bands = {band["rule"]: band for band in one["bands"]}
    if rule is None and len(bands) > 1:
        raise MetricsError(f"say which rule: {', '.join(sorted(bands))} judged {one['name']}")
    band = Band()
    for found in bands.values():
        band = Band(found["times_ms"], found["expected"], found["lower"], found["upper"])
    return Chart(one["name"], one["times_ms"], one["values"], band, list(_marks(one)))


def _marks(one: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for anomaly in one["anomalies"]:
        moment = dt.datetime.fromisoformat(anomaly["time"].replace("Z", "+00:00"))
        yield {**anomaly, "time_ms": round(moment.timestamp() * 1000)}
