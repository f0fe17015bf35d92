"""What carrying a run out costs besides its work: on Argo, and on the local pool.

    python -m benchmarks.overhead [--chunks 1 20 200] [--series 20000]

Argo (where KUBECONFIG and LUPUS_TEST_IMAGE name a cluster and our image in it): runs of 1, 20 and
200 chunks. `work` is what the chunks measured themselves, `pods` the time from each pod's start to
its end; what is not work is lost to starting containers, imports, Argo and the stores.
The local pool: a whole run against a bare multiprocessing loop over the same series in memory.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.scale import DAY_MS, END_MS, archive_of, values_of, whole_run
from detectors import Series, detector_from_dict
from workflows.argo.names import workflow_name
from workflows.chunk import committed_chunks, read_chunk
from workflows.local import LocalLauncher
from workflows.settings import WorkflowSettings

if TYPE_CHECKING:
    from tests.workflows.argo.stack import Stack

IMAGE = "LUPUS_TEST_IMAGE"

DAYS = 365
SERIES_PER_CHUNK = 20
PROPHET: Mapping[str, Any] = {"type": "prophet", "engine": "direct"}
LONGEST_SECONDS = 3600


def on_argo(opened: "Stack", chunks: int) -> str:
    """One row of the table."""
    from tests.workflows.world import request, write_daily

    metric = f"m{chunks}"
    write_daily(opened.stores, chunks * SERIES_PER_CHUNK, DAYS, metric)
    launcher = opened.launcher(poll_seconds=1.0)
    deadline_ms = time.time_ns() // 1_000_000 + LONGEST_SECONDS * 1000
    asked = request(
        metric, rule=metric, metrics=(metric,), detector=PROPHET, deadline_ms=deadline_ms
    )
    began = time.monotonic()
    launcher.launch(asked, 1)
    while (found := launcher.look(metric, 1)).state != "ended" and found.progress.stage != "done":
        launcher.wait(1.0)
    wall = time.monotonic() - began
    while launcher.look(metric, 1).state != "ended":
        launcher.wait(1.0)
    launcher.close()
    records = [
        read_chunk(opened.stores.objects, metric, number)
        for number in committed_chunks(opened.stores.objects, metric)
    ]
    work = sum(record.seconds for record, _ in filter(None, records))
    count, pods = _pods(opened, workflow_name("detection", metric, 1))
    lost = 1 - work / pods
    return (
        f"| {len(records)} | {count} | {wall:.1f} | {work:.1f} | {pods:.1f} | {lost:.0%} "
        f"| {(pods - work) / count:.1f} |"
    )


def _pods(opened: "Stack", name: str) -> tuple[int, float]:
    """Pods of a workflow, and the seconds that all of them lasted."""
    (found,) = [one for one in opened.space.workflows() if one["metadata"]["name"] == name]
    nodes = [node for node in found["status"]["nodes"].values() if node["type"] == "Pod"]
    return len(nodes), sum(
        (
            datetime.fromisoformat(node["finishedAt"]) - datetime.fromisoformat(node["startedAt"])
        ).total_seconds()
        for node in nodes
    )


def _judge(part: tuple[np.ndarray[Any, np.dtype[np.float64]], int]) -> int:
    values, days = part
    times = END_MS - DAY_MS * np.arange(days, 0, -1)
    detector = detector_from_dict(dict(PROPHET))
    start, end = (np.datetime64(ms, "ms") for ms in (END_MS - 7 * DAY_MS, END_MS))
    return len(detector.detect_many([Series(times, row) for row in values], start, end))


def bare(series: int, processes: int) -> float:
    """Seconds of a multiprocessing loop over series in memory, its pool started and warm."""
    parts = [(part, DAYS) for part in np.array_split(values_of(series, DAYS), processes * 4)]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["workflows.preload"])
    with context.Pool(processes) as pool:
        pool.map(_judge, [(part[:2], DAYS) for part, _ in parts[: processes * 2]], 1)
        began = time.perf_counter()
        pool.map(_judge, parts, 1)
        return time.perf_counter() - began


def local(series: int) -> float:
    """Seconds of a whole run on the local pool, after one that warmed it."""
    with archive_of(series, DAYS) as (settings, _):
        launcher = LocalLauncher(settings, WorkflowSettings())
        try:
            whole_run(launcher, settings, "warm", {"type": "threshold", "upper": 110.0})
            return whole_run(launcher, settings, "measured", PROPHET)[0]
        finally:
            launcher.close()


def main() -> int:
    """Measure and print both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--chunks", type=int, nargs="*", default=(1, 20, 200))
    parser.add_argument("--series", type=int, default=20_000)
    options = parser.parse_args()
    cores = os.cpu_count() or 1
    ours = local(options.series)
    loop = bare(options.series, cores)
    print(f"local pool, {options.series:,} series x {DAYS} points by prophet, {cores} cores:")
    print(f"whole run {ours:.2f} s, bare loop {loop:.2f} s, ratio **{ours / loop:.2f}**\n")
    if not (os.environ.get("KUBECONFIG") and os.environ.get(IMAGE)):
        print(f"Argo is left out: KUBECONFIG and {IMAGE} name no cluster and image")
        return 0
    print(
        "| chunks | pods | wall, s | work, s | pods, s | share lost | lost per pod, s |\n"
        "|---|---|---|---|---|---|---|"
    )
    from tests.workflows.argo.stack import stack  # processes of the pools import this module too

    sizes = {
        "LUPUS_GROUP_POINTS": str(DAYS * SERIES_PER_CHUNK + DAYS // 2),
        "LUPUS_CHUNK_SECONDS": "1e-6",
    }
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder), **sizes) as opened:
        for chunks in options.chunks:
            print(on_argo(opened, chunks), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
