"""Ten kills of a working service: nothing is lost, nothing is doubled, and messages stay the same.

The worker process and its pool's children are killed while runs are in plan, detect and publish;
afterwards every document equals that of a house which nobody disturbed.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from service.accept import AskedDetection, Limits, accept_detection
from service.database.deliveries import Delivery, DeliveryFilter, list_deliveries
from service.database.engine import Database
from service.database.runs import Run, get_run
from service.database.sources import put_source
from service.ranges import AskedRange
from service.secret_box import SecretBox
from storage.index import AnomalyQuery
from storage.objects import Objects
from storage.source import SourceSpec
from storage.stores import Stores, open_stores
from tests.conftest import ROOT
from tests.service.databases import opened
from tests.service.hooks import put_webhook
from tests.service.receiver import Receiver, receiving
from tests.service.worker_process import KEY
from tests.workflows.world import END, SOURCE, START, THRESHOLD, storage_settings, write_daily

SEED = 20
RUNS = 5
STAGES = ("plan", "detect", "publish")
SERIES = 40
# Names differ between two houses, and so do times of writing; what is said must not.
NAMES = ("run", "generation", "written_at_ms")


@dataclass
class House:
    """One data folder with a receiver, and the worker that serves it."""

    root: Path
    database: Database
    stores: Stores
    receiver: Receiver
    runs: list[Run] = field(default_factory=list)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.service.worker_process", str(self.root)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()

    def kill_child(self, chance: random.Random) -> bool:
        """Kill a process of the pool; False when there is none (yet)."""
        assert self.process is not None
        servers = psutil.Process(self.process.pid).children()
        pool = [child for server in servers for child in server.children()]
        if not pool:
            return False
        try:
            chance.choice(pool).kill()
        except psutil.NoSuchProcess:
            return False
        return True

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            assert self.process.wait(30) == 0

    def accept(self) -> None:
        """All runs at once; they run one after the other."""
        for number in range(RUNS):
            asked = AskedDetection(
                source=SourceSpec(SOURCE),
                metrics=("ndcg",),
                range=AskedRange(last="7d"),
                detector=THRESHOLD,
                body={},
                rule=f"rule-{number}",
                notify={
                    "channels": ["chat"],
                    "on": ["anomaly", "succeeded", "failed", "partial"],
                    "min_severity": "warning",
                    "max_age": "7d",
                },
            )
            limits = Limits(run_deadline_hours=1e5)  # the data is old, and so is the acceptance
            self.runs.append(accept_detection(self.database, asked, "ann", END, limits).run)

    def state(self, run: Run) -> str:
        with self.database.read() as tx:
            found = get_run(tx, run.id)
        assert found is not None
        return found.state

    def deliveries(self) -> list[Delivery]:
        with self.database.read() as tx:
            return list_deliveries(tx, DeliveryFilter(), 1000)


@contextmanager
def house(root: Path) -> Iterator[House]:
    storage = storage_settings(root)
    with opened("sqlite", root) as database, open_stores(storage) as stores, receiving() as got:
        write_daily(stores, SERIES)
        with database.write() as tx:
            put_source(tx, SOURCE, "managed", "UTC", {"kind": "managed"}, END)
            put_webhook(tx, SecretBox(KEY), got.url, END)
        house = House(root, database, stores, got)
        house.accept()
        house.start()
        try:
            yield house
            house.stop()
        finally:
            if house.process is not None and house.process.poll() is None:
                house.kill()


def wait_until(done: Any, seconds: float = 90.0) -> None:
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit, "it takes too long"
        time.sleep(0.005)


def stage_of(objects: Objects, run: str) -> str:
    """What a run is in, from what it has committed."""
    prefix = f"runs/{run}"
    if objects.get_or_none(f"{prefix}/report.json") is not None:
        return "done"
    if objects.get_or_none(f"{prefix}/request.json") is None:
        return "waiting"
    if objects.get_or_none(f"{prefix}/plan.json") is None:
        return "plan"
    plan = json.loads(objects.get(f"{prefix}/plan.json"))
    chunks = list(objects.names(f"{prefix}/chunk/"))
    return "detect" if len(chunks) < len(plan["body"]["chunks"]) else "publish"


def disturb(house: House, chance: random.Random) -> int:
    """Two kills for each run, each in a stage drawn by lot; returns how many there were."""
    kills = 0
    order = ("waiting", *STAGES, "done")
    for number, run in enumerate(house.runs):
        for stage in sorted(chance.sample(STAGES, 2), key=STAGES.index):
            wait_until(
                lambda run=run, stage=stage: (
                    order.index(stage_of(house.stores.objects, run.id)) >= order.index(stage)
                )
            )
            time.sleep(chance.random() * 0.03)
            if number % 2 or not house.kill_child(chance):
                house.kill()
                house.start()
            kills += 1
    return kills


def finish(house: House) -> None:
    wait_until(lambda: all(house.state(run) == "succeeded" for run in house.runs))
    wait_until(lambda: all(one.state == "sent" for one in house.deliveries()))


def anomalies(house: House) -> list[dict[str, Any]]:
    """Everything in the index but names and times of writing."""
    found, cursor = [], None
    while True:
        page = house.stores.index.search_anomalies(AnomalyQuery(source=SOURCE), 500, cursor)
        found += [asdict(anomaly) for anomaly in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    for document in found:
        for name in NAMES:
            del document[name]
    return sorted(found, key=lambda document: str(document["id"]))


def results(house: House) -> list[list[tuple[Any, ...]]]:
    """Every row of the archive's results, by rule."""
    kept = ["series", "ts", "value", "expected", "lower", "upper", "is_anomaly", "status"]
    tables = [
        house.stores.archive.read_results(SOURCE, f"rule-{number}", START, END)
        for number in range(RUNS)
    ]
    return [
        sorted(tuple(row.values()) for row in table.select(kept).to_pylist()) for table in tables
    ]


def said(house: House) -> list[tuple[int, str, list[str]]]:
    """What the channel was told: rule, event, anomalies of the rows shown."""
    number_of = {run.id: number for number, run in enumerate(house.runs)}
    return sorted(
        (
            number_of[one.run],
            one.event,
            [row["anomaly"] for row in json.loads(one.body)["data"].get("rows", [])],
        )
        for one in house.deliveries()
    )


@pytest.mark.slow
def test_a_house_killed_ten_times_says_what_an_undisturbed_one_says(tmp_path: Path) -> None:
    with house(tmp_path / "calm") as calm:
        finish(calm)
        expected = anomalies(calm), results(calm), said(calm)
    assert len(expected[0]) == SERIES * RUNS
    with house(tmp_path / "shaken") as shaken:
        assert disturb(shaken, random.Random(SEED)) == 2 * RUNS
        finish(shaken)
        assert (anomalies(shaken), results(shaken), said(shaken)) == expected
        queued = {one.id: one.body.encode() for one in shaken.deliveries()}
    assert {got.id for got in shaken.receiver.got} == queued.keys()
    assert all(got.body == queued[got.id] for got in shaken.receiver.got)
