"""What the archive relies on, asked of Apache HiveServer2 and of Spark Thrift Server."""

import gc
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from TCLIService import ttypes

from storage.errors import InvalidError, NotFoundError, UnreachableError
from storage.hive.catalog import quoted
from storage.hive.connection import HiveConnection
from storage.hive.deadline import Deadline
from storage.hive.options import HiveOptions
from storage.hive.session import Session
from storage.secret import Secret
from tests.real import own_name
from tests.storage.hive.proxy import Proxy
from tests.storage.hive.servers import (
    DIALECTS,
    PATIENCE_SECONDS,
    ends_on_the_server,
    is_asleep,
    numbers,
    real_options,
    sleeping,
    state_of,
)

Connect = Callable[..., HiveConnection]


@pytest.fixture(params=DIALECTS)
def options(request: pytest.FixtureRequest) -> HiveOptions:
    return real_options(request.param)


@pytest.fixture
def connect() -> Iterator[Connect]:
    opened = []

    def open_(options: HiveOptions, **changed: Any) -> HiveConnection:
        opened.append(HiveConnection("warehouse", replace(options, **changed)))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, list[Any]]:
    """Handles of the statements that sessions began, by their text."""
    handles: dict[str, list[Any]] = defaultdict(list)
    start = Session.start

    def noted(self: Session, sql: str, deadline: Deadline) -> Any:
        handles[sql].append(start(self, sql, deadline))
        return handles[sql][-1]

    monkeypatch.setattr(Session, "start", noted)
    return handles


@pytest.fixture
def proxy(options: HiveOptions) -> Iterator[Proxy]:
    with Proxy(options.host, options.port) as found:
        yield found


def wait_until(fact: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.05)


def through(options: HiveOptions, proxy: Proxy, **changed: Any) -> HiveOptions:
    return replace(options, host="127.0.0.1", port=proxy.port, **changed)


def test_values_of_every_type_and_their_absence(options: HiveOptions, connect: Connect) -> None:
    values = {
        "i": ("cast(-7 as int)", -7, pa.int32()),
        "l": ("cast(-9223372036854775807 as bigint)", -(2**63) + 1, pa.int64()),
        "d": ("cast(0.1 as double)", 0.1, pa.float64()),
        "f": ("cast(1.5 as float)", 1.5, pa.float64()),
        "b": ("true", True, pa.bool_()),
        "s": ("'o\\'Neil \\\\ \u00b5 \u65e5'", "o'Neil \\ \u00b5 \u65e5", pa.string()),
        "t": ("cast(3 as tinyint)", 3, pa.int8()),
        "h": ("cast(300 as smallint)", 300, pa.int16()),
        "g": ("cast('2026-02-03' as date)", "2026-02-03", pa.string()),
        "c": ("cast('1.50' as decimal(10, 2))", "1.50", pa.string()),
    }
    given = ", ".join(f"{sql} as {name}" for name, (sql, _, _) in values.items())
    absent = ", ".join(f"if(x, {name}, null) as {name}" for name in values)
    rows = f"select {absent} from (select {given}, {{}} as x) q"
    connection = connect(options)
    found = connection.table(f"{rows.format('true')} union all {rows.format('false')}")
    assert found.schema == pa.schema([(name, type_) for name, (_, _, type_) in values.items()])
    whole, empty = sorted(found.to_pylist(), key=lambda row: row["i"] is None)
    assert whole == {name: value for name, (_, value, _) in values.items()}
    assert empty == dict.fromkeys(values)


SECRETIVE = ["${env:PATH}", "${system:java.version}", "${hiveconf:a}", "$${env:PATH}", "\\${x} $"]


def test_a_text_is_never_replaced_by_what_the_server_knows(
    options: HiveOptions, connect: Connect
) -> None:
    columns = ", ".join(f"{quoted(text)} as c{place}" for place, text in enumerate(SECRETIVE))
    (row,) = connect(options).table(f"select {columns}").to_pylist()
    assert list(row.values()) == SECRETIVE


