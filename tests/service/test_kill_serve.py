"""`lupus-server serve` killed while it ingests and while it detects, as seen over HTTP."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from service.demo.process import free_port
from tests.conftest import ROOT

SEED = 11
SOURCE = "job.killed"
RULE = "daily"
SERIES = 60
DAYS = 250
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LAST = FIRST + timedelta(days=DAYS)
NAMES = ("run", "generation", "written_at")  # differ between two services


class Served:
    """A service of its own on one folder; it may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LUPUS_")},
            "LUPUS_DATA": str(folder),
            "LUPUS_PORT": str(free_port()),
            "PYTHONPATH": str(ROOT),
        }
        self._log = folder.parent / f"{folder.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        url = f"http://127.0.0.1:{self._environment['LUPUS_PORT']}"
        self.http = httpx2.Client(base_url=url, timeout=60, trust_env=False)

    def start(self) -> None:
        command = [sys.executable, "-m", "service.cli", "serve"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self.wait_for("/readyz", lambda answer: answer.status_code == 200)

    def end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)

    def wait_for(self, path: str, is_over: Any) -> httpx2.Response:
        give_up = time.monotonic() + 90
        while True:
            try:
                answer = self.http.get(path)
                if is_over(answer):
                    return answer
            except httpx2.TransportError:
                pass
            assert time.monotonic() < give_up, f"{path}: {self._log.read_text()[-2000:]}"
            time.sleep(0.02)


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    service = Served(folder)
    service.start()
    try:
        yield service
    finally:
        service.end(signal.SIGTERM)
        service.http.close()


def points() -> bytes:
    rng = np.random.default_rng(SEED)
    values = 100 + rng.normal(0, 1, (SERIES, DAYS))
    values[::7, -3] += 20
    lines = ["metric,region,time,value"]
    for region, row in enumerate(values.tolist()):
        lines += [
            f"m,{region},{(FIRST + timedelta(days=day)).isoformat()},{value!r}"
            for day, value in enumerate(row)
        ]
    return "\n".join(lines).encode()


def detection() -> dict[str, Any]:
    return {
        "rule": RULE,
        "source": SOURCE,
        "metric": "m",
        "range": {"start": (LAST - timedelta(days=7)).isoformat(), "end": LAST.isoformat()},
        "detector": {"type": "prophet"},
    }


def carry_out(service: Served, kill: Any) -> tuple[list[Any], list[Any]]:
    """Ingest and detect; ``kill`` may strike after each acceptance. Anomalies and a chart."""
    service.http.put(f"/v1/sources/{SOURCE}", json={"kind": "managed"}).raise_for_status()
    headers = {"content-type": "text/csv", "idempotency-key": "points-1"}
    ingest = post(service, f"/v1/sources/{SOURCE}/points", content=points(), headers=headers)
    kill(service)
    again = post(service, f"/v1/sources/{SOURCE}/points", content=points(), headers=headers)
    assert again["id"] == ingest["id"]
    path = f"/v1/ingests/{ingest['id']}"
    ended = service.wait_for(path, lambda a: a.json()["state"] in ("succeeded", "failed")).json()
    assert (ended["state"], ended["points"]) == ("succeeded", SERIES * DAYS)
    headers = {"idempotency-key": "detection-1"}
    run = post(service, "/v1/detections", json=detection(), headers=headers)
    kill(service)
    assert post(service, "/v1/detections", json=detection(), headers=headers)["id"] == run["id"]
    kill(service)
    path = f"/v1/detections/{run['id']}"
    over = ("succeeded", "partial", "failed", "cancelled")
    ended = service.wait_for(path, lambda answer: answer.json()["state"] in over).json()
    assert ended["state"] == "succeeded", ended
    query = {"source": SOURCE, "rule": RULE, "limit": "500"}
    found = service.http.get("/v1/anomalies", params=query).json()["items"]
    span = {"start": FIRST.isoformat(), "end": LAST.isoformat()}
    chart = {"source": SOURCE, "metric": "m", "limit": "100", **span}
    drawn = service.http.get("/v1/points", params=chart).json()["items"]
    for document in (*found, *(a for series in drawn for a in series["anomalies"])):
        for name in NAMES:
            document.pop(name)
    return sorted(found, key=lambda document: str(document["id"])), drawn


def post(service: Served, path: str, **arguments: Any) -> dict[str, Any]:
    answer = service.http.post(path, **arguments)
    assert answer.is_success, answer.text
    parsed: dict[str, Any] = answer.json()
    return parsed


@pytest.mark.slow
def test_a_killed_service_ends_with_the_documents_of_an_undisturbed_one(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    kills = 0

    def kill(service: Served) -> None:
        nonlocal kills
        time.sleep(chance.random() * 0.4)
        service.end(signal.SIGKILL)
        kills += 1
        service.start()

    with served(tmp_path / "calm") as service:
        expected = carry_out(service, lambda _: None)
    with served(tmp_path / "killed") as service:
        assert carry_out(service, kill) == expected
    assert kills == 3
    assert len(expected[0]) >= len(range(0, SERIES, 7))
