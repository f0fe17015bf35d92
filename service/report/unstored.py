"""What a run found that stored nothing: read from its own results while they are kept."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detectors.result import Direction, Reason, Severity
from service.report.anomalies import MOST_READ
from service.report.facts import BandCurve, Card, Curve
from service.report.rank import Ranking, rank_series
from storage.index import Anomaly
from storage.objects import Objects
from storage.series_key import anomaly_id
from workflows.chunk import CHUNK_RESULT_SCHEMA, Plan, read_chunk, read_plan
from workflows.published import PlannedKeys, PlannedSeries
from workflows.request import RunRequest

_BOUNDS = ("expected", "lower", "upper")


def unstored_ranking(objects: Objects, request: RunRequest) -> Ranking:
    """Series with anomalies, worst first; empty before there are results, and after a week."""
    planned = read_plan(objects, request.run)
    if planned is None:
        return Ranking()
    plan, commit = planned
    tables = list(_results(objects, plan, [("is_anomaly", "=", True)]))
    rows = _joined(tables)
    order = [("severity", "descending"), ("score", "descending"), ("ts", "descending")]
    read = rows.sort_by(order).slice(0, MOST_READ).to_pylist()
    numbers = sorted({row["number"] for row in read})
    series = {one.number: one for one in PlannedKeys(objects, plan, commit).series(numbers)}
    found = [_anomaly(request, series[row["number"]], row) for row in read]
    return rank_series(found, complete=len(rows) <= MOST_READ)


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Rows of chunks; one that an older version committed lacks columns."""
    known = [CHUNK_RESULT_SCHEMA.empty_table(), *tables]
    return pa.concat_tables(known, promote_options="default")


def _results(objects: Objects, plan: Plan, filters: Sequence[Any]) -> Iterator[pa.Table]:
    for chunk in plan.chunks:
        found = read_chunk(objects, plan.run, chunk.number)
        if found is not None:
            record, commit = found
            yield pq.read_table(commit.path(objects, record.results), filters=list(filters))


def _anomaly(request: RunRequest, series: PlannedSeries, row: dict[str, Any]) -> Anomaly:
    severity: Any = Severity(row["severity"]).name.lower()
    direction: Any = Direction(row["direction"]).name.lower()
    return Anomaly(
        id=anomaly_id(request.source.name, request.rule or "", series.id, row["ts"]),
        source=request.source.name,
        rule=request.rule or "",
        series=series.id,
        metric=series.metric,
        labels=series.labels,
        ts_ms=row["ts"],
        **{name: row[name] for name in ("value", *_BOUNDS, "score")},
        severity=severity,
        direction=direction,
        reason=Reason(row["reason"]).name.lower(),
        status="found",
        cause=None,
        transition=1,
        episode_start_ms=row["ts"],
        detector=str(request.detector["type"]),
        detector_hash="",
        run=request.run,
        generation=request.generation,
        written_at_ms=request.accepted_ms,
        change=None if row["change"] is None else json.loads(row["change"]),
    )


def with_results(objects: Objects, request: RunRequest, cards: Sequence[Card]) -> list[Card]:
    """The cards with the band that the run drew, and its points where the index has none."""
    planned = read_plan(objects, request.run)
    if planned is None:
        return list(cards)
    plan, commit = planned
    keys = PlannedKeys(objects, plan, commit)
    number_of = {one.id: one.number for one in keys.series(range(len(keys)))}
    wanted = [number_of[card.series.id] for card in cards if card.series.id in number_of]
    tables = list(_results(objects, plan, [("number", "in", wanted)])) if wanted else []
    rows = _joined(tables)
    numbers = rows.column("number").to_numpy()
    return [
        _with_rows(card, rows.filter(pa.array(numbers == number_of.get(card.series.id, -1))))
        for card in cards
    ]


def _with_rows(card: Card, rows: pa.Table) -> Card:
    columns = {
        name: rows.column(name).to_numpy(zero_copy_only=False) for name in ("ts", "value", *_BOUNDS)
    }
    band = BandCurve(columns["ts"], *(columns[name] for name in _BOUNDS))
    if len(card.points.ts_ms):
        return replace(card, band=band)
    known = np.isfinite(columns["value"])
    return replace(card, band=band, points=Curve(columns["ts"][known], columns["value"][known]))
