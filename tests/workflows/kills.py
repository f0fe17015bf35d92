"""Runs steps in processes that tests may kill."""

import multiprocessing
import time
from dataclasses import replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import psutil

from storage.archive import Archive
from storage.index import AnomalyQuery
from storage.stores import Stores
from tests.workflows.world import END, ONE_AT_A_TIME, SOURCE, START, storage_settings
from workflows.chunk import read_plan
from workflows.report import read_report
from workflows.step_entry import StepCall, StepWorld, run_step

SERIES = 40
# Ten row groups and four chunks, so that a kill finds every stage in the middle of something.
SETTINGS = replace(ONE_AT_A_TIME, processes=2, group_points=140, local_chunk_seconds=1e-9)


def carry_out(root: Path, run: str) -> None:
    """What a pod per step would do, in one process: go on from the commits until the report."""
    world = StepWorld(storage_settings(root), SETTINGS)
    chunks = run_step(StepCall("plan", run), world).chunks
    for chunk in range(chunks):
        run_step(StepCall("detect", run, chunk), world)
    run_step(StepCall("publish", run), world)


def start(root: Path, run: str) -> ForkServerProcess:
    """The same in a process of its own."""
    process = multiprocessing.get_context("forkserver").Process(target=carry_out, args=(root, run))
    process.start()
    return process


def stage(stores: Stores, run: str) -> str:
    """What a run does next, as its commits tell."""
    objects = stores.objects
    if read_report(objects, run) is not None:
        return "done"
    planned = read_plan(objects, run)
    if planned is None:
        return "plan"
    done = list(objects.names(f"runs/{run}/chunk/"))
    return "detect" if len(done) < len(planned[0].chunks) else "publish"


def kill_in(process: ForkServerProcess, stores: Stores, run: str, wanted: str, delay: float) -> str:
    """kill -9 a moment after the run has come as far as ``wanted``; returns the stage it hit."""
    order = ("plan", "detect", "publish", "done")
    while process.is_alive() and order.index(stage(stores, run)) < order.index(wanted):
        time.sleep(0.002)
    process.join(delay)
    hit = stage(stores, run) if process.is_alive() else "done"
    process.kill()
    process.join()
    return hit


def documents(stores: Stores, run: str) -> dict[str, Any]:
    """Everything that a run has written, but for times of writing and names of attempts."""
    index, archive = stores.index, stores.archive
    anomalies = []
    cursor = None
    while True:
        page = index.search_anomalies(AnomalyQuery(source=SOURCE), 500, cursor)
        anomalies += [vars(replace(item, written_at_ms=0)) for item in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    series = sorted(str(item["series"]) for item in anomalies)
    report = read_report(stores.objects, run)
    assert report is not None
    return {
        "anomalies": anomalies,
        "bands": [vars(band) for band in index.bands(SOURCE, sorted(set(series)), None)],
        "results": _results(archive),
        "report": vars(replace(report, changes=None, results=None)),
    }


def _results(archive: Archive) -> list[dict[str, Any]]:
    table = archive.read_results(SOURCE, "ndcg-daily", START, END)
    return sorted(table.to_pylist(), key=lambda row: (row["series"], row["ts"]))


def descendants(pid: int) -> list[psutil.Process]:
    """All processes below one."""
    try:
        found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return found
