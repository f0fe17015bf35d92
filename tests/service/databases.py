"""Every kind of database that the repositories must work with."""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, make_url

from service.database.engine import Database, open_database
from service.database.migrate import upgrade
from service.database.sources import put_source
from tests.real import own_name, server
from tests.service.clocks import NOON

SERVER = "LUPUS_TEST_POSTGRES_URL"
# Another kind joins by its name here and a branch in `empty`.
KINDS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.real))


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder}/lupus.db"


def postgres_url(name: str | None = None) -> URL:
    """The test server's URL, of its own database or of a named one."""
    url = make_url(server(SERVER)).set(drivername="postgresql+psycopg")
    return url if name is None else url.set(database=name)


def url_of(database: Database) -> str:
    """For another process that works on the same one."""
    return database.engine.url.render_as_string(hide_password=False)


@contextmanager
def empty(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a new database without tables."""
    if kind == "sqlite":
        yield sqlite_url(folder)
        return
    with _created() as url:
        yield url


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Database]:
    """A new database of a kind, migrated."""
    with empty(kind, folder) if kind == "sqlite" else _created(_template()) as url:
        database = open_database(url)
        try:
            upgrade(database)
            yield database
        finally:
            database.close()


def administer(statement: str) -> None:
    """Run a statement of the server's administrator."""
    engine = create_engine(postgres_url(), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
    finally:
        engine.dispose()


@contextmanager
def _created(template: str = "template1") -> Iterator[str]:
    name = own_name("lupus_")
    administer(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield postgres_url(name).render_as_string(hide_password=False)
    finally:
        administer(f"DROP DATABASE {name} WITH (FORCE)")


@cache
def _template() -> str:
    """A migrated database that each test copies: copying takes a tenth of migrating."""
    name = own_name("lupus_template_")
    administer(f"CREATE DATABASE {name}")
    atexit.register(_drop_if_mine, name, os.getpid())
    database = open_database(postgres_url(name).render_as_string(hide_password=False))
    try:
        upgrade(database)
    finally:
        database.close()
    return name


def _drop_if_mine(name: str, pid: int) -> None:
    if os.getpid() == pid:  # not in a forked child
        administer(f"DROP DATABASE {name} WITH (FORCE)")


def add_source(database: Database, name: str = "shop", timezone: str = "UTC") -> None:
    with database.write() as tx:
        put_source(tx, name, "managed", timezone, {"kind": "managed"}, NOON)
