"""A worker of this process: started, and stopped as soon as the process is told to end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from service.api.resources import Resources
from service.auth.report_key import report_keys
from service.clock import DAY_MS
from service.egress.transport import open_client
from service.launching import open_launcher
from service.report.link import ReportLinks
from service.worker.loop import Worker
from service.worker.parts import WorkerParts
from service.worker.settings import WorkerSettings


@contextmanager
def working(resources: Resources, pace: WorkerSettings | None = None) -> Iterator[Worker]:
    """Run a worker with a launcher of its own."""
    settings = resources.settings
    pace = pace or WorkerSettings(
        retention_runs_ms=settings.retention_runs_days * DAY_MS,
        retention_rows_ms=settings.retention_run_rows_days * DAY_MS,
        retention_audit_ms=settings.retention_audit_days * DAY_MS,
        retention_index_months=settings.retention_index_months,
    )
    launching = open_launcher(resources, pace)
    try:
        with open_client(resources.egress, settings.ca_bundle) as client:
            worker = Worker(
                WorkerParts(
                    database=resources.database,
                    stores=resources.stores,
                    launcher=launching.launcher,
                    clock=resources.clock,
                    box=resources.box,
                    client=client,
                    kinds=resources.kinds,
                    holder=launching.holder,
                    shared=launching.shared,
                    public_url=settings.public_url.rstrip("/"),
                    reports=ReportLinks(
                        settings.public_url, report_keys(resources.box, settings.report_link_days)
                    ),
                    steps=settings.steps,
                    settings=launching.pace,
                    scratch=settings.scratch_folder,
                )
            )
            worker.start()
            stopper = threading.Thread(
                target=_stop_when_told, args=(resources.stopping, worker), name="worker-stopper"
            )
            stopper.start()
            try:
                yield worker
            finally:
                resources.stopping.set()
                stopper.join()
    finally:
        launching.launcher.close()


def _stop_when_told(stopping: threading.Event, worker: Worker) -> None:
    stopping.wait()
    worker.stop()
