"""Every kind of database that the repositories must work with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.database.engine import Database, open_database
from service.database.migrate import upgrade
from service.database.sources import put_source
from tests.service.clocks import NOON

KINDS = ("sqlite",)  # another kind joins by its name here and a line in `database_url`


def database_url(kind: str, folder: Path) -> str:
    assert kind == "sqlite"
    return f"sqlite:///{folder}/lupus.db"


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Database]:
    """A new database of a kind, migrated."""
    database = open_database(database_url(kind, folder))
    try:
        upgrade(database)
        yield database
    finally:
        database.close()


def add_source(database: Database, name: str = "shop", timezone: str = "UTC") -> None:
    with database.write() as tx:
        put_source(tx, name, "managed", timezone, {"kind": "managed"}, NOON)