@pytest.mark.parametrize("text", SECRETIVE)
def test_no_statement_asks_the_server_to_replace_something(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def call(_self: Session, _method: str, request: Any, _seconds: float) -> Any:
        sent.append(request.statement)
        return ttypes.TExecuteStatementResp(operationHandle="handle")

    monkeypatch.setattr(Session, "call", call)
    session = object.__new__(Session)
    session.handle = None
    assert session.start(f"select {quoted(text)}", Deadline(1)) == "handle"
    assert "${" not in sent[0]
    assert sent[0].count("\\u0024{") == text.count("${")


def test_a_million_rows(options: HiveOptions, connect: Connect) -> None:
    connection = connect(options)
    rows, total, ordered = 0, 0.0, 0
    texts = set()
    for batch in connection.stream(numbers(1_000_000)):
        rows += batch.num_rows
        total += sum(batch["value"].to_numpy())
        ordered += int(batch["n"].to_numpy().sum())
        texts.update(batch["s"].unique().to_pylist())
    assert rows == 1_000_000
    assert ordered == 499_999_500_000
    assert total == ordered / 8
    assert texts == {f"s{number}" for number in range(1_000)}


def test_no_rows(options: HiveOptions, connect: Connect) -> None:
    connection = connect(options)
    nothing = f"select n, s from ({numbers(4)}) q where n > 9"
    found = connection.table(nothing)
    assert found.num_rows == 0
    assert found.schema == pa.schema([("n", pa.int64()), ("s", pa.string())])
    assert list(connection.stream(nothing)) == []


def test_statements_change_what_later_ones_see(options: HiveOptions, connect: Connect) -> None:
    connection, name = connect(options), own_name("lupus_")
    connection.execute(f"create database {name}")
    try:
        assert name in connection.table(f"show databases like '{name}'").column(0).to_pylist()
        inside = connect(options, database=name)
        assert inside.table("select current_database() as d").to_pydict() == {"d": [name]}
    finally:
        connection.execute(f"drop database {name} cascade")


@pytest.mark.parametrize(
    ("sql", "kind", "words"),
    [
        ("select * from no_such_table", NotFoundError, "no_such_table"),
        ("select no_such_column from (select 1 as a) q", NotFoundError, "no_such_column"),
        ("use no_such_database", NotFoundError, "no_such_database"),
        ("selec 1", InvalidError, "selec"),
        ("select cast('x' as no_such_type)", InvalidError, "no_such_type"),
    ],
)
def test_refusals_are_one_line_in_the_servers_words(
    options: HiveOptions, connect: Connect, sql: str, kind: type[Exception], words: str
) -> None:
    connection = connect(options)
    with pytest.raises(kind) as caught:
        connection.execute(sql)
    said = str(caught.value)
    assert said.startswith("warehouse: ")
    assert words in said.lower()
    assert "\n" not in said
    assert "org.apache" not in said
    # The session has not suffered.
    assert connection.table("select 1 as one").to_pydict() == {"one": [1]}


def test_a_database_that_is_absent_is_said_when_the_session_opens(
    options: HiveOptions, connect: Connect
) -> None:
    with pytest.raises(NotFoundError, match="no_such_database"):
        connect(options, database="no_such_database").table("select 1")


def test_what_gives_no_rows_is_not_asked_for_rows(options: HiveOptions, connect: Connect) -> None:
    if options.dialect == "spark":
        pytest.skip("every statement of Spark gives rows")
    with pytest.raises(InvalidError, match="gives no rows"):
        connect(options).table("use default")


def test_session_settings_arrive(options: HiveOptions, connect: Connect) -> None:
    key = {"hive": "hive.exec.max.dynamic.partitions", "spark": "spark.sql.shuffle.partitions"}
    name = key[options.dialect]
    found = connect(options, session={name: "1234"}).table(f"set {name}").to_pylist()
    assert "1234" in str(found)


def test_a_deadline_cancels_on_the_server(
    options: HiveOptions, connect: Connect, started: Mapping[str, list[Any]]
) -> None:
    connection = connect(options)
    connection.table("select 1")  # the session is there
    begin = time.monotonic()
    statement = sleeping(options.dialect, 600)
    with pytest.raises(UnreachableError, match="not done within 3 s, so it is cancelled"):
        connection.execute(statement, deadline_seconds=3)
    assert time.monotonic() - begin < 60  # the cancel is nobody's to wait for
    assert ends_on_the_server(options, started[statement][0])
    assert connection.table("select 1 as one").to_pydict() == {"one": [1]}


def test_a_stream_that_is_closed_early_is_cancelled_on_the_server(
    options: HiveOptions, connect: Connect, started: Mapping[str, list[Any]]
) -> None:
    connection = connect(options)
    stream = connection.stream(numbers(250_000))
    assert next(stream).num_rows > 0
    (handle,) = started[numbers(250_000)]
    assert state_of(options, handle) == "FINISHED_STATE"
    del stream
    gc.collect()
    connection.close()
    assert state_of(options, handle) == "GONE"


def test_a_killed_process_leaves_nothing_running(options: HiveOptions, tmp_path: Path) -> None:
    note = tmp_path / "handle"
    child = subprocess.Popen(
        [sys.executable, "-c", _KILLED, options.dialect, sleeping(options.dialect, 600), str(note)],
        cwd=Path(__file__).parents[3],
    )
    try:
        wait_until(lambda: note.exists() or child.poll() is not None)
        guid, secret = (bytes.fromhex(word) for word in note.read_text().split())
        operation = ttypes.TOperationHandle(
            ttypes.THandleIdentifier(guid, secret),
            ttypes.TOperationType.EXECUTE_STATEMENT,
            hasResultSet=True,
        )
        assert state_of(options, operation) in ("RUNNING_STATE", "PENDING_STATE")
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert ends_on_the_server(options, operation)


_KILLED = """
import sys
from pathlib import Path
from storage.hive.deadline import Deadline
from storage.hive.session import Session
from tests.storage.hive.servers import real_options

deadline = Deadline(600)
session = Session("killed", real_options(sys.argv[1]), deadline)
handle = session.start(sys.argv[2], deadline)
identity = handle.operationId
new = Path(sys.argv[3] + ".new")
new.write_text(f"{identity.guid.hex()} {identity.secret.hex()}")
new.rename(sys.argv[3])
session.wait(handle, deadline)
"""


def test_a_server_killed_in_mid_stream_is_an_error_and_the_next_question_is_answered(
    options: HiveOptions, connect: Connect, proxy: Proxy
) -> None:
    connection = connect(through(options, proxy))
    stream = connection.stream(numbers(250_000))
    next(stream)
    proxy.cut_after = 500_000
    with pytest.raises(UnreachableError, match="127"):
        for _ in stream:
            pass
    assert connection.table("select 1 as one").to_pydict() == {"one": [1]}


def test_a_question_is_asked_again_when_the_connection_breaks_before_its_first_row(
    options: HiveOptions, connect: Connect, proxy: Proxy
) -> None:
    connection = connect(through(options, proxy))
    connection.table("select 1")
    sql = f"select n from ({numbers(400)}) q"
    proxy.cut_after = 250  # the check of the kept session passes, the statement does not
    assert connection.table(sql).num_rows == 400
    proxy.cut_after = 250
    assert sum(batch.num_rows for batch in connection.stream(sql)) == 400


def test_a_statement_is_not_carried_out_twice(
    options: HiveOptions, connect: Connect, proxy: Proxy, started: Mapping[str, list[Any]]
) -> None:
    connection, other, mark = connect(through(options, proxy)), connect(options), own_name("lupus.")
    connection.table("select 1")
    with ThreadPoolExecutor(1) as threads:
        statement = sleeping(options.dialect, 600, mark)
        running = threads.submit(connection.execute, statement)
        wait_until(lambda: statement in started and is_asleep(other, options.dialect, mark))
        proxy.cut()
        with pytest.raises(UnreachableError):
            running.result(PATIENCE_SECONDS)
    (once,) = started[statement]
    assert ends_on_the_server(options, once)


def test_a_session_that_the_server_forgot_is_replaced(
    options: HiveOptions, connect: Connect
) -> None:
    connection = connect(options)
    connection.table("select 1")
    for _ in range(2):
        kept = connection._pool._idle[-1]
        other = Session("other", options, Deadline(PATIENCE_SECONDS))
        other.call("CloseSession", ttypes.TCloseSessionReq(kept.handle), PATIENCE_SECONDS)
        other.messages.close()
        connection.execute("use default")
        assert connection._pool._idle[-1] is not kept


def test_a_broken_kept_connection_is_replaced(
    options: HiveOptions, connect: Connect, proxy: Proxy
) -> None:
    connection = connect(through(options, proxy))
    connection.table("select 1")
    proxy.cut()
    connection.execute("use default")
    assert proxy.accepted == 2


def test_a_silent_server_ends_with_the_deadline(
    options: HiveOptions, connect: Connect, proxy: Proxy
) -> None:
    connection = connect(through(options, proxy), connect_seconds=1)
    connection.table("select 1")
    proxy.held.set()
    with pytest.raises(UnreachableError):
        connection.table("select 1", deadline_seconds=2)


def test_eight_threads_share_three_sessions(
    options: HiveOptions, connect: Connect, proxy: Proxy
) -> None:
    connection = connect(through(options, proxy), sessions=3)

    def ask(number: int) -> bool:
        sql = f"select n + {number} as n from ({numbers(100)}) q"
        if number % 2:
            found = [n for batch in connection.stream(sql) for n in batch["n"].to_pylist()]
        else:
            found = connection.table(sql)["n"].to_pylist()
        return sorted(found) == list(range(number, number + 100))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(12)))
    assert proxy.accepted <= 3
    assert len(connection._pool._idle) <= 3


