"""Every detector on every family of metrics at every length of history."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import Any

from benchmarks.quality.configurations import DEFAULTS, WEIGHED, Description
from benchmarks.quality.metrics import METRICS, Name, Step, simulated
from benchmarks.quality.trial import HORIZON, complete, found, quiet

SEED = 20_261_121


@dataclass(frozen=True)
class Size:
    """How many series of each family are drawn, and the points before the first judged one."""

    events: int
    """Series with an event, of each kind."""
    quiet: int
    """Series without one."""
    histories: Mapping[Step, tuple[int, ...]]


FULL = Size(12, 60, {"daily": (10, 21, 28, 60, 90), "hourly": (60, 240, 672)})
QUICK = Size(3, 6, {"daily": (28, 90), "hourly": (240,)})

Row = dict[str, Any]


def measured(size: Size, processes: int = 2) -> list[Row]:
    """One row for each detector, metric, step and history."""
    jobs = [
        (size, metric, step, name, description)
        for step in size.histories
        for name, description in {**DEFAULTS, **WEIGHED[step]}.items()
        for metric in METRICS
    ]
    if processes == 1:
        return [row for job in jobs for row in _rows(*job)]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        return [row for rows in pool.map(_job, jobs) for row in rows]


def _job(job: tuple[Size, Name, Step, str, Description]) -> list[Row]:
    return list(_rows(*job))


def _rows(
    size: Size, metric: Name, step: Step, name: str, description: Description
) -> Iterator[Row]:
    longest = size.histories[step][-1]
    points = longest + HORIZON[step]
    calm = simulated(metric, step, size.quiet, points, SEED)
    eventful = simulated(metric, step, size.events, points, SEED + 1)
    detector = complete(description, step)
    for history in size.histories[step]:
        events = found(eventful, detector, history, longest, SEED)
        yield {
            "detector": name,
            "step": step,
            "metric": metric,
            "history": history,
            "quiet": asdict(quiet(calm, calm.values, detector, history)),
            "events": {kind: asdict(one) for kind, one in events.items()},
        }
