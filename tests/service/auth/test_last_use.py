"""When a token was used is noted beside the request, and costs it nothing."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from service.auth.credentials import Credentials
from service.auth.issue import issue_token
from service.auth.last_use import noting_uses
from service.auth.ways import BearerToken
from service.database.engine import Database
from service.database.tokens import get_token
from tests.service.clocks import TurnedClock
from tests.service.databases import opened


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened("sqlite", tmp_path) as found:
        yield found


def _issue(database: Database, clock: TurnedClock) -> tuple[str, Credentials]:
    token, secret = issue_token(database, "t", ["a"], ["read"], None, clock.now_ms(), "ann")
    return token.id, Credentials({"authorization": f"Bearer {secret}"}, None)


def _used(database: Database, id_: str) -> int | None:
    with database.read() as tx:
        token = get_token(tx, id_)
    assert token is not None
    return token.last_used_ms


def test_a_locked_database_holds_no_request_up(database: Database, tmp_path: Path) -> None:
    clock = TurnedClock()
    id_, given = _issue(database, clock)
    with noting_uses(database) as uses:
        way = BearerToken(database, clock, uses)
        other = sqlite3.connect(tmp_path / "lupus.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            # Would wait for the lock if it wrote, and the lock is held by this very thread.
            assert way.caller(given) is not None
            assert _used(database, id_) is None
        finally:
            other.execute("ROLLBACK")
            other.close()
        uses.flush()
        assert _used(database, id_) == clock.now_ms()


def test_a_database_that_takes_no_writes_refuses_nobody(database: Database, tmp_path: Path) -> None:
    clock = TurnedClock()
    id_, given = _issue(database, clock)
    with database.write() as tx:
        tx.exec_driver_sql(
            "CREATE TRIGGER readonly BEFORE UPDATE ON tokens "
            "BEGIN SELECT RAISE(ABORT, 'read-only'); END"
        )
    with noting_uses(database) as uses:
        way = BearerToken(database, clock, uses)
        assert way.caller(given) is not None
        uses.flush()
        assert _used(database, id_) is None
        with database.write() as tx:
            tx.exec_driver_sql("DROP TRIGGER readonly")
        clock.advance(60_000)
        assert way.caller(given) is not None
        uses.flush()
        assert _used(database, id_) == clock.now_ms()


def test_a_use_is_written_once_a_minute(database: Database) -> None:
    clock = TurnedClock()
    id_, given = _issue(database, clock)
    written: list[str] = []

    def count(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith("UPDATE tokens"):
            written.append(statement)

    event.listen(database.engine, "before_cursor_execute", count)
    for _process in range(2):  # another process has noted nothing, but reads what is stored
        with noting_uses(database) as uses:
            way = BearerToken(database, clock, uses)
            for _ in range(50):
                assert way.caller(given) is not None
                clock.advance(100)
            uses.flush()
    assert len(written) == 1
    clock.step(-3_600_000)
    with noting_uses(database) as uses:
        way = BearerToken(database, clock, uses)
        assert way.caller(given) is not None
    assert _used(database, id_) == clock.now_ms(), "also after the clock stepped back"
