"""A detect step's own processes: in a pod, one step uses all cores that the pod may have."""

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator

import pyarrow as pa
from pebble import ProcessExpired, ProcessFuture, ProcessPool

from workflows.errors import WorkerLostError
from workflows.inputs import SeriesBlock
from workflows.orphans import die_with_parent
from workflows.verdicts import Judge

Judged = tuple[pa.Table, pa.Table]
Work = tuple[SeriesBlock, int | None]


def judged(judge: Judge, work: Iterable[Work], processes: int) -> Iterator[Judged]:
    """Results and series of each block, in order; at most ``processes`` + 1 blocks in flight."""
    if processes <= 1:
        for block, step_ms in work:
            yield judge.judge(block, step_ms)
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["workflows.preload"])
    pool = ProcessPool(processes, initializer=die_with_parent, context=context)
    try:
        yield from _in_order(pool, judge, work, processes)
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _in_order(
    pool: ProcessPool, judge: Judge, work: Iterable[Work], processes: int
) -> Iterator[Judged]:
    waiting: deque[ProcessFuture[Judged]] = deque()
    for item in work:
        waiting.append(pool.schedule(judge.judge, args=item))
        if len(waiting) > processes:
            yield _result(waiting.popleft())
    while waiting:
        yield _result(waiting.popleft())


def _result(future: "ProcessFuture[Judged]") -> Judged:
    try:
        return future.result()
    except ProcessExpired as error:
        raise WorkerLostError(
            f"a process of the step died with exit code {error.exitcode}; fewer and smaller "
            "blocks are tried next"
        ) from error
