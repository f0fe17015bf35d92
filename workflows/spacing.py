"""How far apart the points of each metric are: known to the source, or seen in its first series."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from detectors.detector import Detector
from detectors.grid import infer_grid
from storage.archive import Archive
from storage.conditions import glob_regex, is_glob
from storage.local_time import DAY_MS
from storage.series_key import SeriesKey
from workflows.cost import seconds
from workflows.inputs import Floats, Ints, SeriesBlock
from workflows.request import RunRequest

EXPECTED_DAYS = 28  # a series seen this long before the range is expected to have points in it
_SERIES_ASKED = 16


def known_steps(archive: Archive, request: RunRequest) -> Mapping[str, int]:
    """Steps of the metrics asked for; an external source that declares none is probed."""
    known = request.source.steps_ms
    matching = {metric: known[metric] for metric in known if _selected(metric, request)}
    if matching or request.source.managed:
        return matching
    probed = archive.probe(request.source).steps_ms
    return {metric: step for metric, step in probed.items() if _selected(metric, request)}


def _selected(metric: str, request: RunRequest) -> bool:
    return any(
        re.fullmatch(glob_regex(asked), metric) if is_glob(asked) else metric == asked
        for asked in request.metrics
    )


def read_start_ms(detector: Detector, request: RunRequest, known: Mapping[str, int]) -> int:
    """Where reading begins: the longest history that a metric's verdicts depend on.

    A metric whose step nobody knows is taken for daily.
    """
    steps = set(known.values())
    named = [metric for metric in request.metrics if not is_glob(metric)]
    if not known or any(metric not in known for metric in named):
        steps.add(DAY_MS)
    needed = [
        detector.history(request.start_ms, request.end_ms, timedelta(milliseconds=step))
        for step in steps
    ]
    longest = max([timedelta(days=EXPECTED_DAYS), *needed])
    return request.start_ms - int(longest / timedelta(milliseconds=1))


@dataclass
class Spacing:
    """Steps of a run's metrics, completed from the data as it streams by."""

    keys: Sequence[SeriesKey]
    timezone: str
    steps_ms: dict[str, int] = field(default_factory=dict)

    def of(self, metrics: Collection[str]) -> Mapping[str, int]:
        """Steps of these metrics, where they are known or were seen."""
        return {metric: step for metric, step in self.steps_ms.items() if metric in metrics}

    def seconds(self, detector: Detector, block: SeriesBlock) -> Floats:
        """Expected core-seconds of each series of a block, shape (series,)."""
        costs = np.empty(len(block.numbers), np.float64)
        for metric, begin, end in self._metrics(block.numbers):
            step = self._step(metric, block, begin, end)
            sizes, which = np.unique(block.points[begin:end], return_inverse=True)
            each = np.array([seconds(detector, int(n), step) for n in sizes], np.float64)
            costs[begin:end] = each[which]
        return costs

    def _metrics(self, numbers: Ints) -> list[tuple[str, int, int]]:
        """Runs of one metric in a block: keys are ordered by metric."""
        runs, begin = [], 0
        while begin < len(numbers):
            metric = self.keys[int(numbers[begin])].metric
            low, high = begin, len(numbers)
            while high - low > 1:
                middle = (low + high) // 2
                if self.keys[int(numbers[middle])].metric == metric:
                    low = middle
                else:
                    high = middle
            runs.append((metric, begin, high))
            begin = high
        return runs

    def _step(self, metric: str, block: SeriesBlock, begin: int, end: int) -> int:
        if metric not in self.steps_ms:
            asked = [i for i in range(begin, end) if block.points[i] > 1][:_SERIES_ASKED]
            if not asked:
                return DAY_MS
            seen = sorted(infer_grid(block.times(i), self.timezone).step_ms for i in asked)
            self.steps_ms[metric] = seen[(len(seen) - 1) // 2]
        return self.steps_ms[metric]
