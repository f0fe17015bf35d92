"""Below which earlier message a follow-up belongs: what the ledger knows of its episodes."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from service.database import tables
from service.database.deliveries import Delivery

_L, _D = tables.ledger, tables.deliveries
_MOST_EPISODES = 50  # a message about more of them is no answer to one other message


def thread_of(tx: Connection, delivery: Delivery) -> Mapping[str, Any] | None:
    """The receipt of the newest message that told all its episodes before; None: there is none.

    A message that also tells something new has no thread: it belongs where everybody sees it.
    """
    shared: dict[str, Mapping[str, Any]] | None = None
    episodes = _episodes(tx, delivery)
    if len(episodes) > _MOST_EPISODES:
        return None
    for one in episodes:
        earlier = _earlier(tx, delivery, *one)
        kept = earlier if shared is None else shared.keys() & earlier.keys()
        shared = {id_: earlier[id_] for id_ in earlier if id_ in kept}
        if not shared:
            return None
    return next(iter(shared.values())) if shared else None


def _episodes(tx: Connection, delivery: Delivery) -> list[tuple[str, str, str, int, str]]:
    """Source, rule, series, start and one anomaly of each episode that a delivery speaks of."""
    query = select(_L.c.source, _L.c.rule, _L.c.series, _L.c.episode_ms, _L.c.anomaly).where(
        _L.c.said_ms == delivery.created_ms,  # there is an index on it, and none on the delivery
        _L.c.delivery == delivery.id,
    )
    found = {(row[0], row[1], row[2], int(row[3])): str(row[4]) for row in tx.execute(query)}
    return [(*episode, anomaly) for episode, anomaly in found.items()]


def _earlier(
    tx: Connection,
    delivery: Delivery,
    source: str,
    rule: str,
    series: str,
    episode_ms: int,
    anomaly: str,
) -> dict[str, Mapping[str, Any]]:
    """Receipts of deliveries that told of an episode before, newest first."""
    query = (
        select(_D.c.id, _D.c.receipt)
        .join(_L, _L.c.delivery == _D.c.id)
        .where(
            _L.c.channel == delivery.channel,
            _L.c.source == source,
            _L.c.rule == rule,
            _L.c.series == series,
            # Late data may move an episode's start: then its anomalies still tell which it is.
            or_(_L.c.episode_ms == episode_ms, _L.c.anomaly == anomaly),
            and_(_D.c.id != delivery.id, _D.c.counter < delivery.counter),
            _D.c.receipt.is_not(None),
        )
        .order_by(_D.c.counter.desc())
    )
    return {str(row[0]): row[1] for row in tx.execute(query)}
