"""What the SQLite index does besides the contract: one file, many processes."""

import multiprocessing
import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from storage.errors import BusyError, CorruptError, FullError, InvalidError, RefusedError
from storage.index import AnomalyQuery
from storage.sqlite import anomalies, connection
from storage.sqlite.index import SqliteIndex
from storage.sqlite.schema import VERSION
from tests.storage.disks import remount
from tests.storage.documents import anomaly, day, new

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "index.db"


@pytest.fixture
def index(file: Path) -> Iterator[SqliteIndex]:
    opened = SqliteIndex(file)
    yield opened
    opened.close()


def test_a_newer_schema_is_refused_with_advice(file: Path, index: SqliteIndex) -> None:
    index.close()
    raw = sqlite3.connect(file)
    raw.execute(f"PRAGMA user_version = {VERSION + 1}")
    raw.close()
    with pytest.raises(InvalidError, match=r"newer Lupus \(schema 2.*upgrade"):
        SqliteIndex(file)


def test_a_file_of_an_earlier_version_goes_on_and_takes_changes(
    file: Path, index: SqliteIndex
) -> None:
    index.write_anomalies([new(anomaly(5))])
    index.close()
    raw = sqlite3.connect(file)
    raw.execute("ALTER TABLE anomalies DROP COLUMN change")
    raw.close()
    said = {"kind": "slope", "size": -0.5, "confidence": 0.99, "earliest_ms": 1, "latest_ms": 9}
    with closing(SqliteIndex(file)) as again:
        again.write_anomalies([new(anomaly(6, change=said))])
        found = again.search_anomalies(AnomalyQuery(), 9).items
        assert [each.change for each in found] == [said, None]
    SqliteIndex(file).close()


def test_a_database_of_somebody_else_is_refused_and_left_alone(file: Path) -> None:
    raw = sqlite3.connect(file)
    raw.execute("CREATE TABLE runs (id TEXT)")
    raw.close()
    with pytest.raises(InvalidError, match="a file of its own"):
        SqliteIndex(file)
    raw = sqlite3.connect(file)
    assert [row[0] for row in raw.execute("SELECT name FROM sqlite_master")] == ["runs"]
    raw.close()


def test_a_file_that_is_no_database_is_corrupt(file: Path) -> None:
    file.write_bytes(b"this is a text" * 1000)
    with pytest.raises(CorruptError, match=r"index\.db"):
        SqliteIndex(file)


@pytest.mark.parametrize(
    ("query", "index_used"),
    [
        (AnomalyQuery(source="s"), "anomalies_by_source"),
        (AnomalyQuery(source="s", start_ms=1, end_ms=9, status="found"), "anomalies_by_source"),
        (AnomalyQuery(source="s", rule="r", series="q", start_ms=1), "anomalies_by_series"),
        (AnomalyQuery(source="s", series="q", end_ms=1), "anomalies_by_series"),
        (AnomalyQuery(run="u"), "anomalies_by_run"),
        (AnomalyQuery(), "anomalies_by_time"),
    ],
)
def test_searches_use_their_index(
    file: Path, index: SqliteIndex, query: AnomalyQuery, index_used: str
) -> None:
    raw = sqlite3.connect(file)
    raw.row_factory = sqlite3.Row
    statements: list[str] = []
    raw.set_trace_callback(statements.append)
    anomalies.search(raw, query, 10, None)
    plan = [row["detail"] for row in raw.execute(f"EXPLAIN QUERY PLAN {statements[0]}")]
    raw.close()
    assert any(index_used in step for step in plan), plan
    if index_used != "anomalies_by_series":
        assert not any("TEMP B-TREE" in step for step in plan), plan


def test_no_transaction_holds_more_than_a_thousand_documents(
    file: Path, index: SqliteIndex
) -> None:
    """A second writer gets its turn in between, so accepting requests never waits long."""
    seen = []
    raw = sqlite3.connect(file, timeout=0)

    def documents() -> Iterator[object]:
        for n in range(2_000):
            if n % 1_000 == 0:
                raw.execute("BEGIN IMMEDIATE")  # fails if the index held its lock
                seen.append(raw.execute("SELECT count(*) FROM anomalies").fetchone()[0])
                raw.execute("COMMIT")
            yield new(anomaly(n))

    index.write_anomalies(documents())  # type: ignore[arg-type]
    raw.close()
    assert seen == [0, 1_000]


