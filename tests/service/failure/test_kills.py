"""Thirty seeded kills over a long run with many rules: the documents are those of a calm one."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from sqlalchemy import func, select

from service.database import tables
from service.database.engine import Database, open_database
from service.database.runs import ENDED
from service.errors import DatabaseError
from tests.conftest import ROOT
from tests.service.failure.story import Story, Told
from tests.service.receiver import receiving
from tests.service.served import Served, served

SEED = int(os.environ.get("LUPUS_TEST_SEED", "5"))
KILLS = 30
AHEAD = 6  # so many runs are asked for before their kills, else work is over long before these
WORKERS = 1  # processes beside the worker inside the service
PACE = {"LUPUS_PROCESSES": "2", "LUPUS_CHUNK_SECONDS": "0.001", "LUPUS_LOG_LEVEL": "warning"}


@dataclass
class Killer:
    """Kills by lot, spread over the whole work: the service, a worker, a process of a pool."""

    folder: Path
    service: Served
    told: Told
    chance: random.Random
    workers: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    trouble: list[BaseException] = field(default_factory=list)

    def start_worker(self) -> None:
        kept = {name: value for name, value in os.environ.items() if "LUPUS_" not in name}
        told = {"LUPUS_DATA": str(self.folder), "PYTHONPATH": str(ROOT), **PACE}
        with (self.folder.parent / "workers.log").open("ab") as log:
            command = [sys.executable, "-m", "service.cli", "worker"]
            self.workers.append(
                subprocess.Popen(command, env={**kept, **told}, stdout=log, stderr=log)
            )

    def work(self) -> None:
        try:
            self._kill_all()
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            self.trouble.append(error)

    def keep_up(self, asked: int) -> None:
        """Wait until the kills of what was asked for before have happened."""
        while len(self.killed) * self.told.story.runs < KILLS * (asked - AHEAD):
            assert not self.trouble, (self.trouble, self.killed)
            time.sleep(0.05)

    def _kill_all(self) -> None:
        database = open_database(f"sqlite:///{self.folder}/lupus.db")
        runs = self.told.story.runs
        for number in range(KILLS):
            give_up = time.monotonic() + 300
            while ended(database) < runs * number // (KILLS + 3):
                assert time.monotonic() < give_up, f"nothing goes on after {self.killed}"
                time.sleep(0.02)
            time.sleep(self.chance.random() * 0.5)
            self._kill(self.chance.choice(["service", "worker", "pool", "pool", "pool"]))
        database.close()

    def _kill(self, what: str) -> None:
        pool = self._pool() if what == "pool" else []
        if pool:
            psutil.Process(self.chance.choice(pool)).kill()
        elif what == "service":
            self.service.end(signal.SIGKILL)
            self._start_service()
        else:
            victim = self.workers.pop(self.chance.randrange(len(self.workers)))
            victim.kill()
            victim.wait()
            self.start_worker()
        self.killed.append(what if pool or what != "pool" else "worker")

    def _start_service(self) -> None:
        """Three processes begin at once on two cores: that may take its time."""
        try:
            self.service.start()
        except AssertionError:
            self.service.wait_for("/readyz", lambda answer: answer.status_code == 200, 600)

    def _pool(self) -> list[int]:
        """Grandchildren: the children are the fork servers."""
        parents = [self.service.pid, *(worker.pid for worker in self.workers)]
        try:
            children = [child for pid in parents for child in psutil.Process(pid).children()]
            return sorted(process.pid for child in children for process in child.children())
        except psutil.Error:
            return []


def ended(database: Database) -> int:
    try:
        with database.read() as tx:
            over = select(func.count()).where(tables.runs.c.state.in_(ENDED))
            return int(tx.execute(over).scalar_one())
    except DatabaseError:
        return 0


@contextmanager
def disturbing(killer: Killer) -> Iterator[None]:
    for _ in range(WORKERS):
        killer.start_worker()
    thread = threading.Thread(target=killer.work)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        for worker in killer.workers:
            worker.terminate()
        for worker in killer.workers:
            worker.wait(60)


@pytest.mark.real  # it needs no server, but minutes
@pytest.mark.timeout(1800)
def test_a_service_killed_thirty_times_ends_as_a_calm_one(tmp_path: Path) -> None:
    print("LUPUS_TEST_SEED:", SEED)  # noqa: T201 - shown when it fails
    story = Story()
    with receiving() as receiver, served(tmp_path / "calm", PACE) as service:
        calm = Told(story, service, receiver)
        calm.tell()
        calm.finish()
        expected = calm.documents()
        calm.check_messages()
    assert len(expected["anomalies"]) >= story.runs
    assert len(expected["said"]) >= story.runs
    with receiving() as receiver, served(tmp_path / "shaken", PACE) as service:
        told = Told(story, service, receiver)
        killer = Killer(tmp_path / "shaken", service, told, random.Random(SEED))
        told.pause = killer.keep_up
        with disturbing(killer):
            told.tell()
            told.finish()
        assert not killer.trouble, (killer.trouble, killer.killed)
        assert len(killer.killed) == KILLS
        assert set(killer.killed) == {"service", "worker", "pool"}
        found = told.documents()
        for part, documents in expected.items():
            assert found[part] == documents, f"{part} differ, seed {SEED}, {killer.killed}"
        told.check_messages()
        assert not [one for one in told.bad if "locked" in one], told.bad
