"""Ingests under kill -9: what clients send, what a service was left with, point by point.

Values are a function of series and time, so that each stored point says whether it is right.
"""

import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from service.settings import load_settings
from storage.selector import Selector
from storage.source import SourceSpec
from storage.stores import open_stores
from tests.service.served import Served

SOURCE = "job.drill"
FIRST_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
STEP_MS = 300_000
FULL_SECONDS = 600


def value_of(series: Any, ts_ms: Any) -> Any:
    """The value of a series at a time."""
    return series * 1000.0 + (ts_ms - FIRST_MS) // STEP_MS % 977


def block(series: range, slots: range) -> pa.Table:
    """Points of some series at some slots of five minutes, series after series."""
    number = np.repeat(np.array(series), len(slots))
    ts = np.tile(FIRST_MS + np.array(slots) * STEP_MS, len(series))
    item = pa.array([f"i{one}" for one in series]).take(pa.array(number - series.start))
    return pa.table(
        {
            "metric": pa.repeat(pa.scalar("m"), len(ts)),
            "time": pa.array(ts, pa.timestamp("ms", "UTC")),
            "value": pa.array(value_of(number, ts)),
            "item": item,
        }
    )


def stored(folder: Path) -> tuple[int, int]:
    """How many points archive and index hold; every one of them must be right."""
    archived = drawn = 0
    with open_stores(load_settings(data=folder).stores) as stores:
        scan = stores.archive.scan(SourceSpec(SOURCE), Selector(("*",), 0, 2**50))
        items = np.array([int(dict(key.labels)["item"][1:]) for key in scan.keys])
        for batch in scan.batches:
            number, ts, value = (batch[name].to_numpy() for name in ("number", "ts", "value"))
            assert (value == value_of(items[number], ts)).all()
            archived += len(ts)
        for key, item in zip(scan.keys, items.tolist(), strict=True):
            for day in stores.index.points(SOURCE, [key.id], 0, 2**50):
                assert list(day.values) == value_of(item, np.array(day.ts_ms)).tolist()
                drawn += len(day.ts_ms)
    return archived, drawn


def send(service: Served, key: str, body: bytes | Path, kind: str, packed: bool = False) -> str:
    """Post points until they are accepted, whatever becomes of the service; the ingest's id."""
    headers = {"content-type": kind, "idempotency-key": key}
    headers |= {"content-encoding": "gzip"} if packed else {}
    give_up = time.monotonic() + FULL_SECONDS
    while True:
        try:
            with httpx2.Client(
                base_url=service.http.base_url, timeout=600, trust_env=False
            ) as http:
                content = body if isinstance(body, bytes) else pieces(body)
                path = f"/v1/sources/{SOURCE}/points"
                answer = http.post(path, content=content, headers=headers)
            if answer.is_success:
                return str(answer.json()["id"])
            assert answer.status_code in (429, 500, 502, 503), answer.text
        except httpx2.TransportError:
            pass  # it was killed
        assert time.monotonic() < give_up, f"{key} is not taken"
        time.sleep(0.1)


def pieces(path: Path) -> Iterator[bytes]:
    """A file as a body that is never whole in memory."""
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece


def crowd(service: Served, uploads: int, points: int, clients: int) -> list[str]:
    """Uploads of one series each, from many clients at once; the ids of their ingests."""

    def one(number: int) -> str:
        made = block(range(number, number + 1), range(points)).to_pylist()
        for row in made:
            row |= {"time": row["time"].isoformat(), "labels": {"item": row.pop("item")}}
        import json

        body = "\n".join(json.dumps(row) for row in made).encode()
        return send(service, f"upload-{number}", body, "application/x-ndjson")

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(one, range(uploads)))


def wait_for(service: Served, ids: list[str], seconds: float = FULL_SECONDS) -> int:
    """The points of ingests that must all succeed."""
    total = 0
    for id_ in ids:
        path = f"/v1/ingests/{id_}"
        ended = service.wait_for(path, lambda a: a.json().get("ended_at") is not None, seconds)
        assert ended.json()["state"] == "succeeded", ended.text
        total += ended.json()["points"]
    return total


@dataclass
class Killer:
    """Kills the service, or a process of its pool, at random."""

    service: Served
    seed: int
    pause: tuple[float, float]
    kills: int = 0

    @contextmanager
    def at_work(self, most: int) -> Iterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=self._work, args=(over, most))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _work(self, over: threading.Event, most: int) -> None:
        chance = random.Random(self.seed)
        while self.kills < most and not over.wait(chance.uniform(*self.pause)):
            pool = [
                child
                for child in psutil.Process(self.service.pid).children(recursive=True)
                if child.cpu_percent(0.05) > 10
            ]
            if pool and chance.random() < 0.5:
                chance.choice(pool).kill()
            else:
                self.service.end(signal.SIGKILL)
                self.service.start()
            self.kills += 1


@dataclass
class Memory:
    """The most that a service and each process below it has held at once, in MiB."""

    service: Served
    serve: float = 0.0
    below: float = 0.0

    @contextmanager
    def watched(self) -> Iterator["Memory"]:
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(over,))
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(0.1):
            try:
                process = psutil.Process(self.service.pid)
                self.serve = max(self.serve, process.memory_info().rss / 2**20)
                for child in process.children(recursive=True):
                    self.below = max(self.below, child.memory_info().rss / 2**20)
            except psutil.NoSuchProcess:
                continue


def large_file(folder: Path, kind: str, series: int, slots: int) -> Path:
    """A file of so many points, written in parts."""
    import gzip

    path = folder / f"large.{kind}"
    parts = (block(range(n, min(n + 10, series)), range(slots)) for n in range(0, series, 10))
    if kind == "parquet":
        with pq.ParquetWriter(path, block(range(1), range(1)).schema) as writer:
            for part in parts:
                writer.write_table(part)
        return path
    with gzip.open(path, "wb", compresslevel=1) as file:
        if kind == "csv":
            file.write(b"metric,time,value,item\n")
        for part in parts:
            times = np.datetime_as_string(part["time"].to_numpy(), "s").tolist()
            values, items = part["value"].to_pylist(), part["item"].to_pylist()
            rows = zip(times, values, items, strict=True)
            if kind == "csv":
                lines = [f"m,{t}Z,{v},{i}\n" for t, v, i in rows]
            else:
                lines = [
                    f'{{"metric":"m","time":"{t}Z","value":{v},"labels":{{"item":"{i}"}}}}\n'
                    for t, v, i in rows
                ]
            file.write("".join(lines).encode())
    return path
