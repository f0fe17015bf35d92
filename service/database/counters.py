"""Counters: numbers that only grow, also when the clock steps back or a backup is restored."""

from sqlalchemy import BigInteger, Connection, bindparam, case, select, update

from service.database import tables
from service.database.inserts import insert_new

_T = tables.counters
_MESSAGES = "messages"

_FOLLOWING, _LEAST = _T.c.value + 1, bindparam("at_least", type_=BigInteger)
_RAISE = (
    update(_T)
    .where(_T.c.name == bindparam("counter"))
    .values(value=case((_FOLLOWING > _LEAST, _FOLLOWING), else_=_LEAST))
    .returning(_T.c.value)
)


def next_value(tx: Connection, name: str, at_least: int = 1) -> int:
    """max(last + 1, at_least), allocated in this transaction.

    Others wait for its end: numbers become visible in their order.
    """
    which = {"counter": name, "at_least": at_least}
    row = tx.execute(_RAISE, which).one_or_none()
    if row is None and insert_new(tx, _T, name=name, value=at_least):
        return at_least
    return int((row or tx.execute(_RAISE, which).one()).value)


def next_sequence(tx: Connection, now_ms: int) -> int:
    """The version that an ingest's points get."""
    return next_value(tx, "sequence", now_ms << 20)


def next_generation(tx: Connection, now_ms: int) -> int:
    """The version of a run's results.

    At least the time in milliseconds, so that a database restored from a backup does not hand out
    numbers that the index has seen; below 2**53, so that every JSON reader keeps it exact.
    """
    return next_value(tx, "generation", now_ms)


def next_message(tx: Connection, channel: str, source: str, rule: str) -> int:
    """The number of a rule's message to a channel."""
    least = tx.execute(select(_T.c.value).where(_T.c.name == _MESSAGES)).scalar() or 1
    return next_value(tx, f"{_MESSAGES}:{channel}:{source}/{rule}", least)


def raise_messages(tx: Connection, now_ms: int) -> None:
    """Number messages from the time on, also those of rules that have told nothing yet.

    A database restored from a backup does not know what was sent since.
    """
    next_value(tx, _MESSAGES, now_ms)
