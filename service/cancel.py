"""Cancels a run: one that waits at once, one that runs by a commit that its publish respects."""

from service import measures
from service.database.audit import record_change
from service.database.engine import Database
from service.database.queue import drop_job, wake_key
from service.database.runs import ACTIVE, Run, get_run, update_run
from service.errors import ConflictError, UnknownError
from storage.objects import Objects
from workflows.errors import AlreadyPublishedError
from workflows.status import cancel as commit_cancel


def cancel_run(database: Database, objects: Objects, run_id: str, caller: str, now_ms: int) -> Run:
    """End a run; ConflictError once it is over or published. Again is a no-op.

    The state of a run that runs changes when its worker notices, which is soon.
    """
    if (waiting := _cancel_waiting(database, run_id, caller, now_ms)) is not None:
        return waiting
    try:
        commit_cancel(objects, run_id)
    except AlreadyPublishedError:
        raise ConflictError(
            f"run {run_id} has published its results and cannot be cancelled"
        ) from None
    with database.write() as tx:
        run = _existing(get_run(tx, run_id, hold=True), run_id)
        if run.ended and run.state != "cancelled":
            raise _over(run)  # it ended on its own while its commits were asked
        if run.cancel_ms is None:
            update_run(tx, run_id, (*ACTIVE, "cancelled"), cancel_ms=now_ms)
            record_change(tx, now_ms, caller, "run.cancel", run_id)
            wake_key(tx, now_ms, f"run:{run_id}")
        return _existing(get_run(tx, run_id), run_id)


def _cancel_waiting(database: Database, run_id: str, caller: str, now_ms: int) -> Run | None:
    """The run when nothing is left to do; None when its commits must say so."""
    with database.write() as tx:
        run = _existing(get_run(tx, run_id, hold=True), run_id)
        if run.state == "cancelled":
            return run
        if run.ended:
            raise _over(run)
        if run.state != "queued":
            return None
        update_run(
            tx,
            run_id,
            state="cancelled",
            cancel_ms=now_ms,
            # A clock that stepped back must not end a run before it began.
            ended_ms=max(now_ms, run.accepted_ms),
        )
        drop_job(tx, f"run:{run_id}")
        measures.run_ended(run.detector, "cancelled", {}, None)
        record_change(tx, now_ms, caller, "run.cancel", run_id)
        return _existing(get_run(tx, run_id), run_id)


def _over(run: Run) -> ConflictError:
    return ConflictError(f"run {run.id} is over ({run.state}) and cannot be cancelled")


def _existing(run: Run | None, run_id: str) -> Run:
    if run is None:
        raise UnknownError(f"run {run_id} does not exist, or you may not see it")
    return run
