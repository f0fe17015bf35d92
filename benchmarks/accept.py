"""What accepting a detection costs beside a bare FastAPI POST that inserts one row.

    python -m benchmarks.accept [requests] [clients ...]

Two processes of uvicorn on SQLite files of the same folder with the same synchronous setting. They
are asked in turns, so that what else the machine does falls on both, for each number of clients (1
and 32 by default). Prints the median of the turns: requests per second, the server's own processor
time per request, and both ratios; nothing is asserted.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median

import httpx2
import psutil

from service.demo.process import free_port
from tests.conftest import ROOT

TURNS = 5
BODY = {"source": "bench", "metric": "*", "range": {"start": "2026-06-01", "end": "2026-06-02"},
        "detector": {"type": "threshold", "upper": 2.5}}  # fmt: skip
BARE = """
import sqlite3, threading, sys, time, json, uuid
from typing import Any
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
class Body(BaseModel):
    source: str
    metric: str
    rule: str
    range: dict[str, str]
    detector: dict[str, Any]
local = threading.local()
def connection() -> sqlite3.Connection:
    if not hasattr(local, "opened"):
        local.opened = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
        local.opened.execute("PRAGMA journal_mode = WAL")
        local.opened.execute("PRAGMA synchronous = FULL")
        local.opened.execute("CREATE TABLE IF NOT EXISTS t (id TEXT PRIMARY KEY, body TEXT)")
    return local.opened
app = FastAPI()
@app.get("/readyz")
def ready() -> dict[str, str]:
    connection()
    return {}
@app.post("/v1/detections", status_code=202)
def create(body: Body) -> dict[str, str]:
    id = uuid.uuid4().hex
    connection().execute("INSERT INTO t VALUES (?, ?)", (id, body.model_dump_json()))
    return {"id": id}
uvicorn.run(app, port=int(sys.argv[2]), log_config=None, access_log=False)
"""


@contextmanager
def server(command: list[str], port: int, more: Mapping[str, str]) -> Iterator[psutil.Process]:
    """A process that answers at /readyz."""
    environment = {name: value for name, value in os.environ.items() if "LUPUS_" not in name}
    process = subprocess.Popen(
        command,
        env={**environment, "PYTHONPATH": str(ROOT), **more},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                url = f"http://127.0.0.1:{port}/readyz"
                if httpx2.get(url, trust_env=False).status_code == 200:
                    break
            except httpx2.TransportError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("the server does not start") from None
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def measured(
    process: psutil.Process, port: int, requests: int, clients: int, numbers: Callable[[], int]
) -> tuple[float, float]:
    """Requests a second, and the server's milliseconds of processor time for each."""
    each = max(1, requests // clients)
    refused: list[str] = []

    def ask(times: int) -> None:
        with httpx2.Client(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=120
        ) as one:
            for _ in range(times):
                answer = one.post("/v1/detections", json={**BODY, "rule": f"r{numbers()}"})
                if answer.status_code != 202:
                    refused.append(answer.text)

    ask(20)
    threads = [threading.Thread(target=ask, args=(each,)) for _ in range(clients)]
    spent, began = sum(process.cpu_times()[:2]), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if refused:
        raise SystemExit(f"{len(refused)} refused: {refused[0]}")
    done = each * clients
    return done / seconds, 1000 * (sum(process.cpu_times()[:2]) - spent) / done


def main() -> int:
    """Measure and print."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    clients = [int(number) for number in sys.argv[2:]] or [1, 32]
    numbers = count().__next__
    rows: list[tuple[float, ...]] = []
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "bare.py"
        script.write_text(BARE)
        port = free_port()
        bare = [sys.executable, str(script), f"{folder}/bare.db", str(port)]
        our_port = free_port()
        more = {
            "LUPUS_DATA": f"{folder}/data",
            "LUPUS_PORT": str(our_port),
            "LUPUS_LOG_LEVEL": "warning",
            "LUPUS_MAX_RUNS_IN_FLIGHT": "1000000",
        }
        ours = [sys.executable, "-m", "service.cli", "serve", "--no-worker"]
        with server(bare, port, {}) as theirs, server(ours, our_port, more) as mine:
            url = f"http://127.0.0.1:{our_port}/v1/sources/bench"
            httpx2.put(url, json={"kind": "managed"}, trust_env=False).raise_for_status()
            for some in clients:
                turns = [
                    (
                        *measured(theirs, port, requests // TURNS, some, numbers),
                        *measured(mine, our_port, requests // TURNS, some, numbers),
                    )
                    for _ in range(TURNS)
                ]
                rows.append((some, *(median(column) for column in zip(*turns, strict=True))))
    print("| clients | bare, requests/s | Lupus, requests/s | ratio | bare, ms of processor | "
          "Lupus, ms of processor | ratio |\n|---|---|---|---|---|---|---|")  # fmt: skip
    for amount, rate, cost, our_rate, our_cost in rows:
        print(
            f"| {amount:.0f} | {rate:,.0f} | {our_rate:,.0f} | **{rate / our_rate:.2f}** | "
            f"{cost:.2f} | {our_cost:.2f} | **{our_cost / cost:.2f}** |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
