"""A house for workers: real database, real stores, a launcher that a test drives."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from service.accept import AskedDetection, Limits, accept_detection
from service.accept_ingest import accept_ingest, new_payload
from service.database.channels import Channel, get_channel
from service.database.deliveries import Delivery, DeliveryFilter, get_delivery, list_deliveries
from service.database.engine import Database
from service.database.ingests import Ingest, get_ingest
from service.database.queue import Leaser, lease
from service.database.runs import Run, get_run
from service.egress.egress import Egress
from service.egress.transport import open_client
from service.notifications.channels import GivenChannel, save_channel
from service.notifications.events import EVENTS
from service.notifications.kinds.kind import Given
from service.ranges import AskedRange
from service.report.link import ReportLinks
from service.secret_box import SecretBox
from service.worker.loop import TICKS
from service.worker.parts import WorkerParts
from service.worker.settings import WorkerSettings
from storage.settings import StorageSettings
from storage.source import SourceSpec
from storage.stores import open_stores
from tests.service.clocks import TurnedClock
from tests.service.databases import add_source, opened
from tests.service.fake_launcher import FakeLauncher
from workflows.codec import from_plain
from workflows.request import RunRequest

LEASE_MS = 30_000
POINT = b'{"points": [{"metric": "ndcg", "time": "2025-11-01", "value": 0.4}]}'


@dataclass
class World:
    """What a test turns and looks at; ``tick`` is one turn of a worker without its threads."""

    parts: WorkerParts
    clock: TurnedClock
    launcher: FakeLauncher
    holder: str = "pool-1"
    name: str = "w"

    @property
    def database(self) -> Database:
        return self.parts.database

    def accept(self, **changes: Any) -> Run:
        asked = AskedDetection(
            source=SourceSpec("shop", "Asia/Tokyo"),
            metrics=("ndcg",),
            range=AskedRange(last="7d"),
            detector={"type": "threshold", "lower": 0.3},
            body={},
            rule="daily",
        )
        wanted = replace(asked, **changes)
        return accept_detection(self.database, wanted, "ann", self.clock.now_ms(), Limits()).run

    def accept_points(self, body: bytes = POINT) -> Ingest:
        now_ms = self.clock.now_ms()
        payload = new_payload(now_ms, "json")
        self.parts.stores.objects.put(payload.name, body)
        return accept_ingest(self.database, "shop", payload, "ann", now_ms).ingest

    def tick(self, *kinds: str) -> str | None:
        """Lease one due job of these kinds and look at it; its key, or None when nothing is due."""
        with self.database.write() as tx:
            now_ms = self.clock.now_ms()
            job = lease(tx, Leaser(self.name, self.holder), kinds, now_ms, LEASE_MS)
        if job is None:
            return None
        TICKS[job.kind](replace(self.parts, holder=self.holder), job)
        return job.dedupe_key

    def settle(self, kind: str = "run", seconds: int = 1, ticks: int = 20) -> None:
        """Tick and let time pass until nothing is due any more."""
        for _ in range(ticks):
            while self.tick(kind):
                pass
            self.clock.advance(seconds * 1000)

    def run(self, run: Run) -> Run:
        with self.database.read() as tx:
            found = get_run(tx, run.id)
        assert found is not None
        return found

    def ingest(self, one: Ingest) -> Ingest:
        with self.database.read() as tx:
            found = get_ingest(tx, one.id)
        assert found is not None
        return found

    def request(self, run: Run) -> RunRequest:
        return from_plain(RunRequest, run.request)

    def webhook(self, url: str, name: str = "chat", events: tuple[str, ...] = EVENTS) -> str:
        return self.put_channel("webhook", Given({"url": url}), name, events)

    def put_channel(
        self, kind: str, given: Given, name: str = "chat", events: tuple[str, ...] = EVENTS
    ) -> str:
        """A channel of any kind; the secret that was made, if one was."""
        with self.database.write() as tx:
            wanted = GivenChannel(name, events, given)
            box, now_ms = self.parts.box, self.clock.now_ms()
            saved = save_channel(tx, box, self.parts.kinds[kind], wanted, now_ms)
        return saved.secret or ""

    def channel(self, name: str = "chat") -> Channel:
        with self.database.read() as tx:
            found = get_channel(tx, name)
        assert found is not None
        return found

    def deliveries(self, **which: Any) -> list[Delivery]:
        with self.database.read() as tx:
            return list_deliveries(tx, DeliveryFilter(**which), 1000)

    def delivery(self, id_: str) -> Delivery:
        with self.database.read() as tx:
            found = get_delivery(tx, id_)
        assert found is not None
        return found


@contextmanager
def world(root: Path, kind: str = "sqlite", pace: WorkerSettings | None = None) -> Iterator[World]:
    scratch = root / "scratch"
    scratch.mkdir()
    storage = StorageSettings(
        archive=f"file://{root}/archive",
        index=f"sqlite:///{root}/index.db",
        objects=f"file://{root}/objects",
        scratch=scratch,
    )
    with ExitStack() as stack:
        database = stack.enter_context(opened(kind, root))
        stores = stack.enter_context(open_stores(storage))
        client = stack.enter_context(open_client(Egress(loopback=True), timeout_seconds=2.0))
        add_source(database, timezone="Asia/Tokyo")
        clock = TurnedClock()
        launcher = FakeLauncher(stores.objects)
        parts = WorkerParts(
            database=database,
            stores=stores,
            launcher=launcher,
            clock=clock,
            box=SecretBox("k" * 32),
            client=client,
            holder="pool-1",
            public_url="https://lupus.example",
            reports=ReportLinks("https://lupus.example"),
            settings=pace or WorkerSettings(),
        )
        yield World(parts, clock, launcher)
