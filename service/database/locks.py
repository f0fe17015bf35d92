"""Locks that last as long as a transaction: for what is checked first and written then."""

import hashlib

from sqlalchemy import Connection, func, select


def lock(tx: Connection, name: str) -> None:
    """Wait until no other transaction has this name. SQLite has one writer anyway.

    A transaction takes few of them: the server has room for some thousand in all.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(_number(name))))


def _number(name: str) -> int:
    digest = hashlib.sha256(f"lupus {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
