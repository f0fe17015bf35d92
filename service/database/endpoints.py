"""Endpoints: whom several channels and all workers reach together, how it fares and its turns."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from service.database import tables
from service.database.inserts import insert_new

_T = tables.endpoints


@dataclass(frozen=True)
class Endpoint:
    """One endpoint; what nobody has written yet is new and well."""

    key: str
    free_ms: int | None = None  # the next turn that nobody has taken
    failing_until_ms: int | None = None
    failures: int = 0  # in a row
    used_ms: int = 0  # when something was last sent or went wrong


def get_endpoint(tx: Connection, key: str) -> Endpoint:
    """How it fares."""
    row = tx.execute(select(_T).where(_T.c.key == key)).one_or_none()
    return Endpoint(key) if row is None else Endpoint(**row._asdict())


def hold_endpoint(tx: Connection, key: str) -> Endpoint:
    """The same, and nobody else changes it until the transaction ends."""
    query = select(_T).where(_T.c.key == key).with_for_update()
    row = tx.execute(query).one_or_none()
    if row is None:
        insert_new(tx, _T, **vars(Endpoint(key)))
        row = tx.execute(query).one()
    return Endpoint(**row._asdict())


def write_endpoint(tx: Connection, endpoint: Endpoint) -> None:
    """Write one that is held."""
    tx.execute(update(_T).where(_T.c.key == endpoint.key).values(**vars(endpoint)))


def forget_endpoints(tx: Connection, before_ms: int) -> int:
    """Remove those that were last used before a time."""
    return tx.execute(delete(_T).where(_T.c.used_ms < before_ms)).rowcount
