"""Carries out a small ingest on the caller's own thread, or waits for the worker that has it."""

from service.clock import Clock
from service.database.engine import Database
from service.database.ingests import Ingest, get_ingest
from service.database.queue import Job, Leaser, lease_one
from service.errors import LeaseLostError, UnknownError
from service.worker.identity import process_identity
from service.worker.ingest_tick import carry_out
from service.worker.settings import WorkerSettings
from storage.stores import Stores
from workflows.context import StepContext
from workflows.settings import WorkflowSettings

_LOOK_SECONDS = 0.2


def ingest_now(
    database: Database,
    stores: Stores,
    steps: WorkflowSettings,
    ingest: str,
    clock: Clock,
    patience_ms: int = 20_000,
) -> Ingest:
    """The ingest as it is when it is over, or when patience is: then a worker goes on with it.

    Ingests of one source go one after another, so this one may have to wait for its turn.
    """
    context = StepContext(stores.objects, steps, clock.now_ms, stores)
    leaser = Leaser(f"{process_identity()}/inline-{ingest}", "")
    pace = WorkerSettings()
    give_up_ms = clock.passed_ms() + patience_ms
    while True:
        rung = database.bell.count
        with database.write() as tx:
            found = get_ingest(tx, ingest)
            if found is None:
                raise UnknownError(f"ingest {ingest} does not exist")
            job = None
            # After a failed try the worker's backoff decides when there is another.
            if not found.ended and not found.error:
                job = lease_one(tx, leaser, f"ingest:{ingest}", clock.now_ms(), pace.lease_ms)
        if job is not None:
            _work(database, context, clock, job, pace)
        elif found.ended or found.error or clock.passed_ms() >= give_up_ms:
            return found
        else:
            database.bell.wait(rung, _LOOK_SECONDS)


def _work(
    database: Database, context: StepContext, clock: Clock, job: Job, pace: WorkerSettings
) -> None:
    try:
        carry_out(database, context, clock, job, pace)
    except LeaseLostError:
        return  # a worker took it over and has the answer
