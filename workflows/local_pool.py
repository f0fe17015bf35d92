"""The process pool of the local launcher, which survives whatever happens to its workers.

pebble loses only the task of a worker that dies. Two things break a whole pool: an idle worker
that is killed, and one that is killed while it takes a task (its lock stays held). Both are
noticed here, and the pool is made anew; its tasks then end as lost, and are tried again.
"""

import contextlib
import itertools
import logging
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

import psutil
from pebble import ProcessExpired, ProcessPool

from workflows.failure import LOG_LINES
from workflows.local_worker import LOG_FILE, OUT_OF_MEMORY_EXIT, LocalTask, start_worker, work
from workflows.step_entry import StepCall, StepOutcome, StepWorld

START_SECONDS = 20.0  # a try that no worker has taken after this long: the pool hangs
_TICK_SECONDS = 1.0
_FOLDER = "lupus-pool-"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lost:
    """A try whose worker is gone: what ended it, and the last lines of its log."""

    reason: str
    log: tuple[str, ...] = ()


Ended = StepOutcome | Lost | None  # None: cancelled
Done = Callable[[Ended], None]
StepFuture = Future[StepOutcome]


@dataclass(eq=False)
class Ticket:
    """A submitted try."""

    task: LocalTask
    done: Done
    future: StepFuture | None = None
    submitted: float = 0.0  # to the pool, on the monotonic clock
    cancelled: bool = False


class LocalPool:
    """Processes that run steps; give it no more than ``size`` tries at once.

    One thread, the keeper, does all: it makes the pool (the fork server dies with the thread that
    started it), hands tries to it, and tells how they ended.
    """

    def __init__(self, world: StepWorld, size: int) -> None:
        self.size = size
        self._world = world
        self._folder = _make_folder(world.storage.scratch)
        self._numbers = itertools.count(1)
        self._submitted: SimpleQueue[Ticket] = SimpleQueue()
        self._open: list[Ticket] = []
        self._wake = threading.Event()
        self._closed = False
        self._pool: ProcessPool | None = None
        self._keeper = threading.Thread(target=self._keep, name="pool-keeper", daemon=True)
        self._keeper.start()

    def submit(self, call: StepCall, done: Done) -> Ticket:
        """Start a try; ``done`` is called once, from the keeper's thread."""
        scratch = self._folder / f"{next(self._numbers):06d}"
        ticket = Ticket(LocalTask(call, self._world, scratch, os.getpid()), done)
        self._submitted.put(ticket)
        self._wake.set()
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """End a try at once; its worker is replaced."""
        ticket.cancelled = True
        future = ticket.future
        if future is not None:
            future.cancel()
        self._wake.set()

    def close(self) -> None:
        """End all workers and return; nobody hears of open tries any more."""
        self._closed = True
        self._wake.set()
        self._keeper.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _keep(self) -> None:
        while not self._closed:
            try:
                self._turn()
            except Exception:  # without this thread every try would wait for ever
                logger.exception("the process pool cannot be kept; it is looked after again")
            self._wake.wait(_TICK_SECONDS)
            self._wake.clear()
        _stop(self._pool)

    def _turn(self) -> None:
        if self._is_broken():
            self._renew()
        self._open.extend(_drain(self._submitted))
        for ticket in list(self._open):
            self._attend(ticket)

    def _attend(self, ticket: Ticket) -> None:
        if ticket.future is None:
            if ticket.cancelled:
                self._end(ticket, None)
            else:
                self._schedule(ticket)
        elif ticket.future.done():
            self._end(ticket, _ended(ticket.future, ticket.task))
        elif ticket.cancelled:
            ticket.future.cancel()  # it was asked while the try was being scheduled

    def _schedule(self, ticket: Ticket) -> None:
        if self._pool is None:  # it does not start; it is tried again at the next tick
            return
        try:
            ticket.task.scratch.mkdir(parents=True)
        except FileExistsError:
            pass  # the pool broke when it was to take this try
        except OSError as error:
            self._end(ticket, Lost(f"its scratch folder cannot be made: {error.strerror}"))
            return
        try:
            future: StepFuture = self._pool.schedule(
                work, args=[ticket.task], timeout=self._world.settings.task_timeout_seconds
            )
        except RuntimeError:
            self._wake.set()  # the pool has just broken: once more with a new one
            return
        ticket.future, ticket.submitted = future, time.monotonic()
        future.add_done_callback(lambda _: self._wake.set())

    def _end(self, ticket: Ticket, ended: Ended) -> None:
        self._open.remove(ticket)
        shutil.rmtree(ticket.task.scratch, ignore_errors=True)
        try:
            ticket.done(ended)
        except Exception:
            logger.exception("what a try ended with could not be told; the pool goes on")

    def _is_broken(self) -> bool:
        if self._pool is None or not self._pool.active:
            return True
        late = time.monotonic() - START_SECONDS
        return any(
            ticket.future is not None
            and ticket.submitted < late
            and not ticket.future.running()
            and not ticket.future.done()
            for ticket in self._open
        )

    def _renew(self) -> None:
        if self._pool is not None:
            logger.warning("the process pool is broken; making a new one")
            _stop(self._pool)
            for ticket in [t for t in self._open if t.future is not None and not t.future.done()]:
                self._end(ticket, Lost("the process pool broke", _tail(ticket.task)))
        self._pool = self._started()

    def _started(self) -> ProcessPool | None:
        """A new pool, or None where its processes cannot be made now (out of memory)."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["workflows.preload"])
        pool = ProcessPool(
            self.size,
            max_tasks=self._world.settings.max_tasks_per_worker,
            initializer=start_worker,
            context=context,
        )
        try:
            if pool.active:  # asking starts it
                return pool
        except (BrokenProcessPool, OSError):
            logger.exception("the process pool does not start")
        else:
            logger.error("the process pool does not start")
        _stop(pool)
        return None


def _drain(queue: "SimpleQueue[Ticket]") -> Iterator[Ticket]:
    with contextlib.suppress(Empty):
        while True:
            yield queue.get_nowait()


def _stop(pool: ProcessPool | None) -> None:
    if pool is not None:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _ended(future: StepFuture, task: LocalTask) -> Ended:
    try:
        return future.result()
    except CancelledError:
        return None
    except FutureTimeoutError:
        limit = task.world.settings.task_timeout_seconds
        return Lost(f"took longer than {limit:g} s", _tail(task))
    except ProcessExpired as error:
        return Lost(_cause(error.exitcode), _tail(task))
    except Exception as error:  # noqa: BLE001 - pebble's own troubles; the try is lost
        return Lost(f"the process pool failed: {error!r}", _tail(task))


def _cause(code: int) -> str:
    if code == OUT_OF_MEMORY_EXIT:
        return "its worker was out of memory"
    if code < 0:
        return f"its worker was killed by {signal.Signals(-code).name}"
    return f"its worker ended with exit code {code}"


def _tail(task: LocalTask) -> tuple[str, ...]:
    try:
        with (task.scratch / LOG_FILE).open(errors="replace") as file:
            return tuple(line.rstrip("\n") for line in deque(file, LOG_LINES))
    except OSError:
        return ()


def _make_folder(parent: Path | None) -> Path:
    """A scratch folder of this driver; those of drivers that were killed are removed."""
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    root = Path(parent or tempfile.gettempdir())
    for folder in root.glob(f"{_FOLDER}*"):
        owner = folder.name.removeprefix(_FOLDER).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=root))
