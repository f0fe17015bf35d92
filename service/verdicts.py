"""Tells the index what people said; the database, which is told first, decides."""

import logging

from service.database.engine import Database
from service.database.verdicts import get_verdict, mark_told, untold_verdicts
from storage.errors import StorageError
from storage.index import Anomaly, Index

_AT_ONCE = 200
# What was said a moment ago is being told by whoever was asked.
_LATE_MS = 60_000
logger = logging.getLogger(__name__)


def tell_verdict(database: Database, index: Index, anomaly: str) -> Anomaly | None:
    """Bring one document up to date; None when the index does not have it.

    Two at once: each ends only when what it wrote is still what was said last.
    """
    while True:
        with database.read() as tx:
            said = get_verdict(tx, anomaly)
        if said is None:
            return None
        shown = index.set_verdict(anomaly, said.verdict, said.comment, said.caller, said.at_ms)
        with database.write() as tx:
            if mark_told(tx, said):
                return shown


def tell_late_verdicts(database: Database, index: Index, now_ms: int) -> int:
    """Repair what a crash or an absent index left untold; returns how many."""
    told = 0
    while True:
        with database.read() as tx:
            late = untold_verdicts(tx, now_ms - _LATE_MS, _AT_ONCE)
        try:
            for anomaly in late:
                tell_verdict(database, index, anomaly)
                told += 1
        except StorageError as error:
            logger.warning("%d verdicts are not in the index yet: %s", len(late), error)
            return told
        if len(late) < _AT_ONCE:
            return told
