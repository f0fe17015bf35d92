"""Verdicts: what people said of anomalies. The index shows them, and may be told late."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from service.database import tables
from service.database.inserts import insert_new
from service.database.locks import lock
from storage.index import Anomaly, Verdict

_T = tables.verdicts


@dataclass(frozen=True)
class SaidVerdict:
    """What was said last of one anomaly; ``number`` counts how often something was."""

    anomaly: str
    source: str
    verdict: Verdict
    comment: str
    caller: str
    at_ms: int
    number: int
    told: int


def say_verdict(
    tx: Connection,
    known: Anomaly,
    verdict: Verdict | None,
    comment: str | None,
    caller: str,
    at_ms: int,
) -> SaidVerdict:
    """Store what somebody says; None leaves what is there, in the table or else in the index."""
    lock(tx, f"verdict {known.id}")
    old = get_verdict(tx, known.id)
    before = old or known
    values = {
        "verdict": verdict or before.verdict,
        "comment": before.comment if comment is None else comment,
        "caller": caller,
        "at_ms": at_ms,
        "number": old.number + 1 if old else 1,
    }
    if old is None:
        tx.execute(insert(_T).values(anomaly=known.id, source=known.source, told=0, **values))
    else:
        tx.execute(update(_T).where(_T.c.anomaly == known.id).values(**values))
    said = get_verdict(tx, known.id)
    assert said is not None
    return said


def adopt_verdict(tx: Connection, known: Anomaly) -> bool:
    """Take what only the index has, of an older version; False when something is stored."""
    return insert_new(
        tx,
        _T,
        anomaly=known.id,
        source=known.source,
        verdict=known.verdict,
        comment=known.comment,
        caller=known.verdict_by,
        at_ms=known.verdict_at_ms or 0,
        number=1,
        told=1,
    )


def get_verdict(tx: Connection, anomaly: str) -> SaidVerdict | None:
    """What was said last, if anything was."""
    row = tx.execute(select(_T).where(_T.c.anomaly == anomaly)).one_or_none()
    return None if row is None else SaidVerdict(**row._asdict())


def mark_told(tx: Connection, said: SaidVerdict) -> bool:
    """The index has it; False when something newer was said meanwhile."""
    same = (_T.c.anomaly == said.anomaly) & (_T.c.number == said.number)
    return tx.execute(update(_T).where(same).values(told=said.number)).rowcount == 1


def untold_verdicts(tx: Connection, before_ms: int, limit: int) -> list[str]:
    """Anomalies of which the index should have been told by then."""
    late = (_T.c.told < _T.c.number) & (_T.c.at_ms < before_ms)
    return list(tx.execute(select(_T.c.anomaly).where(late).limit(limit)).scalars())


def verdicts_of(tx: Connection, source: str, limit: int, after: str = "") -> list[str]:
    """Anomalies of a source that somebody said something of, by id."""
    query = select(_T.c.anomaly).where(_T.c.source == source, _T.c.anomaly > after)
    return list(tx.execute(query.order_by(_T.c.anomaly).limit(limit)).scalars())
