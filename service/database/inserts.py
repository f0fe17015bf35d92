"""Inserts that leave it to a unique key whether the row is new."""

from typing import Any

from sqlalchemy import Connection, Table, literal
from sqlalchemy.dialects import postgresql, sqlite


def insert_new(tx: Connection, table: Table, **values: Any) -> bool:
    """False when a row with one of its keys is there, also if it came at the same moment."""
    inserted = literal(1)  # a count of rows is not told for every kind of insert
    if tx.dialect.name == "postgresql":
        theirs = postgresql.insert(table).on_conflict_do_nothing()
        return tx.execute(theirs.returning(inserted), values).first() is not None
    ours = sqlite.insert(table).on_conflict_do_nothing()
    return tx.execute(ours.returning(inserted), values).first() is not None
