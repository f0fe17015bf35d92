"""Keeps archive and index small: folds files, and removes months that nobody looks at any more."""

import logging
from datetime import UTC, datetime

from sqlalchemy import Connection

from service.clock import DAY_MS
from service.database.queue import Job, NewJob, add_job, finish, put_back
from service.months import months_ago_ms
from service.worker.parts import WorkerParts
from storage.errors import StorageError

logger = logging.getLogger(__name__)


def queue_compaction(tx: Connection, source: str, now_ms: int, delay_ms: int) -> None:
    """Fold the files of a source after a while; what is queued already serves for this, too."""
    add_job(tx, NewJob(f"compact:{source}", "compact", source), now_ms, now_ms + delay_ms)


def tick_compaction(parts: WorkerParts, job: Job) -> None:
    """Fold the partitions of a source that have many files."""
    removed = 0
    try:
        removed = parts.stores.archive.compact(job.source)
    except StorageError as error:
        if error.transient:
            raise
        # Nothing is gone, and runs that read the file name it; the next write asks for it again.
        logger.warning("archive of %s: not all is folded: %s", job.source, error)
    with parts.database.write() as tx:
        finish(tx, job)
    if removed:
        logger.info("archive of %s: %d files folded", job.source, removed)


def queue_expiry(tx: Connection, now_ms: int) -> None:
    """Begin looking for old months, once for all workers."""
    add_job(tx, NewJob("expire-index", "expire", ""), now_ms)


def tick_expiry(parts: WorkerParts, job: Job) -> None:
    """Remove the index's months that are older than wanted, then sleep for a day."""
    now_ms = parts.clock.now_ms()
    months = parts.settings.retention_index_months
    before_ms = months_ago_ms(datetime.fromtimestamp(now_ms / 1000, UTC), months)
    if months and before_ms is not None:
        for gone in parts.stores.index.expire(before_ms):
            logger.info("index: %s of %s removed, %d", gone.kind, gone.month, gone.documents)
    with parts.database.write() as tx:
        put_back(tx, job, now_ms, DAY_MS)
