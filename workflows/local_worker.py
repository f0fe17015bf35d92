"""What a process of the local pool does: one step after another, in a scratch folder of its own."""

import faulthandler
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import psutil
import pyarrow as pa

from workflows import tracing
from workflows.orphans import check_parents, die_with_parent
from workflows.step_entry import StepCall, StepOutcome, StepWorld, run_step

OUT_OF_MEMORY_EXIT = 137
_WATCH_SECONDS = 0.2
LOG_FILE = "step.log"


@dataclass(frozen=True)
class LocalTask:
    """A step for a worker. ``scratch`` is this try's own; the driver removes it afterwards."""

    call: StepCall
    world: StepWorld
    scratch: Path
    driver: int  # process id


def start_worker() -> None:
    """Prepare a new worker."""
    die_with_parent()
    tracing.start()
    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger("elastic_transport").setLevel(logging.WARNING)  # a line for each request


def work(task: LocalTask) -> StepOutcome:
    """Run a task; beyond its memory the worker ends itself, as the kernel would end it."""
    check = partial(check_parents, task.driver)
    check()
    world = replace(
        task.world, check=check, storage=replace(task.world.storage, scratch=task.scratch)
    )
    with _logging_to(task.scratch / LOG_FILE), _memory_watch(task.world.settings.worker_memory_mb):
        try:
            return run_step(task.call, world)
        finally:
            # Else an idle worker holds the most memory that any of its tasks needed.
            pa.default_memory_pool().release_unused()


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Log into a file, which outlives a killed worker; a crash leaves its stack there too."""
    file = path.open("a")
    handler = logging.StreamHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    faulthandler.enable(file)
    try:
        yield
    finally:
        faulthandler.disable()
        root.removeHandler(handler)
        handler.close()
        file.close()


@contextmanager
def _memory_watch(limit_mb: int) -> Iterator[None]:
    ended = threading.Event()
    process = psutil.Process()

    def watch() -> None:
        while not ended.wait(_WATCH_SECONDS):
            used_mb = process.memory_info().rss >> 20
            if used_mb > limit_mb:
                logging.getLogger(__name__).error(
                    "out of memory: %d MB in use, allowed are %d MB", used_mb, limit_mb
                )
                os._exit(OUT_OF_MEMORY_EXIT)

    thread = threading.Thread(target=watch, name="memory-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
