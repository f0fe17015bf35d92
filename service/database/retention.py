"""Forgets records of runs, ingests and deliveries that are older than people look back."""

from sqlalchemy import Connection, delete

from service.database import tables
from service.database.endpoints import forget_endpoints


def forget_rows(tx: Connection, before_ms: int) -> int:
    """Remove what ended before a time; returns how many rows."""
    runs, ingests, deliveries = tables.runs, tables.ingests, tables.deliveries
    removed = tx.execute(delete(runs).where(runs.c.ended_ms < before_ms)).rowcount
    removed += tx.execute(delete(ingests).where(ingests.c.ended_ms < before_ms)).rowcount
    ended = deliveries.c.state != "pending"
    old = deliveries.c.created_ms < before_ms
    removed += tx.execute(delete(deliveries).where(ended, old)).rowcount
    return removed + forget_endpoints(tx, before_ms)