def test_unused_sessions_are_closed(options: HiveOptions, connect: Connect, proxy: Proxy) -> None:
    connection = connect(through(options, proxy), idle_seconds=1)
    connection.table("select 1")
    assert connection._pool._idle
    wait_until(lambda: not connection._pool._idle)
    connection.table("select 1")
    assert proxy.accepted == 2


def test_closing_ends_what_other_threads_wait_for(
    options: HiveOptions, connect: Connect, started: Mapping[str, list[Any]]
) -> None:
    connection, other, mark = connect(options), connect(options), own_name("lupus.")
    statement = sleeping(options.dialect, 600, mark)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(connection.execute, statement)
        wait_until(lambda: statement in started and is_asleep(other, options.dialect, mark))
        connection.close()
        with pytest.raises((UnreachableError, InvalidError)):
            running.result(PATIENCE_SECONDS)
    assert ends_on_the_server(options, started[statement][0])


def test_a_rotated_password_is_used_by_the_next_session(
    options: HiveOptions, connect: Connect, proxy: Proxy, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("old-one\n")
    connection = connect(through(options, proxy), password=Secret(file=file))
    connection.table("select 1")
    assert b"\0lupus\0old-one" in proxy.seen
    file.write_text("new-one\n")
    proxy.cut()
    connection.table("select 1")
    assert b"\0lupus\0new-one" in proxy.seen


def test_rows_stay_in_their_order(options: HiveOptions, connect: Connect) -> None:
    sql = f"select n from ({numbers(90_000)}) q order by n"
    batches = [batch["n"].to_numpy() for batch in connect(options).stream(sql)]
    assert sum(map(len, batches)) == 90_000
    assert all(left[-1] + 1 == right[0] for left, right in pairwise(batches))
