"""The ledger: what was said about which anomaly, so that nothing is said twice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from sqlalchemy import Connection, delete, exists, insert, or_, select

from service.database import tables

_T = tables.ledger
_LIST_LENGTH = 500  # databases limit how long a list in a query is


@dataclass(frozen=True)
class Said:
    """One notification about one transition of one anomaly."""

    channel: str
    anomaly: str
    transition: int
    status: str  # found | withdrawn | ended (its transition is the found one's, negative)
    source: str
    rule: str
    series: str
    ts_ms: int
    episode_ms: int
    severity: str
    delivery: str
    run: str
    said_ms: int


_COLUMNS = [_T.c[field.name] for field in fields(Said)]


def record_said(tx: Connection, said: Iterable[Said]) -> None:
    """Write what a delivery says, in the transaction that queues it."""
    rows = {(one.channel, one.anomaly, one.transition): vars(one) for one in said}
    if rows:
        tx.execute(insert(_T), list(rows.values()))


def said_of_series(
    tx: Connection, channel: str, source: str, rule: str, series: Sequence[str]
) -> list[Said]:
    """What the channel was told about these series by a rule, by series and time."""
    found: list[Said] = []
    for start in range(0, len(series), _LIST_LENGTH):
        query = (
            select(*_COLUMNS)
            .where(
                _T.c.channel == channel,
                _T.c.source == source,
                _T.c.rule == rule,
                _T.c.series.in_(series[start : start + _LIST_LENGTH]),
            )
            .order_by(_T.c.series, _T.c.ts_ms, _T.c.anomaly, _T.c.transition)
        )
        found.extend(Said(*row) for row in tx.execute(query))
    return found


def series_found(tx: Connection, channel: str, source: str, rule: str, since_ms: int) -> set[str]:
    """Series with an anomaly from ``since_ms`` on that was told, and no later word on it."""
    later = _T.alias()
    answered = exists().where(
        later.c.channel == _T.c.channel,
        later.c.anomaly == _T.c.anomaly,
        or_(
            later.c.transition > _T.c.transition,
            later.c.transition == -_T.c.transition,
        ),
    )
    query = (
        select(_T.c.series)
        .where(
            _T.c.channel == channel,
            _T.c.source == source,
            _T.c.rule == rule,
            _T.c.ts_ms >= since_ms,
            _T.c.status == "found",
            ~answered,
        )
        .distinct()
    )
    return set(tx.execute(query).scalars())


def forget_channel(tx: Connection, channel: str) -> int:
    """Remove what was said to a channel: made again, it may be somebody else."""
    return tx.execute(delete(_T).where(_T.c.channel == channel)).rowcount


def forget_said(tx: Connection, before_ms: int) -> int:
    """Remove what was said before a time."""
    return tx.execute(delete(_T).where(_T.c.said_ms < before_ms)).rowcount
