"""The ledger: what was said about which anomaly, so that nothing is said twice."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from service.database import tables

_T = tables.ledger


@dataclass(frozen=True)
class Said:
    """One notification about one transition of one anomaly."""

    channel: str
    anomaly: str
    transition: int
    status: str  # found | withdrawn
    episode: str
    severity: str
    delivery: str
    run: str
    said_ms: int


def record_said(tx: Connection, said: Iterable[Said]) -> None:
    """Write what a delivery says, in the transaction that queues it."""
    rows = [vars(one) for one in said]
    if rows:
        tx.execute(insert(_T), rows)


def said_of_anomalies(tx: Connection, channel: str, anomalies: list[str]) -> list[Said]:
    """What the channel was told about these anomalies, oldest transition first."""
    found: list[Said] = []
    for start in range(0, len(anomalies), 500):  # databases limit the length of a list
        query = (
            select(_T)
            .where(_T.c.channel == channel, _T.c.anomaly.in_(anomalies[start : start + 500]))
            .order_by(_T.c.anomaly, _T.c.transition)
        )
        found.extend(Said(**row._asdict()) for row in tx.execute(query))
    return found


def said_of_episodes(tx: Connection, channel: str, episodes: list[str]) -> list[Said]:
    """What the channel was told about these episodes, oldest first."""
    found: list[Said] = []
    for start in range(0, len(episodes), 500):
        query = (
            select(_T)
            .where(_T.c.channel == channel, _T.c.episode.in_(episodes[start : start + 500]))
            .order_by(_T.c.said_ms, _T.c.transition)
        )
        found.extend(Said(**row._asdict()) for row in tx.execute(query))
    return found
