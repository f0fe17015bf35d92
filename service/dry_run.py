"""What a detection would cost, from the archive's counts: nothing is planned or run."""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from detectors import detector_from_dict
from storage.local_time import DAY_MS
from storage.stores import Stores
from workflows.cores import usable_processes
from workflows.cost import seconds
from workflows.joining import read_series
from workflows.plan import CHUNKS_PER_PROCESS
from workflows.request import RunRequest
from workflows.settings import WorkflowSettings
from workflows.spacing import known_steps, read_start_ms


@dataclass(frozen=True)
class Estimate:
    """Series and points that would be read, and the work they are."""

    series: int
    points: int
    chunks: int
    core_seconds: float


def estimate(stores: Stores, request: RunRequest, settings: WorkflowSettings) -> Estimate:
    """Count the selected series and points; a metric of unknown step is taken for daily."""
    detector = detector_from_dict(dict(request.detector))
    steps = known_steps(stores.archive, request)
    begin = read_start_ms(detector, request, steps)
    with tempfile.TemporaryDirectory() as scratch:
        scan = read_series(stores.archive, request, begin, Path(scratch), 1)
    cost: dict[tuple[int, int], float] = {}
    total = 0.0
    for key, points in zip(scan.keys, scan.counts, strict=True):
        kind = (points, steps.get(key.metric, DAY_MS))
        if kind not in cost:
            cost[kind] = seconds(detector, *kind)
        total += cost[kind]
    points = sum(scan.counts)
    return Estimate(len(scan.keys), points, _chunks(total, len(scan.keys), settings), total)


def _chunks(total: float, series: int, settings: WorkflowSettings) -> int:
    wanted = math.ceil(total / settings.chunk_seconds)
    if settings.executor == "local":
        processes = settings.processes or usable_processes()
        worth = int(total / settings.local_chunk_seconds)
        wanted = max(wanted, min(worth, CHUNKS_PER_PROCESS * processes))
    return min(max(1, wanted), series, settings.max_chunks)
