"""Every detector on every family of metrics at every length of history."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.quality.configurations import DEFAULTS, PER_STEP, WEIGHED, Description
from benchmarks.quality.metrics import METRICS, Family, Step, simulated
from benchmarks.quality.trial import HORIZON, complete, found, quiet

SEED = 20_261_121
HISTORIES: Mapping[Step, tuple[int, ...]] = {
    "daily": (10, 21, 28, 60, 90),
    "hourly": (60, 240, 672),
}
"""Points before the first judged one."""


@dataclass(frozen=True)
class Size:
    """How many series of each family are drawn: with an event of each kind, and without one."""

    events: int
    quiet: int


FULL = Size(events=30, quiet=90)
QUICK = Size(events=5, quiet=10)


def measured(
    size: Size, names: Mapping[str, Description] | None = None
) -> Iterator[dict[str, Any]]:
    """One row for each detector, metric, step and history."""
    chosen = {**DEFAULTS, **WEIGHED} if names is None else names
    for step in HISTORIES:
        for metric in METRICS:
            longest = HISTORIES[step][-1]
            points = longest + HORIZON[step]
            calm = simulated(metric, step, size.quiet, points, SEED)
            eventful = simulated(metric, step, size.events, points, SEED + 1)
            for name, description in chosen.items():
                if PER_STEP.get(name, step) == step:
                    yield from _rows(name, description, calm, eventful, longest)


def _rows(
    name: str, description: Description, calm: Family, eventful: Family, longest: int
) -> Iterator[dict[str, Any]]:
    detector = complete(description, calm.step)
    for history in HISTORIES[calm.step]:
        events = found(eventful, detector, history, longest, SEED)
        yield {
            "detector": name,
            "step": calm.step,
            "metric": calm.name,
            "history": history,
            "quiet": asdict(quiet(calm, calm.values, detector, history)),
            "events": {kind: asdict(one) for kind, one in events.items()},
        }
