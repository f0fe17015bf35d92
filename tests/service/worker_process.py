"""A real worker with its own pool, to be killed: ``python -m tests.service.worker_process DIR``."""

import logging
import sys
import threading
from pathlib import Path

from service.clock import SystemClock
from service.database.engine import open_database
from service.egress.egress import Egress
from service.egress.transport import open_client
from service.secret_box import SecretBox
from service.worker.identity import process_identity
from service.worker.loop import Worker
from service.worker.parts import WorkerParts
from service.worker.settings import WorkerSettings
from storage.stores import open_stores
from tests.service.databases import sqlite_url
from tests.workflows.world import storage_settings
from workflows.local import LocalLauncher
from workflows.settings import WorkflowSettings

PACE = WorkerSettings(look_ms=100, poll_ms=200, slots=1, first_backoff_ms=50)
# Several chunks for 40 short series.
STEPS = WorkflowSettings(processes=2, group_points=300, local_chunk_seconds=1e-9)
KEY = "k" * 32


def work(root: Path) -> None:
    """Until this process is killed, or its standard input ends."""
    storage = storage_settings(root)
    database = open_database(sqlite_url(root))
    with open_stores(storage) as stores, open_client(Egress(loopback=True)) as client:
        launcher = LocalLauncher(storage, STEPS)
        worker = Worker(
            WorkerParts(
                database=database,
                stores=stores,
                launcher=launcher,
                clock=SystemClock(),
                box=SecretBox(KEY),
                client=client,
                holder=process_identity(),
                steps=STEPS,
                settings=PACE,
            )
        )
        worker.start()
        sys.stdin.read()
        worker.stop()
        launcher.close()
    database.close()


if __name__ == "__main__":
    logging.basicConfig(level="WARNING")
    threading.current_thread().name = "main"
    work(Path(sys.argv[1]))
