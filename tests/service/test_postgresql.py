"""What only a server does: it is away, refuses, comes back, fails over, and has few connections."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, text

from service.cancel import cancel_run
from service.database import postgresql, tables
from service.database.access import Access
from service.database.counters import next_value
from service.database.engine import Database, open_database
from service.database.migrate import upgrade
from service.database.queue import NewJob, add_job
from service.database.sources import put_source
from service.errors import DatabaseBusyError, DatabaseError, SettingsError
from service.worker.loop import Worker
from service.worker.settings import WorkerSettings
from storage.secret import Secret
from tests.real import own_name
from tests.service.clocks import NOON
from tests.service.postgres_server import PrivateServer, private_server
from tests.service.queue_drill import (
    Drill,
    count_done,
    done,
    fill,
    join,
    keys,
    wait_until_done,
    working,
)
from tests.service.world import World
from tests.service.world import world as open_world

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

OLD, NEW = "old-passw0rd", "new-passw0rd"


@pytest.fixture(scope="module")
def server() -> Iterator[PrivateServer]:
    with private_server() as server:
        yield server


@pytest.fixture
def name(server: PrivateServer) -> str:
    """A new database, which anybody may use."""
    name = own_name("lupus_")
    server.ask(f"CREATE DATABASE {name}", f"GRANT ALL ON DATABASE {name} TO public")
    server.ask("GRANT ALL ON SCHEMA public TO public", database=name)
    return name


@pytest.fixture
def database(server: PrivateServer, name: str) -> Iterator[Database]:
    database = open_database(server.url(database=name))
    upgrade(database)
    yield database
    database.close()


def ask(database: Database, statement: str = "SELECT 1") -> object:
    with database.write() as tx:
        return tx.execute(text(statement)).scalar_one()


def role(server: PrivateServer, name: str, password: str) -> None:
    server.ask(f"DROP ROLE IF EXISTS {name}", f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")


def kick(server: PrivateServer, user: str) -> None:
    server.ask(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'")


def test_a_rotated_password_works_from_its_file(server: PrivateServer, tmp_path: Path) -> None:
    role(server, "lupus", OLD)
    file = tmp_path / "password"
    file.write_text(OLD + "\n")
    database = open_database(server.url("lupus"), Access(password=Secret(file=file)))
    assert ask(database) == 1
    server.ask(f"ALTER ROLE lupus PASSWORD '{NEW}'")
    kick(server, "lupus")
    with pytest.raises(DatabaseError, match="password authentication failed") as caught:
        ask(database)
    assert not isinstance(caught.value, DatabaseBusyError)
    assert OLD not in str(caught.value)
    file.write_text(NEW + "\n")
    assert ask(database) == 1
    file.unlink()
    kick(server, "lupus")
    with pytest.raises(DatabaseError, match="the database's password: secret file"):
        ask(database)
    database.close()


def test_the_server_is_verified_with_the_bundle(server: PrivateServer, tmp_path: Path) -> None:
    role(server, "secured", NEW)
    url = server.url("secured", "postgres", "?sslmode=verify-full")
    access = Access(password=Secret(NEW), ca_bundle=server.ca)
    database = open_database(url, access)
    with database.read() as tx:
        query = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert tx.execute(query).scalar_one() is True
    database.close()
    other = tmp_path / "other"
    other.mkdir()
    from tests.service.postgres_server import _certificate

    _certificate(other)
    database = open_database(url, replace(access, ca_bundle=other / "server.crt"))
    with pytest.raises(DatabaseError, match="certificate") as caught:
        ask(database)
    assert not isinstance(caught.value, DatabaseBusyError)
    database.close()


def test_an_unknown_database_is_not_waited_for(server: PrivateServer) -> None:
    database = open_database(server.url(database="nowhere"))
    with pytest.raises(DatabaseError, match="does not exist") as caught:
        ask(database)
    assert not isinstance(caught.value, DatabaseBusyError)


def test_a_stopped_server_is_busy_and_a_started_one_answers_at_once(
    server: PrivateServer, database: Database
) -> None:
    server.stop()
    try:
        with pytest.raises(DatabaseBusyError, match="cannot be reached"):
            ask(database)
    finally:
        server.start()
    assert ask(database) == 1
    server.stop()
    server.start()
    assert ask(database) == 1, "nobody meets the dead connection that the pool has"


def test_a_connection_lost_in_a_transaction_undoes_it(
    server: PrivateServer, database: Database
) -> None:
    def lose() -> None:
        with database.write() as tx:
            put_source(tx, "shop", "managed", "UTC", {}, NOON)
            kick_other(server, tx)
            put_source(tx, "other", "managed", "UTC", {}, NOON)

    with pytest.raises(DatabaseBusyError, match="went away"):
        lose()
    assert ask(database, "SELECT count(*) FROM sources") == 0


def kick_other(server: PrivateServer, tx: Connection) -> None:
    pid = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
    server.ask(f"SELECT pg_terminate_backend({pid})")


def test_after_a_failover_nothing_stays_with_the_standby(
    server: PrivateServer, database: Database
) -> None:
    """The old server turns read-only under open connections, as a demoted one does."""
    with database.write() as tx:
        old = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
    server.ask("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    try:
        wait_until(lambda: fails(database), DatabaseBusyError)
    finally:
        server.ask(
            "SET default_transaction_read_only = off",
            "ALTER SYSTEM RESET default_transaction_read_only",
            "SELECT pg_reload_conf()",
        )
    wait_until(lambda: not fails(database), DatabaseBusyError)
    with database.write() as tx:
        assert tx.execute(text("SELECT pg_backend_pid()")).scalar_one() != old


def fails(database: Database) -> bool:
    try:
        with database.write() as tx:
            next_value(tx, "seen")
    except DatabaseBusyError:
        return True
    return False


def wait_until(done: Callable[[], bool], _why: object = None, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_deadlock_is_broken_and_busy(database: Database) -> None:
    with database.write() as tx:
        for name in ("a", "b"):
            next_value(tx, name)
    both = threading.Barrier(2)
    ended: list[str] = []

    def count(first: str, second: str) -> None:
        try:
            with database.write() as tx:
                next_value(tx, first)
                both.wait()
                next_value(tx, second)
            ended.append("done")
        except DatabaseBusyError as error:
            ended.append(str(error))

    threads = [threading.Thread(target=count, args=names) for names in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one == "done" for one in ended) == [False, True]
    assert any("deadlock" in one for one in ended)


@pytest.mark.parametrize(
    ("setting", "statement"),
    [
        ("lock_timeout", "SELECT * FROM counters FOR UPDATE"),
        ("statement_timeout", "SELECT pg_sleep(60)"),
    ],
)
def test_nothing_is_waited_for_without_end(
    server: PrivateServer, name: str, monkeypatch: pytest.MonkeyPatch, setting: str, statement: str
) -> None:
    monkeypatch.setitem(postgresql._SESSION, setting, 200)
    database = open_database(server.url(database=name))
    upgrade(database)
    with database.write() as holding:
        next_value(holding, "seen")
        with pytest.raises(DatabaseBusyError, match="timeout"), database.write() as tx:
            tx.execute(text(statement if setting != "lock_timeout" else "LOCK TABLE counters"))
    database.close()


def test_one_process_opens_no_more_connections_than_it_may(
    server: PrivateServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "_POOL_SECONDS", 0.2)
    database = open_database(server.url(database=name), Access(connections=2))
    with database.read(), database.read():
        with pytest.raises(DatabaseBusyError, match="in use"), database.read():
            pass
        query = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'"
        assert server.ask(query) == [(2,)]
    database.close()


def test_a_server_without_room_is_busy(server: PrivateServer, name: str) -> None:
    role(server, "crowd", NEW)
    server.ask("ALTER ROLE crowd CONNECTION LIMIT 0")
    server.ask(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    role(server, "lupus", NEW)
    database = open_database(server.url("lupus", name), Access(password=Secret(NEW)))
    with pytest.raises(DatabaseBusyError, match="too many connections"):
        ask(database)


def test_a_read_writes_nothing(database: Database) -> None:
    with pytest.raises(DatabaseError, match="read-only"), database.read() as tx:
        next_value(tx, "seen")


def test_a_key_that_is_just_being_queued_is_waited_for(database: Database) -> None:
    """Its first transaction may still fail: then the second one queues it."""
    outcome: list[bool] = []

    def add() -> None:
        with database.write() as tx:
            outcome.append(add_job(tx, NewJob("a", "run", "shop"), NOON))

    def half() -> None:
        with database.write() as tx:
            assert add_job(tx, NewJob("a", "run", "shop"), NOON)
            thread.start()
            time.sleep(0.2)
            raise KeyError

    thread = threading.Thread(target=add)
    with pytest.raises(KeyError):
        half()
    thread.join()
    assert outcome == [True]


def test_a_run_that_just_starts_is_not_cancelled_as_if_it_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Starting holds the run; who cancels waits for it and then sees it run."""
    tmp_path.joinpath("x").mkdir()
    with open_world(tmp_path, "postgresql") as world:
        run = world.accept()
        answer: list[object] = []
        objects = world.parts.stores.objects

        def cancel() -> None:
            answer.append(cancel_run(world.database, objects, run.id, "ann", NOON).state)

        thread = threading.Thread(target=cancel)
        with world.database.write() as tx:
            tx.execute(text("UPDATE runs SET state = 'running'"))
            thread.start()
            time.sleep(0.3)
        thread.join()
        assert answer == ["running"], "its publish sees the commit, its worker closes it"


