"""A story whose every document must come back, and a look at every document there is."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from service.app import open_app
from service.settings import load_settings
from service.worker.settings import WorkerSettings
from storage.index import AnomalyQuery, Index
from storage.stores import Stores, open_stores
from tests.service.api.house import DAY_MS, FIRST_MS, WAREHOUSE, House, daily, detection, rfc3339

SHOP, LAB = "shop", "lab.rank"
SOURCES = (SHOP, LAB)
DAYS = 40
DIPS = (20, 25, 30, 35)
RANGE = {"start": "2026-06-08", "end": "2026-07-11"}
RULES = (
    {"rule": "check"},
    {"rule": "strict", "detector": {"type": "threshold", "lower": 0.95}, "metric": "*"},
)
MAPPING: dict[str, Any] = {
    "kind": "external",
    "connection": "warehouse",
    "table": "daily_eval",
    "time": {"columns": ["dt"], "format": "%Y%m%d"},
    "timezone": "Asia/Tokyo",
    "metric_column": "name",
    "value_column": "score",
    "label_columns": ["region"],
    "partitions": [{"column": "dt", "format": "%Y%m%d"}],
    "metrics": {"ndcg@10": {"step": "1d"}},
}
_FAST = WorkerSettings(poll_ms=50, look_ms=50, first_backoff_ms=50)


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Variables of an installation below a folder; the rest are stores elsewhere."""
    connections = folder / "connections.toml"
    connections.write_text(f'[warehouse]\nurl = "{(folder / WAREHOUSE).as_uri()}"\n')
    return {
        "LUPUS_DATA": str(folder / "data"),
        "LUPUS_CONNECTIONS_FILE": str(connections),
        "LUPUS_PROCESSES": "1",
        **more,
    }


@contextmanager
def running() -> Iterator[House]:
    """The service of the environment, with a worker."""
    with open_app(load_settings(), pace=_FAST) as app:
        yield House(app)


@contextmanager
def stores_here() -> Iterator[Stores]:
    """The stores of the environment."""
    with open_stores(load_settings().stores) as stores:
        yield stores


def tell(house: House, folder: Path) -> None:
    """New, changed, withdrawn and found-again anomalies, verdicts, tombstones, gaps; two rules,
    two sources."""
    house.source(SHOP, timezone="Asia/Tokyo")
    dipping = [0.1 if day in DIPS else 1.0 for day in range(DAYS)]
    house.send(SHOP, daily(dipping, labels={"region": "jp", "model": 'ü"\\ '}))
    house.send(SHOP, daily([1.0] * DAYS, labels={"region": "tw"}))
    house.send(SHOP, daily([0.9] * DAYS, metric="recall@5"))
    # Each Monday of a daily metric: a sample teaches no step.
    house.send(SHOP, daily([1.0] * 90, labels={"region": "tw"})[68::7])
    _detect(house, SHOP)
    _judge(house, SHOP)
    house.send(SHOP, [_point(20, 0.15), _point(25, 1.0), _point(30, None)])
    _detect(house, SHOP)
    house.send(SHOP, [_point(25, 0.12), _point(3, None)])
    _detect(house, SHOP)
    house.call("PUT", f"/v1/sources/{LAB}", 201, json=MAPPING)
    for day, score in enumerate(dipping):
        _lab(folder, day, score)
    _detect(house, LAB, {"start": "2026-06-08", "end": "2026-06-26"})
    _detect(house, LAB, {"start": "2026-06-26", "end": "2026-07-11"})
    _lab(folder, 35, None)  # what stands of that day is not verified any more
    _lab(folder, 30, 0.9)
    _detect(house, LAB)
    _judge(house, LAB)


def _detect(house: House, source: str, asked: Mapping[str, str] = RANGE) -> None:
    for rule in RULES:
        ended = house.detect(detection(source, range=dict(asked), **rule))
        assert ended["state"] in ("succeeded", "partial"), ended


def _judge(house: House, source: str) -> None:
    query = {"source": source, "rule": "check"}
    found = house.call("GET", "/v1/anomalies", params=query)["items"]
    assert len(found) >= 3
    for number, anomaly in enumerate(found[:3]):
        path = f"/v1/anomalies/{anomaly['id']}"
        house.call("PATCH", path, json={"comment": f"looking at {number}: \u00e9\n\"'"})
        if number:
            house.call("PATCH", path, json={"verdict": ("expected", "false")[number - 1]})


def _point(day: int, value: float | None) -> dict[str, Any]:
    labels = {"region": "jp", "model": 'ü"\\ '}
    time = rfc3339(FIRST_MS + day * DAY_MS)
    return {"metric": "ndcg@10", "labels": labels, "time": time, "value": value}


def _lab(folder: Path, number: int, score: float | None) -> None:
    day = date(2026, 6, 1) + timedelta(days=number)
    part = folder / WAREHOUSE / "daily_eval" / f"dt={day:%Y%m%d}"
    part.mkdir(parents=True, exist_ok=True)
    rows = {"name": ["ndcg@10"], "score": [score], "region": ["jp"]}
    pq.write_table(pa.table(rows).slice(0, 0 if score is None else 1), part / "part-0.parquet")


def documents(index: Index, *sources: str) -> dict[str, list[Any]]:
    """Every document of some sources, all fields."""
    index.refresh()
    found: dict[str, list[Any]] = {"anomalies": [], "series": [], "points": [], "bands": []}
    for source in sources:
        found["anomalies"] += _anomalies(index, source)
        entries = index.series(source, limit=1000)
        assert entries.cursor is None
        found["series"] += [asdict(entry) for entry in entries.items]
        ids = [entry.series for entry in entries.items]
        found["points"] += [asdict(day) for day in index.points(source, ids, 0, 10**14)]
        found["bands"] += [asdict(band) for band in index.bands(source, ids, None)]
    return found


def _anomalies(index: Index, source: str) -> list[Any]:
    page = index.search_anomalies(AnomalyQuery(source=source), 1000)
    assert page.cursor is None
    return [asdict(anomaly) for anomaly in page.items]


def facts(found: Mapping[str, list[Any]]) -> set[tuple[Any, ...]]:
    """What kinds of anomalies a look has seen."""
    names = ("status", "transition", "cause", "reason", "verdict")
    return {tuple(anomaly[name] for name in names) for anomaly in found["anomalies"]}
