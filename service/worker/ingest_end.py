"""How ingests end, in one transaction: their states, their jobs, and what they wake."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service import measures
from service.clock import DAY_MS, Clock
from service.database.engine import Database
from service.database.ingests import Ingest, update_ingest
from service.database.metrics import learn_metrics
from service.database.queue import Job, fail, finish, wake_source
from service.worker.settings import WorkerSettings
from service.worker.upkeep import queue_compaction
from storage.index import MetricSummary

GIVE_UP_MS = DAY_MS


@dataclass(frozen=True)
class Ended:
    """One ingest, its job, and what became of it: ``error`` when it stored nothing."""

    job: Job
    row: Ingest
    points: int = 0
    metrics: Mapping[str, MetricSummary] = field(default_factory=dict)
    error: str = ""
    rows: Sequence[Mapping[str, Any]] = ()


def end_ingests(
    database: Database, clock: Clock, pace: WorkerSettings, ended: Sequence[Ended]
) -> None:
    """Settle ingests of one source; LeaseLostError when somebody else has one of them by now."""
    now_ms = clock.now_ms()
    source = ended[0].row.source
    with database.write() as tx:
        known: dict[str, MetricSummary] = {}
        for one in ended:
            if one.error:
                errors = [dict(row) for row in one.rows]
                failed = {"state": "failed", "error": one.error, "errors": errors}
                update_ingest(tx, one.row.id, **failed, ended_ms=now_ms)
                fail(tx, one.job, one.error)
            else:
                stored = {"state": "succeeded", "points": one.points, "error": ""}
                update_ingest(tx, one.row.id, **stored, ended_ms=now_ms)
                finish(tx, one.job)
                known |= one.metrics
        if known:
            learn_metrics(tx, source, known, now_ms)
        wake_source(tx, now_ms, "run", source)
        if any(not one.error for one in ended):
            queue_compaction(tx, source, now_ms, pace.compact_ms)
    for one in ended:
        seconds = max(0, now_ms - one.row.accepted_ms) / 1000
        measures.ingest_ended("failed" if one.error else "succeeded", one.points, seconds)
