"""How many points a second one core takes in while detections run.

    python -m benchmarks.ingest [seconds] [points per request] [days] [seconds between detections]

One `serve` with everything embedded and a pool of one process, all held to one core; the client has
another one. It posts daily points as JSON, so many days of each series (1 by default), each request
when the one before was stored and searchable, and goes on with the next days of the same series.
Meanwhile detections over an older source are asked for, one a second unless the one before takes
longer; with 0 seconds between them they leave the core no pause at all.
Prints points a second, the processor time of a million points, and the detections that ended.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tests.service.served import Served, served

DAYS_JUDGED, SERIES_JUDGED = 100, 200
FIRST = date(2000, 6, 1)


def points(series: int, days: range) -> list[dict[str, Any]]:
    """Some days of so many series."""
    seed = days.start
    values = np.random.default_rng(seed).normal(0.4, 0.02, (series, len(days))).round(5)
    times = [f"{FIRST + timedelta(days=day)}T00:00:00Z" for day in days]
    return [
        {"metric": "ndcg@10", "labels": {"item": str(one)}, "time": time, "value": value}
        for one, row in enumerate(values.tolist())
        for time, value in zip(times, row, strict=True)
    ]


def store(service: Served, source: str, batch: list[dict[str, Any]]) -> None:
    """Post points and return when they are searchable."""
    ingest = service.post(f"/v1/sources/{source}/points", json={"points": batch})
    while ingest["ended_at"] is None:
        ingest = service.http.get(f"/v1/ingests/{ingest['id']}?wait=60s").json()
    if ingest["state"] != "succeeded":
        raise SystemExit(f"an ingest failed: {ingest}")


def judge(service: Served, pause: float, over: threading.Event, ended: list[str]) -> None:
    """One detection after the other, over points that were there before."""
    body = {"source": "judged", "metric": "*", "rule": "beside",
            "range": {"start": "2000-09-01", "end": "2000-09-08"},
            "detector": {"type": "window"}}  # fmt: skip
    while not over.is_set():
        asked = time.monotonic()
        run = service.post("/v1/detections", json=body)
        while run["ended_at"] is None:
            run = service.http.get(f"/v1/detections/{run['id']}?wait=60s").json()
        ended.append(run["state"])
        over.wait(max(0.0, asked + pause - time.monotonic()))


def seconds_of(process: psutil.Process) -> float:
    """Processor time of a service and its pool."""
    family = [process, *process.children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in family)


def measured(
    service: Served, seconds: float, at_once: int, days: int, pause: float
) -> Mapping[str, float]:
    """What was stored meanwhile, and what it cost."""
    process = psutil.Process(service.pid)
    store(service, "judged", points(SERIES_JUDGED, range(DAYS_JUDGED)))
    each = max(1, at_once // days)
    store(service, "filled", points(each, range(days)))  # what is loaded at first use is loaded
    over, ended = threading.Event(), list[str]()
    beside = threading.Thread(target=judge, args=(service, pause, over, ended))
    beside.start()
    sent, making, reached = 0, 0.0, days
    spent, began = seconds_of(process), time.perf_counter()
    while time.perf_counter() - began - making < seconds:
        paused = time.perf_counter()
        batch = points(each, range(reached, reached + days))
        making += time.perf_counter() - paused  # the client's own work, beside a waiting service
        store(service, "filled", batch)
        sent, reached = sent + len(batch), reached + days
    wall, spent = time.perf_counter() - began - making, seconds_of(process) - spent
    over.set()
    beside.join()
    if set(ended) - {"succeeded"}:
        raise SystemExit(f"detections ended {set(ended)}")
    return {"points": sent, "seconds": wall, "cpu": spent, "runs": len(ended)}


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    at_once = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    days = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    pause = float(sys.argv[4]) if len(sys.argv) > 4 else 1.0
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        os.sched_setaffinity(0, cores[:1])  # what is started now stays there
        with served(Path(folder) / "data", {"LUPUS_PROCESSES": "1"}) as service:
            os.sched_setaffinity(0, cores[1:] or cores)
            found = measured(service, seconds, at_once, days, pause)
    print(
        f"{found['points']:,.0f} points in requests of {at_once:,} in {found['seconds']:.0f} s: "
        f"{found['points'] / found['seconds']:,.0f} points/s on one core, which also ended "
        f"{found['runs']:.0f} detections over {SERIES_JUDGED} series; "
        f"{found['cpu'] / found['points'] * 1e6:.0f} s of processor time for a million points "
        "and what ran beside them"
    )


if __name__ == "__main__":
    main()
