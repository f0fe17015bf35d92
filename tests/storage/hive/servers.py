"""The two real servers, statements that take long on them, and what they know of a statement."""

import time
from typing import Any

import pytest
from TCLIService import ttypes

from storage.errors import StorageError
from storage.hive.connection import HiveConnection
from storage.hive.deadline import Deadline
from storage.hive.options import HiveOptions, hive_options
from storage.hive.session import Session
from tests.real import server

VARIABLES = {"hive": "LUPUS_TEST_HIVE_URL", "spark": "LUPUS_TEST_SPARK_URL"}
DIALECTS = [pytest.param(dialect, marks=pytest.mark.real) for dialect in VARIABLES]
# A slow machine starts a session and a query in its own time; tests wait for events, not for this.
PATIENCE_SECONDS = 200

_CALL = {"hive": "reflect", "spark": "java_method"}
STATES: dict[int, str] = ttypes.TOperationState._VALUES_TO_NAMES


def real_options(dialect: str, **words: Any) -> HiveOptions:
    """Options of the real server of a dialect."""
    given = {"tables": ["*.*"], "dialect": dialect, "deadline_seconds": PATIENCE_SECONDS, **words}
    return hive_options("test", server(VARIABLES[dialect]), given)


def numbers(rows: int) -> str:
    """A statement that gives ``n`` from 0 on, and what is made of it."""
    side = round(rows**0.5)
    assert side * side == rows
    axis = f"(select posexplode(split(space({side - 1}), ' ')) as (n, x))"
    n = f"cast(a.n * {side} + b.n as bigint)"
    return (
        f"select {n} as n, cast({n} as double) / 8 as value, concat('s', cast(a.n as string)) as s "
        f"from {axis} a cross join {axis} b"
    )


def sleeping(dialect: str, seconds: float, mark: str = "lupus.asleep") -> str:
    """A statement that sleeps on the server, tenth by tenth, and marks that it does."""
    rows, call = round(seconds * 10), _CALL[dialect]
    return (
        f"select max(s) as s from (select concat("
        f"coalesce({call}('java.lang.Thread', 'sleep', cast(n - n + 100 as bigint)), ''), "
        f"{call}('java.lang.System', 'setProperty', '{mark}', 'yes')) as s from "
        f"(select posexplode(split(space({rows - 1}), ' ')) as (n, x)) q) r"
    )


def state_of(options: HiveOptions, operation: Any) -> str:
    """What the server says of a statement, over a session of its own."""
    session = Session("watch", options, Deadline(PATIENCE_SECONDS))
    try:
        request = ttypes.TGetOperationStatusReq(operation, getProgressUpdate=False)
        answer = session.call("GetOperationStatus", request, PATIENCE_SECONDS)
    except StorageError as error:
        if "Invalid OperationHandle" not in str(error):
            raise
        return "GONE"
    finally:
        session.close()
    return STATES[answer.operationState]


def is_asleep(connection: HiveConnection, dialect: str, mark: str) -> bool:
    """Whether the server carries a sleeping statement out.

    Spark lets go of one that is cancelled while it is planned, and carries it out all the same: a
    minute's sleep would then hold one of two places that tasks have.
    """
    call = f"{_CALL[dialect]}('java.lang.System', 'getProperty', '{mark}')"
    found: list[dict[str, Any]] = connection.table(f"select {call} as mark").to_pylist()
    return found == [{"mark": "yes"}]


def ends_on_the_server(options: HiveOptions, operation: Any) -> bool:
    """Wait until the server works on a statement no more."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if state_of(options, operation) not in ("RUNNING_STATE", "PENDING_STATE"):
            return True
        time.sleep(0.2)
    return False
