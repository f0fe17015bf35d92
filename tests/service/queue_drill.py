"""Processes that work at one queue and are killed, and what was done in the end."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import func, insert, select

from service.database import tables
from service.database.engine import Database
from service.errors import DatabaseBusyError
from service.identifier import new_id
from tests.conftest import ROOT

_PATIENCE_SECONDS = 240.0  # without a job done, or for all to end


@dataclass(frozen=True)
class Drill:
    """How many jobs and processes, and how many of these are killed; seeded."""

    jobs: int
    processes: int
    kills: int
    seed: int
    fast: bool = False


def keys(jobs: int) -> list[str]:
    return [f"j{number}" for number in range(jobs)]


def fill(database: Database, jobs: int) -> None:
    rows = [
        {
            "id": new_id(0),
            "dedupe_key": key,
            "kind": "run",
            "source": f"s{number % 3}",
            "payload": {},
            "state": "queued",
            "lane_number": 0,
            "run_at_ms": number,
            "queued_ms": 0,
            "attempts": 0,
            "failures": 0,
            "error": "",
            "created_ms": 0,
        }
        for number, key in enumerate(keys(jobs))
    ]
    with database.write() as tx:
        tx.execute(insert(tables.jobs), rows)
    with database.write() as tx:
        tx.exec_driver_sql("ANALYZE jobs")  # what PostgreSQL does by itself after a while


def count_done(database: Database) -> int:
    with database.read() as tx:
        return int(tx.execute(select(func.count()).select_from(tables.audit)).scalar_one())


def done(database: Database) -> Counter[str]:
    """How often each job had its effect."""
    with database.read() as tx:
        return Counter(tx.execute(select(tables.audit.c.object)).scalars())


@contextmanager
def working(url: str, drill: Drill) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes; a test may kill some and put others into the list."""
    running = [start(url, drill) for _ in range(drill.processes)]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def start(url: str, drill: Drill) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.service.queue_process", url]
    return subprocess.Popen([*command, "fast"] if drill.fast else command, cwd=ROOT)


def kill_some(
    database: Database, url: str, drill: Drill, running: list[subprocess.Popen[bytes]]
) -> None:
    """Kill with SIGKILL, spread over the whole work, and put a new one in the place of each."""
    chance = random.Random(drill.seed)
    for killed in range(drill.kills):
        wait_until_done(database, drill.jobs * killed // (drill.kills + 1) + 1, running)
        time.sleep(chance.random() * 0.02)
        victim = running.pop(chance.randrange(len(running)))
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        running.append(start(url, drill))


def wait_until_done(
    database: Database, jobs: int, running: Sequence[subprocess.Popen[bytes]]
) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if count_done(database) >= jobs:
                return
        except DatabaseBusyError:
            time.sleep(0.2)
        assert any(process.poll() is None for process in running), "every worker ended early"
        time.sleep(0.01)
    raise AssertionError(f"fewer than {jobs} jobs were done in {_PATIENCE_SECONDS:g} s")


def join(running: Sequence[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for process in running:
        assert process.wait(max(0.1, deadline - time.monotonic())) == 0
