"""Asks the database how the house is doing: what every process of it would answer alike."""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, Table, case, func, select, text

from service.database import tables
from service.database.deliveries import count_deliveries
from service.database.engine import Database
from service.database.queue import LIVE, depth
from service.database.rule_pulse import rule_pulses
from service.database.runs import count_by_state
from service.metrics_endpoint import HouseState

_JOBS = tables.jobs
_KINDS = ("run", "ingest", "delivery", "compact", "janitor", "expire")
_STATES = ("waiting", "later", "carried", "working")
_RUN_STATES = ("queued", "running", "publishing", "succeeded", "partial", "failed", "cancelled")
_OUTCOMES = ("pending", "sent", "held", "dead")
_SIZES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    "postgresql": "SELECT pg_database_size(current_database())",
}


def house_state(database: Database, now_ms: int) -> HouseState:
    """The state of this moment."""
    with database.read() as tx:
        waiting = depth(tx, now_ms)
        return HouseState(
            runs=dict.fromkeys(_RUN_STATES, 0) | count_by_state(tx),
            jobs=_jobs(tx, now_ms),
            oldest_job_seconds=dict.fromkeys(_KINDS, 0.0)
            | {one.kind: one.oldest_ms / 1000 for one in waiting},
            deliveries=dict.fromkeys(_OUTCOMES, 0) | count_deliveries(tx),
            oldest_pending_seconds=_oldest_pending(tx, now_ms),
            endpoints_failing=_endpoints_failing(tx, now_ms),
            channels_disabled=_count(tx, tables.channels, tables.channels.c.disabled_reason != ""),
            sources=_count(tx, tables.sources),
            rules=rule_pulses(tx),
            database_bytes=int(tx.execute(text(_SIZES[tx.dialect.name])).scalar_one()),
        )


def _jobs(tx: Connection, now_ms: int) -> Mapping[tuple[str, str], int]:
    how = case(
        (_JOBS.c.state == "running", "working"),
        (_JOBS.c.holder.is_not(None), "carried"),
        (_JOBS.c.run_at_ms <= now_ms, "waiting"),
        else_="later",
    )
    query = select(_JOBS.c.kind, how, func.count()).where(_JOBS.c.state.in_(LIVE)).group_by(
        _JOBS.c.kind, how
    )  # fmt: skip
    found = {(kind, state): 0 for kind in _KINDS for state in _STATES}
    return found | {(row[0], row[1]): int(row[2]) for row in tx.execute(query)}


def _oldest_pending(tx: Connection, now_ms: int) -> float:
    sent = tables.deliveries
    query = select(func.min(sent.c.created_ms)).where(sent.c.state == "pending")
    oldest_ms = tx.execute(query).scalar_one()
    return 0.0 if oldest_ms is None else max(0, now_ms - oldest_ms) / 1000


def _endpoints_failing(tx: Connection, now_ms: int) -> int:
    endpoints = tables.endpoints
    query = select(func.count()).where(endpoints.c.failing_until_ms > now_ms)
    return int(tx.execute(query).scalar_one())


def _count(tx: Connection, table: Table, *which: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(table).where(table.c.deleted_ms.is_(None), *which)
    return int(tx.execute(query).scalar_one())