def test_no_job_is_lost_or_done_twice_when_the_server_is_restarted(
    server: PrivateServer, database: Database, name: str
) -> None:
    drill = Drill(600, processes=4, kills=0, seed=0)
    fill(database, drill.jobs)
    with working(server.url(database=name), drill) as running:
        for share in (1, 2):
            wait_until_done(database, drill.jobs * share // 3, running)
            server.stop()
            time.sleep(0.3)
            server.start()
        assert count_done(database) < drill.jobs, "the restarts came too late to disturb anybody"
        join(running)
    assert done(database) == Counter(keys(drill.jobs))


def test_a_worker_waits_for_its_database_and_goes_on(
    server: PrivateServer, database: Database, tmp_path: Path
) -> None:
    pace = WorkerSettings(lease_ms=2000, poll_ms=100, look_ms=50, first_backoff_ms=50)
    with open_world(tmp_path) as world:
        parts = replace(world.parts, database=database, settings=pace)
        world = World(parts, world.clock, world.launcher)
        with database.write() as tx:
            put_source(tx, "shop", "managed", "UTC", {"kind": "managed"}, NOON)
        worker = Worker(parts)
        worker.start()
        try:
            first = world.accept(rule="first")
            wait_until(lambda: world.run(first).ended)
            second = world.accept(rule="second")
            server.stop()
            time.sleep(0.5)
            server.start()
            third = world.accept(rule="third")
            wait_until(lambda: world.run(second).ended and world.run(third).ended)
        finally:
            worker.stop()
        assert {world.run(run).state for run in (first, second, third)} == {"succeeded"}


def test_what_a_row_says_is_in_no_error(database: Database) -> None:
    row: dict[str, object] = {
        "name": "s3cret-name",
        "kind": "managed",
        "timezone": "UTC",
        "body": {},
    }
    row |= {"created_ms": 1, "updated_ms": 1}
    with pytest.raises(DatabaseError) as caught, database.write() as tx:
        tx.execute(insert(tables.sources).values([row, row]))
    assert "unique constraint" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(SettingsError, match=r"lupus-server\[postgres\]"):
        open_database("postgresql+psycopg://u@127.0.0.1/x")
