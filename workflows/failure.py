"""Why a step failed, kept beside its run: pods and workers vanish, the run's page does not."""

import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from storage.errors import ExistsError, StorageError
from storage.objects import Objects
from workflows.codec import dump, load
from workflows.commits import new_nonce

FAILURE_FORMAT = 1
LOG_LINES = 50
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """One failed try of a step, with the last lines of its log."""

    step: str
    attempt: int
    kind: str  # name of the exception, or what ended the process
    message: str
    transient: bool
    at_ms: int
    chunk: int | None = None
    pointer: str = ""  # JSON pointer of the request's field at fault, if one is
    log: tuple[str, ...] = ()


def record_failure(objects: Objects, root: str, failure: Failure, nonce: str = "") -> None:
    """Keep a failure below ``<root>/failure/``; a store that cannot take it is only logged.

    The same ``nonce`` again is a no-op: several observers may tell of the same failure.
    """
    name = f"{root}/failure/{failure.step}-{nonce or new_nonce()}.json"
    try:
        with contextlib.suppress(ExistsError):
            objects.create(name, dump(failure, FAILURE_FORMAT))
    except StorageError:
        logger.exception("the failure of %s could not be kept", failure.step)


def read_failures(objects: Objects, root: str) -> Sequence[Failure]:
    """All failures of a run or an ingest, oldest first."""
    names = list(objects.names(f"{root}/failure/"))
    found = [load(Failure, objects.get(name), FAILURE_FORMAT) for name in names]
    return sorted(found, key=lambda failure: failure.at_ms)


class LastLines(logging.Handler):
    """Keeps the last lines that a step logged."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        self._lines: deque[str] = deque(maxlen=LOG_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.extend(self.format(record).splitlines()[-LOG_LINES:])

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(self._lines)
