"""Runs one step by hand, in a pod or in a pool worker: ``lupus-server step plan RUN``.

Exit codes: 0 ok, 75 transient (try again), 65 permanent, 66 nothing to publish, 143 stopped by
SIGTERM after finishing the series in work. Needs no database and no web framework; detect and
note open the objects only.
"""

import argparse
import logging
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from storage.errors import InvalidError, StorageError
from storage.settings import StorageSettings, settings_from, whole_number
from storage.stores import Stores, open_objects, open_stores
from workflows import tracing
from workflows.chunk import Plan
from workflows.commits import nothing, run_root
from workflows.context import StepContext
from workflows.cores import usable_processes
from workflows.detect import detect
from workflows.errors import (
    PERMANENT_EXIT,
    BadRequestError,
    CancelledError,
    NoPlanError,
    OrphanedError,
    StoppedError,
    WorkflowError,
    exit_code,
)
from workflows.failure import Failure, LastLines, record_failure
from workflows.ingest_job import ingest_job
from workflows.note import note
from workflows.plan import chunks_to_launch, plan
from workflows.publish import publish
from workflows.settings import WorkflowSettings

StepName = Literal["plan", "detect", "publish", "note", "ingest"]
STEPS: tuple[StepName, ...] = ("plan", "detect", "publish", "note", "ingest")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StepCall:
    """One try of one step; ``run`` is the id of a run, or of the job of an ingest."""

    name: StepName
    run: str
    chunk: int | None = None
    attempt: int = 0
    status: str = ""  # how the workflow ended that leaves a note
    traceparent: str = field(default="", compare=False)  # of the run, for who follows traces

    @property
    def root(self) -> str:
        """Where everything of the run or the ingest lies."""
        return f"ingest/{self.run}" if self.name == "ingest" else run_root(self.run)


@dataclass(frozen=True)
class StepOutcome:
    """How a try ended, and a few words and numbers about what it did."""

    exit_code: int = 0
    kind: str = ""
    error: str = ""
    outputs: Mapping[str, object] = field(default_factory=dict)

    @property
    def chunks(self) -> int:
        """How many detect steps a plan leaves to start."""
        chunks = self.outputs.get("chunks", 0)
        assert isinstance(chunks, int)
        return chunks


@dataclass(frozen=True)
class StepWorld:
    """What a process gives to the steps it runs."""

    storage: StorageSettings
    settings: WorkflowSettings
    image: str = ""
    check: Callable[[], None] = nothing
    processes: int = 1


def run_step(call: StepCall, world: StepWorld) -> StepOutcome:
    """Run a step to its end; a failure is kept beside the run, and told by the outcome."""
    lines = LastLines()
    root_logger = logging.getLogger()
    root_logger.addHandler(lines)
    try:
        told = {"run": call.run, "chunk": call.chunk, "attempt": call.attempt}
        with tracing.span(f"step {call.name}", call.traceparent, told):
            return StepOutcome(outputs=_run(call, world))
    except Exception as error:
        logger.exception("step %s of %s failed", call.name, call.run)
        outcome = StepOutcome(exit_code(error), type(error).__name__, str(error) or repr(error))
        if not isinstance(error, CancelledError | OrphanedError | NoPlanError):
            _keep(call, world, error, lines.lines)
        return outcome
    finally:
        root_logger.removeHandler(lines)


def _run(call: StepCall, world: StepWorld) -> Mapping[str, object]:
    with ExitStack() as stack:
        stores: Stores | None = None
        if call.name in ("detect", "note"):
            objects = open_objects(world.storage)
        else:
            stores = stack.enter_context(open_stores(world.storage))
            objects = stores.objects
        context = StepContext(
            objects=objects,
            settings=world.settings,
            now_ms=lambda: time.time_ns() // 1_000_000,
            stores=stores,
            image=world.image,
            check=world.check,
            scratch=world.storage.scratch,
            processes=world.processes,
        )
        return _dispatch(call, context)


def _dispatch(call: StepCall, context: StepContext) -> Mapping[str, object]:
    if call.name == "plan":
        return _planned(plan(context, call.run, call.attempt))
    if call.name == "detect":
        if call.chunk is None:
            raise BadRequestError("detect needs the number of a chunk")
        counts = detect(context, call.run, call.chunk, call.attempt).counts
        return {"series": counts["series"], "anomalies": counts["anomalous"]}
    if call.name == "publish":
        report = publish(context, call.run)
        return {"outcome": report.outcome, **report.counts}
    if call.name == "note":
        return {"noted": note(context.objects, call.run, call.status, context.now_ms())}
    return {"points": ingest_job(context, call.run).points}


