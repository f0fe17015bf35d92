"""``?wait=``: who waits is woken by the end, by its patience, by leaving, by the service's end."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2

from service.accept_ingest import accept_ingest, new_payload
from service.api.waiting import Watch
from service.clock import MINUTE_MS
from service.database.ingests import ended_ingests, update_ingest
from service.database.runs import ended_runs, update_run
from tests.service.api.house import House, daily, detection
from tests.service.served import Served, served
from tests.waiting import until

RUNS = "/v1/detections"
CLIENTS, FEW = 200, 20


def watches() -> bool:
    return any(thread.name == "watch" for thread in threading.enumerate())


class TestTheAnswer:
    def _over(self, house: House, path: str, key: str, **more: Any) -> httpx2.Response:
        """As a scheduler does it: the same request with the same key until the answer is 200."""

        def ask() -> httpx2.Response | None:
            headers = {"idempotency-key": f"wait-{key}"}
            answer = house.http.post(path, params={"wait": "30s"}, headers=headers, **more)
            assert answer.status_code in (200, 202), answer.text
            return answer if answer.status_code == 200 else None

        found: httpx2.Response = until(ask, 300)
        return found

    def test_posting_waits_for_the_end(self, working: House) -> None:
        source = working.source("wait.post")
        working.send(source, daily([0.4] * 150))
        over = self._over(working, RUNS, "post", json=detection(source))
        assert over.json()["state"] == "succeeded"
        assert "retry-after" not in over.headers
        again = f"{RUNS}/{over.json()['id']}/rerun"
        rerun = self._over(working, again, "rerun")
        assert rerun.json()["state"] == "succeeded"
        assert rerun.headers["location"] == f"{RUNS}/{rerun.json()['id']}"
        at_once = working.http.get(f"{RUNS}/{over.json()['id']}", params={"wait": "60s"})
        assert at_once.json()["counts"] == over.json()["counts"]

    def test_what_is_not_over_says_when_to_ask_again(self, idle: House) -> None:
        source = idle.source("wait.queued")
        for params in ({}, {"wait": "100ms"}):
            posted = idle.http.post(RUNS, params=params, json=detection(source))
            assert (posted.status_code, posted.json()["state"]) == (202, "queued")
            assert int(posted.headers["retry-after"]) > 0
        asked = idle.http.get(f"{RUNS}/{posted.json()['id']}", params={"wait": "100ms"})
        assert (asked.status_code, asked.json()["state"]) == (200, "queued")
        assert int(asked.headers["retry-after"]) > 0

    def test_a_wrong_patience_accepts_nothing(self, idle: House) -> None:
        source = idle.source("wait.wrong")
        for wrong, said in (("soon", "such as"), ("5m", "up to 120s"), ("", "such as")):
            answer = idle.http.post(RUNS, params={"wait": wrong}, json=detection(source))
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["parameter"] == "wait"
            assert said in answer.json()["detail"]
        assert idle.call("GET", RUNS, params={"source": source})["items"] == []

    def test_a_dry_run_does_not_wait(self, idle: House) -> None:
        source = idle.source("wait.dry")
        params = {"wait": "60s", "dry_run": "true"}
        assert idle.call("POST", RUNS, params=params, json=detection(source))["series"] == 0


class TestWaking:
    def test_the_end_of_a_run_wakes(self, idle: House) -> None:
        run = idle.call("POST", RUNS, 202, json=detection(idle.source("wait.end")))["id"]
        seen: list[dict[str, Any]] = []

        def wait() -> None:
            seen.append(idle.call("GET", f"{RUNS}/{run}", params={"wait": "60s"}))

        waiting = threading.Thread(target=wait)
        waiting.start()
        until(watches)
        with idle.resources.database.write() as tx:
            update_run(tx, run, state="succeeded", ended_ms=MINUTE_MS)
        waiting.join()
        assert [one["state"] for one in seen] == ["succeeded"]

    def test_the_end_of_an_ingest_wakes(self, idle: House) -> None:
        source = idle.source("wait.ingest")
        payload = new_payload(MINUTE_MS, "json")
        database = idle.resources.database
        ingest = accept_ingest(database, source, payload, "ann", MINUTE_MS).ingest.id
        seen: list[dict[str, Any]] = []

        def wait() -> None:
            seen.append(idle.call("GET", f"/v1/ingests/{ingest}", params={"wait": "60s"}))

        waiting = threading.Thread(target=wait)
        waiting.start()
        until(watches)
        with database.write() as tx:
            update_ingest(tx, ingest, state="stored")
        time.sleep(0.2)
        assert not seen, "stored is not searchable yet"
        with database.write() as tx:
            update_ingest(tx, ingest, state="succeeded")
        waiting.join()
        assert [one["state"] for one in seen] == ["succeeded"]

    def test_each_hears_of_its_own_end_only(self, idle: House) -> None:
        """One look for all; the thread ends when nobody waits any more."""
        source = idle.source("wait.many")
        database = idle.resources.database
        runs = [
            idle.call("POST", RUNS, 202, json=detection(source, rule=f"r{n}"))["id"]
            for n in range(2)
        ]
        watch = Watch(database, threading.Event())
        first, second, unknown = threading.Event(), threading.Event(), threading.Event()
        with (
            watch.waking(ended_runs, runs[0], first.set),
            watch.waking(ended_runs, runs[1], second.set),
            watch.waking(ended_ingests, "nobody", unknown.set),
        ):
            assert unknown.wait(60), "what is not there ends the waiting"
            with database.write() as tx:
                update_run(tx, runs[1], state="failed")
            assert second.wait(60)
            assert not first.is_set()
        until(lambda: not watches())

    def test_the_end_of_the_service_wakes(self, idle: House) -> None:
        run = idle.call("POST", RUNS, 202, json=detection(idle.source("wait.stop")))["id"]
        stopping, woken = threading.Event(), threading.Event()
        with Watch(idle.resources.database, stopping).waking(ended_runs, run, woken.set):
            assert not woken.wait(0.2)
            stopping.set()
            assert woken.wait(60)


class Many:
    """A service without a worker, on which many wait for a run that never begins."""

    def __init__(self, service: Served) -> None:
        self.service = service
        service.http.put("/v1/sources/shop", json={"kind": "managed"})
        self.path = f"{RUNS}/{service.post(RUNS, json=detection('shop'))['id']}"

    def _open(self) -> list[str]:
        """What each handle of the process is."""
        found = []
        for handle in Path(f"/proc/{self.service.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed in the meantime
                found.append(str(handle.readlink()))
        return found

    @property
    def sockets(self) -> int:
        return sum(one.startswith("socket:") for one in self._open())

    @property
    def files(self) -> int:
        """Connections to the database, and what else is no socket."""
        return sum(not one.startswith("socket:") for one in self._open())

    @property
    def threads(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.service.pid}/task").iterdir())

    @property
    def answered(self) -> int:
        """Looks at the run that are over, whether or not anybody heard the answer."""
        return self.service.log.count('"route": "/v1/detections/{detection}"')

    async def wait(
        self, patience: str, meanwhile: Callable[[], Any] = lambda: None, stay: bool = True
    ) -> list[httpx2.Response]:
        """All ask at once; ``meanwhile`` is called while they wait."""
        async with httpx2.AsyncClient(
            base_url=str(self.service.http.base_url),
            timeout=120,
            limits=httpx2.Limits(max_connections=None),
            trust_env=False,
        ) as http:
            asked = [
                asyncio.create_task(http.get(self.path, params={"wait": patience}))
                for _ in range(CLIENTS)
            ]
            await asyncio.to_thread(meanwhile)
            if stay:
                return list(await asyncio.gather(*asked))
            for one in asked:
                one.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            return []


def test_many_who_wait_hold_no_thread_and_no_connection_to_the_database(tmp_path: Path) -> None:
    environment = {"LUPUS_WORKER": "false", "LUPUS_LOG_FORMAT": "json"}
    with served(tmp_path / "data", environment) as service:
        many = Many(service)
        asyncio.run(many.wait("100ms"))  # its pools are as large as they will be
        until(lambda: many.sockets < FEW)
        pooled = many.files
        seen: list[tuple[int, int]] = []

        def all_wait() -> None:
            until(lambda: many.sockets >= CLIENTS)
            time.sleep(1)  # the first looks are over

        def look() -> None:
            all_wait()
            seen.append((many.files, many.threads))

        answers = asyncio.run(many.wait("10s", look))
        assert {answer.json()["state"] for answer in answers} == {"queued"}
        files, threads = seen[0]
        assert files < pooled + CLIENTS // 4, "one connection looks for all of them"
        assert threads < 80, "the pool of those who look, not one each"
        until(lambda: many.sockets < FEW)

        # Who leaves is not waited for, though the patience was two minutes.
        before = many.answered
        asyncio.run(many.wait("120s", all_wait, stay=False))
        until(lambda: many.answered == before + CLIENTS)
        until(lambda: many.sockets < FEW)

        # And when the service is told to end, everybody hears how far it is.
        def stop() -> None:
            all_wait()
            service.end(signal.SIGTERM)

        answers = asyncio.run(many.wait("120s", stop))
        assert [answer.status_code for answer in answers] == [200] * CLIENTS
        assert {answer.json()["state"] for answer in answers} == {"queued"}
        assert '"service_ended"' in service.log