def test_a_lock_that_stays_is_busy_and_transient(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.05)
    index = SqliteIndex(file)
    raw = sqlite3.connect(file)
    raw.execute("BEGIN IMMEDIATE")
    with pytest.raises(BusyError, match="locked") as caught:
        index.write_anomalies([new(anomaly())])
    assert caught.value.transient
    assert list(index.search_anomalies(AnomalyQuery(), 10).items) == []  # readers go on
    raw.close()
    assert index.write_anomalies([new(anomaly())]).written == 1
    index.close()


def test_an_error_in_the_middle_leaves_no_open_transaction(index: SqliteIndex) -> None:
    broken = [new(anomaly(1)), new(anomaly(2, reason=None))]
    with pytest.raises(InvalidError, match="NOT NULL"):
        index.write_anomalies(broken)
    assert index.counts()["anomalies"] == 0
    assert index.write_anomalies([new(anomaly(1))]).written == 1


def test_many_threads_share_an_index(index: SqliteIndex) -> None:
    errors: list[BaseException] = []

    def work(mine: int) -> None:
        try:
            for turn in range(20):
                index.write_anomalies([new(anomaly(turn, metric=f"m{mine}"))])
                index.search_anomalies(AnomalyQuery(source="s"), 5)
        except BaseException as error:  # noqa: BLE001 - the main thread shall see it
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert index.counts()["anomalies"] == 120


def test_a_closed_index_says_so(index: SqliteIndex) -> None:
    index.close()
    with pytest.raises(InvalidError, match="closed"):
        index.counts()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_opens_its_own_connection(index: SqliteIndex) -> None:
    index.write_anomalies([new(anomaly(1))])
    child = multiprocessing.get_context("fork").Process(target=_write_and_leave, args=(index,))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert index.counts()["anomalies"] == 2
    assert index.write_anomalies([new(anomaly(3))]).written == 1


def _write_and_leave(index: SqliteIndex) -> None:
    index.write_anomalies([new(anomaly(2))])
    index.close()


def _write_for_ever(file: Path, barrier: Barrier) -> None:
    index = SqliteIndex(file)
    barrier.wait(60)
    for turn in range(10_000):
        index.write_anomalies(new(anomaly(turn * 1_000 + n)) for n in range(1_000))


def test_a_killed_writer_leaves_whole_transactions(file: Path) -> None:
    barrier = SPAWN.Barrier(2)
    process = SPAWN.Process(target=_write_for_ever, args=(file, barrier))
    process.start()
    barrier.wait(60)
    process.join(0.4)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    index = SqliteIndex(file)
    assert index.counts()["anomalies"] % 1_000 == 0
    assert index.write_anomalies([new(anomaly(-1))]).written == 1
    index.close()


def test_a_full_disk_is_said_and_loses_nothing(small_disk: Path) -> None:
    index = SqliteIndex(small_disk / "index.db")
    index.write_anomalies([new(anomaly(-1))])
    with pytest.raises(FullError, match=r"index\.db") as caught:
        index.write_anomalies(new(anomaly(n)) for n in range(20_000))
    assert caught.value.transient
    written = index.counts()["anomalies"]
    assert written % 1_000 == 1
    assert index.anomaly(anomaly(-1).id) == anomaly(-1)
    index.close()


def test_a_read_only_disk_is_refused(small_disk: Path) -> None:
    remount(small_disk, "ro")
    with pytest.raises(RefusedError) as caught:
        SqliteIndex(small_disk / "index.db")
    assert not caught.value.transient


def test_a_copy_of_the_file_is_whole(file: Path, index: SqliteIndex, tmp_path: Path) -> None:
    """After close nothing of it is left in the write-ahead log."""
    index.put_points([day()])
    index.close()
    shutil.copy(file, tmp_path / "copy.db")
    copy = SqliteIndex(tmp_path / "copy.db")
    assert copy.counts()["points"] == 1
    copy.close()
