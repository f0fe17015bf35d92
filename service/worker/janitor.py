"""Cleans up: what runs left behind, payloads that were never accepted, old records."""

import logging

from service.api.times import rfc3339
from service.clock import DAY_MS
from service.database import retention
from service.database.audit import SERVICE, forget_changes, record_change
from service.database.idempotency import forget_old
from service.database.ingests import get_ingest
from service.database.ledger import forget_said
from service.database.queue import Job, forget_ended, put_back
from service.database.runs import ENDED, uncleaned_runs, update_run
from service.errors import DatabaseError
from service.identifier import made_ms
from service.verdicts import tell_late_verdicts
from service.worker.parts import WorkerParts
from storage.errors import StorageError

_AT_ONCE = 200
# An upload that takes longer than a day is not waited for; the other day is for a clock that was
# set forward by one and back again.
_ORPHAN_MS = 2 * DAY_MS
logger = logging.getLogger(__name__)


def tick_janitor(parts: WorkerParts, job: Job) -> None:
    """Everything that is due, then sleep; each piece can be done again.

    A store that is away, or that refuses to delete, does not keep the others from being cleaned.
    """
    now_ms = parts.clock.now_ms()
    trouble: Exception | None = None
    for piece in (
        _remove_run_folders,
        _remove_ingest_folders,
        _tidy_archive,
        _tell_late_verdicts,
        _forget,
    ):
        try:
            piece(parts, now_ms)
        except (StorageError, DatabaseError, OSError) as error:
            logger.warning("janitor: %s: %s", piece.__name__.strip("_").replace("_", " "), error)
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    with parts.database.write() as tx:
        put_back(tx, job, now_ms, parts.settings.janitor_ms)


def _tidy_archive(parts: WorkerParts, now_ms: int) -> None:
    removed = parts.stores.archive.tidy(now_ms - DAY_MS)
    if removed:
        logger.info("janitor: dropped %d tables of killed writes and scans", removed)


def _tell_late_verdicts(parts: WorkerParts, now_ms: int) -> None:
    tell_late_verdicts(parts.database, parts.stores.index, now_ms)


def _forget(parts: WorkerParts, now_ms: int) -> None:
    rows_before_ms = now_ms - parts.settings.retention_rows_ms
    with parts.database.write() as tx:
        forget_old(tx, now_ms)
        forget_ended(tx, now_ms - parts.settings.retention_runs_ms)
        forget_said(tx, rows_before_ms)
        rows = retention.forget_rows(tx, rows_before_ms)
        changes = forget_changes(tx, now_ms - parts.settings.retention_audit_ms)
        if rows or changes:
            detail = {"rows": rows, "audit": changes, "before": rfc3339(rows_before_ms)}
            record_change(tx, now_ms, SERVICE, "records.forget", "database", detail)


def _remove_run_folders(parts: WorkerParts, now_ms: int) -> None:
    before_ms = now_ms - parts.settings.retention_runs_ms
    while True:
        with parts.database.read() as tx:
            runs = uncleaned_runs(tx, before_ms, _AT_ONCE)
        for run in runs:
            parts.stores.objects.delete_prefix(f"runs/{run}/")
        with parts.database.write() as tx:
            for run in runs:
                update_run(tx, run, states=ENDED, cleaned_ms=now_ms)
        if len(runs) < _AT_ONCE:
            return


def _remove_ingest_folders(parts: WorkerParts, now_ms: int) -> None:
    """Payloads nobody accepted in time, and those whose ingest ended long ago."""
    names = parts.stores.objects.names("ingest/")
    for ingest_id in sorted({name.split("/")[1] for name in names}):
        with parts.database.read() as tx:
            ingest = get_ingest(tx, ingest_id)
        if ingest is None:
            old = made_ms(ingest_id) < now_ms - _ORPHAN_MS
        else:
            old = (
                ingest.ended and (ingest.ended_ms or 0) < now_ms - parts.settings.retention_runs_ms
            )
        if old:
            parts.stores.objects.delete_prefix(f"ingest/{ingest_id}/")
