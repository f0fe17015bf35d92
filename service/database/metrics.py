"""Metrics: what ingests learned of a source."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select, update

from service.database import tables
from storage.index import MetricSummary

_T = tables.metrics
_OF_SOURCE = select(_T).where(_T.c.source == bindparam("source")).order_by(_T.c.metric)


@dataclass(frozen=True)
class Metric:
    """One metric of a source, with its coarsest known step."""

    source: str
    metric: str
    step_ms: int | None
    series: int
    first_ms: int
    last_ms: int
    updated_ms: int


def learn_metrics(
    tx: Connection, source: str, learned: Mapping[str, MetricSummary], now_ms: int
) -> None:
    """Replace what is known of these metrics; a known step is not forgotten."""
    known = {metric.metric: metric for metric in metrics_of(tx, source)}
    for name, summary in learned.items():
        old = known.get(name)
        values = {
            "step_ms": summary.step_ms if summary.step_ms or old is None else old.step_ms,
            "series": summary.series,
            "first_ms": summary.first_ms if old is None else min(summary.first_ms, old.first_ms),
            "last_ms": summary.last_ms if old is None else max(summary.last_ms, old.last_ms),
            "updated_ms": now_ms,
        }
        if old is None:
            tx.execute(insert(_T).values(source=source, metric=name, **values))
        else:
            mine = (_T.c.source == source) & (_T.c.metric == name)
            tx.execute(update(_T).where(mine).values(**values))


def metrics_of(tx: Connection, source: str) -> list[Metric]:
    """What is known of a source, by name."""
    return [Metric(**row._asdict()) for row in tx.execute(_OF_SOURCE, {"source": source})]
