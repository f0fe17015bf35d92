"""A real service whose machine, disk and neighbours misbehave. It needs no server, but a while."""

import random
import shutil
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from service.database.engine import open_database
from tests.service.failure.disk import small_disk
from tests.service.failure.locks import locked
from tests.service.failure.story import OVER, Story, Told
from tests.service.queue_drill import Drill, done, fill, join, keys, kill_some, working
from tests.service.receiver import receiving
from tests.service.served import Served, served

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

PACE = {"LUPUS_PROCESSES": "2", "LUPUS_CHUNK_SECONDS": "0.001"}
SHORT = Story(sources=1, rules=3, rounds=1, series=6, channels=1)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What an undisturbed service says of the short story."""
    return told_to(tmp_path_factory.mktemp("calm") / "data", PACE, lambda told: None)


def told_to(
    folder: Path, environment: dict[str, str], disturb: Callable[[Told], None]
) -> dict[str, Any]:
    with receiving() as receiver, served(folder, environment) as service:
        told = Told(SHORT, service, receiver)
        with ThreadPoolExecutor(1) as beside:
            disturbed = beside.submit(disturb, told)
            told.tell()
            told.finish()
            disturbed.result()
        told.check_messages()
        return told.documents()


def test_the_disk_of_everything_fills_up_again_and_again(
    tmp_path: Path, calm: dict[str, Any]
) -> None:
    """Data, scratch, database and the service's own log on one disk."""
    chance = random.Random(7)

    with small_disk(tmp_path / "small", 64) as disk:

        def disturb(told: Told) -> None:
            told.tolerated = (503, 507)
            for _ in range(5):
                time.sleep(chance.random())
                disk.fill()
                time.sleep(1 + chance.random())
                disk.free()
                time.sleep(1)

        assert told_to(disk.folder / "data", PACE, disturb) == calm


def test_the_database_is_locked_for_thirty_seconds(tmp_path: Path, calm: dict[str, Any]) -> None:
    waited: list[float] = []

    def disturb(told: Told) -> None:
        told.tolerated = (503,)
        with locked(tmp_path / "data" / "lupus.db"):
            give_up = time.monotonic() + 30
            while time.monotonic() < give_up:
                asked = time.monotonic()
                body = {"kind": "managed"}
                answer = told.service.http.put("/v1/sources/job.locked", json=body)
                waited.append(time.monotonic() - asked)
                assert (answer.status_code, "retry-after" in answer.headers) == (503, True)

    assert told_to(tmp_path / "data", PACE, disturb) == calm
    assert len(waited) >= 2, "each answer came within a bounded time"
    assert "its lease is lost" not in (tmp_path / "data.log").read_text()


def test_two_services_share_one_folder(tmp_path: Path, calm: dict[str, Any]) -> None:
    """They share the work, and each run is carried out once."""
    with (
        receiving() as receiver,
        served(tmp_path / "data", PACE) as first,
        served(tmp_path / "data", PACE) as second,
    ):
        told = Told(SHORT, first, receiver)
        told.tell()
        again = Told(SHORT, second, receiver)
        again.tell()  # the same keys: the same ingests and runs
        assert again.runs == told.runs
        again.finish()
        assert again.documents() == told.documents() == calm
        told.check_messages()


def test_sigterm_says_503_first_and_the_next_service_goes_on(
    tmp_path: Path, calm: dict[str, Any]
) -> None:
    environment = {**PACE, "LUPUS_DRAIN_SECONDS": "3"}
    with receiving() as receiver, served(tmp_path / "data", environment) as service:
        told = Told(SHORT, service, receiver)
        told.tell()
        psutil.Process(service.pid).send_signal(signal.SIGTERM)
        service.wait_for("/readyz", lambda answer: answer.status_code == 503)
        assert service.http.get("/livez").status_code == 200, "the port is open for the drain"
        service.end(signal.SIGTERM)
        database = open_database(f"sqlite:///{tmp_path / 'data'}/lupus.db")
        with database.read() as tx:
            held = tx.exec_driver_sql(
                "SELECT count(*) FROM jobs WHERE holder IS NOT NULL OR state = 'running'"
            ).scalar_one()
        database.close()
        assert held == 0, "leases are released, nobody waits for them to run out"
        service.start()
        told.finish()
        assert told.documents() == calm


