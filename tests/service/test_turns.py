"""Writers of one SQLite file: those of one process in line, beside other processes."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.database.counters import next_value
from service.database.engine import Database
from service.errors import DatabaseBusyError
from tests.service.databases import opened
from tests.service.failure.locks import locked

_WRITE = """
import sqlite3, sys, threading
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
print("writing", flush=True)
while not ended.is_set():
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'theirs'")
    connection.execute("COMMIT")
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened("sqlite", tmp_path) as database:
        yield database


@contextmanager
def another_writer(file: Path) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITE, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == b"writing\n"
        yield
    finally:
        process.stdin.close()
        assert process.wait(60) == 0
        process.stdout.close()


def standing(database: Database) -> int:
    """How many of the process write or wait for it."""
    return len(database._writer.get_execution_options()["lupus_write"]._asking)


def wait_for(database: Database, number: int) -> None:
    deadline = time.monotonic() + 60
    while standing(database) != number:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_who_asks_first_writes_first(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty-two wait, and another process writes all the time."""
    monkeypatch.setattr("service.database.sqlite.BUSY_SECONDS", 60.0)
    served: list[int] = []

    def write(number: int) -> None:
        with database.write() as tx:
            next_value(tx, "ours")
            served.append(number)

    with another_writer(tmp_path / "lupus.db"), ThreadPoolExecutor(32) as threads:
        with database.write():
            writes = []
            for number in range(32):
                writes.append(threads.submit(write, number))
                wait_for(database, number + 2)
        for done in writes:
            done.result(60)
    assert served == list(range(32))


def test_threads_and_another_process_lose_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.database.sqlite.BUSY_SECONDS", 60.0)
    with database.write() as tx:
        next_value(tx, "theirs")

    def write(_number: int) -> None:
        for _ in range(8):
            with database.write() as tx:
                next_value(tx, "ours")

    with another_writer(tmp_path / "lupus.db"), ThreadPoolExecutor(32) as threads:
        list(threads.map(write, range(32)))
    with database.write() as tx:
        assert next_value(tx, "ours") == 32 * 8 + 1
        assert next_value(tx, "theirs") > 2, "the other process had its share"
    assert standing(database) == 0


def test_who_waited_in_vain_stands_in_nobodys_way(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.write(), ThreadPoolExecutor(1) as other:
        monkeypatch.setattr("service.database.sqlite.BUSY_SECONDS", 0.05)
        with pytest.raises(DatabaseBusyError, match="locked"):
            other.submit(_count, database).result(60)
        assert standing(database) == 1
    assert _count(database) == 1


def test_a_line_behind_another_process_waits_once_and_not_once_each(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.database.sqlite.BUSY_SECONDS", 0.5)
    together = threading.Barrier(16)

    def refused(_number: int) -> float:
        together.wait(60)
        began = time.monotonic()
        with pytest.raises(DatabaseBusyError, match="locked"):
            _count(database)
        return time.monotonic() - began

    with locked(tmp_path / "lupus.db"), ThreadPoolExecutor(16) as threads:
        waits = list(threads.map(refused, range(16)))
    assert sorted(waits)[8] < 16 * 0.5 / 2, "most of them did not wait for those before"
    assert _count(database) == 1


def test_a_write_within_a_write_is_refused_and_a_read_is_not(database: Database) -> None:
    with database.write() as tx:
        next_value(tx, "ours")
        with pytest.raises(RuntimeError, match="within a write"):
            _count(database)
        with database.read() as view:
            view.exec_driver_sql("SELECT 1")
    assert _count(database) == 2


def _count(database: Database) -> int:
    with database.write() as tx:
        return next_value(tx, "ours")