def _planned(committed: Plan) -> Mapping[str, object]:
    return {
        "chunks": chunks_to_launch(committed),
        "series": committed.series,
        "points": committed.points,
    }


def _keep(call: StepCall, world: StepWorld, error: Exception, log: tuple[str, ...]) -> None:
    failure = Failure(
        step=call.name,
        attempt=call.attempt,
        kind=type(error).__name__,
        message=str(error) or repr(error),
        transient=exit_code(error) != exit_code(WorkflowError()),
        at_ms=time.time_ns() // 1_000_000,
        chunk=call.chunk,
        pointer=error.pointer if isinstance(error, BadRequestError) else "",
        log=log,
    )
    try:
        objects = open_objects(world.storage)
    except StorageError:  # perhaps just this is why the step failed: the exit code still tells
        logger.warning("the failure of %s could not be kept", call.name)
    else:
        record_failure(objects, call.root, failure)


def settings_from_environment(
    environment: Mapping[str, str],
) -> tuple[StorageSettings, WorkflowSettings]:
    """Settings of a pod: the three stores, the connections of external sources and a few sizes."""
    storage = settings_from(environment)
    defaults = WorkflowSettings()
    settings = replace(
        defaults,
        executor=environment.get("LUPUS_EXECUTOR") or defaults.executor,
        processes=whole_number(environment, "LUPUS_PROCESSES", defaults.processes),
        chunk_seconds=_seconds(environment, "LUPUS_CHUNK_SECONDS", defaults.chunk_seconds),
        group_points=whole_number(environment, "LUPUS_GROUP_POINTS", defaults.group_points),
        max_chunks=whole_number(environment, "LUPUS_MAX_CHUNKS", defaults.max_chunks),
        max_labels=whole_number(environment, "LUPUS_MAX_LABELS", defaults.max_labels),
        max_label_length=whole_number(
            environment, "LUPUS_MAX_LABEL_LENGTH", defaults.max_label_length
        ),
    )
    return storage, settings


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise InvalidError(f"{name} is {text!r}; allowed is a number of seconds above 0")
    return seconds


class _Stop:
    """Set by SIGTERM; noticed between blocks and before a commit."""

    asked = False

    def ask(self, _signal: int, _frame: Any) -> None:
        self.asked = True

    def check(self) -> None:
        if self.asked:
            raise StoppedError("asked to end by SIGTERM")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command ``step``; returns the exit code."""
    parser = argparse.ArgumentParser(prog="lupus-server step", description=__doc__)
    parser.add_argument("name", choices=STEPS)
    parser.add_argument("run", help="id of the run, or of the ingest")
    parser.add_argument("--chunk", type=int)
    parser.add_argument("--attempt", type=int, default=0, help="tries before this one")
    parser.add_argument("--status", default="", help="how the workflow of a note ended")
    parser.add_argument("--outputs", type=Path, help="folder for one small file an output")
    given = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    logging.getLogger("elastic_transport").setLevel(logging.WARNING)  # a line for each request
    stop = _Stop()
    signal.signal(signal.SIGTERM, stop.ask)
    try:
        storage, settings = settings_from_environment(os.environ)
    except (StorageError, BadRequestError) as error:
        parser.exit(PERMANENT_EXIT, f"{parser.prog}: {error}\n")
    world = StepWorld(
        storage,
        settings,
        os.environ.get("LUPUS_IMAGE", ""),
        stop.check,
        settings.processes or usable_processes(),
    )
    name = cast(StepName, given.name)
    call = StepCall(
        name,
        given.run,
        given.chunk,
        given.attempt,
        given.status,
        os.environ.get("TRACEPARENT", ""),
    )
    with tracing.sending():
        outcome = run_step(call, world)
    if given.outputs and not outcome.exit_code:
        given.outputs.mkdir(parents=True, exist_ok=True)
        for output, value in outcome.outputs.items():
            (given.outputs / output).write_text(str(value))
    return outcome.exit_code


if __name__ == "__main__":
    sys.exit(main())