def test_few_file_handles_refuse_for_a_while_and_lose_nothing(
    tmp_path: Path, calm: dict[str, Any]
) -> None:
    """Twelve for all: each connection takes one, so a crowd of callers takes them all."""

    def crowd(told: Told) -> None:
        limit = psutil.Process(told.service.pid)
        before = limit.rlimit(psutil.RLIMIT_NOFILE)
        limit.rlimit(psutil.RLIMIT_NOFILE, (limit.num_fds() + 12, before[1]))
        told.tolerated = (500, 502, 503)
        with ThreadPoolExecutor(40) as callers:
            answers = list(callers.map(lambda _: knock(told.service), range(200)))
        limit.rlimit(psutil.RLIMIT_NOFILE, before)
        assert {"alive"} & set(answers)

    assert told_to(tmp_path / "data", PACE, crowd) == calm
    assert (tmp_path / "data.log").stat().st_size < 1 << 20, "it is not said without end"


def knock(service: Served) -> str:
    try:
        answer = httpx2.get(f"{str(service.http.base_url).rstrip('/')}/livez", timeout=30)
    except httpx2.TransportError as error:
        return type(error).__name__
    return str(answer.json()["status"])


def test_objects_deleted_in_mid_run_end_the_run_and_not_the_service(tmp_path: Path) -> None:
    with receiving() as receiver, served(tmp_path / "data", PACE) as service:
        told = Told(SHORT, service, receiver)
        told.tell()
        shutil.rmtree(tmp_path / "data" / "objects", ignore_errors=True)
        for run in told.runs.values():
            page = service.wait_for(
                f"/v1/detections/{run}", lambda a: a.json()["state"] in OVER, 300
            ).json()
            assert page["state"] == "succeeded" or page["error"], page
        again = service.post(f"/v1/detections/{next(iter(told.runs.values()))}/rerun")
        path = f"/v1/detections/{again['id']}"
        ended = service.wait_for(path, lambda a: a.json()["state"] in OVER, 300).json()
        assert ended["state"] in ("succeeded", "partial", "failed")


@pytest.mark.parametrize("processes", [2, 8])
def test_no_caller_hears_of_locks_while_workers_work_and_die(
    tmp_path: Path, processes: int
) -> None:
    """So many processes on one SQLite file and queue, some killed, and callers who write."""
    drill = Drill(jobs=600, processes=processes, kills=4, seed=processes, fast=False)
    bad: list[str] = []
    over = threading.Event()

    with served(tmp_path / "data", {"LUPUS_WORKER": "false"}) as service:
        url = f"sqlite:///{tmp_path / 'data'}/lupus.db"
        database = open_database(url)
        fill(database, drill.jobs)

        def call(number: int) -> int:
            calls = 0
            while not over.is_set():
                calls += 1
                path = f"/v1/sources/job.{number}-{calls % 5}"
                answer = service.http.put(path, json={"kind": "managed"})
                if not answer.is_success:
                    bad.append(answer.text)
            return calls

        with ThreadPoolExecutor(3) as callers:
            counts = [callers.submit(call, number) for number in range(3)]
            try:
                with working(url, drill) as running:
                    kill_some(database, url, drill, running)
                    join(running)
                done_by = done(database)
            finally:
                over.set()
            assert all(count.result() > 3 for count in counts), "callers were not starved"
        assert not bad, bad[:3]
        assert {key: done_by[key] for key in keys(drill.jobs)} == dict.fromkeys(keys(drill.jobs), 1)
        database.close()
