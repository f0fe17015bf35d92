"""When a series that lacks history can be judged: the detector itself is asked, once per step."""

from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from detectors import DetectorError, Series
from detectors.detector import Detector
from workflows.inputs import Floats, Ints

MOST_POINTS = 4096  # of history that is tried


@dataclass
class Readiness:
    """How many points of history a detector needs for a verdict."""

    detector: Detector
    _needed: dict[int, int | None] = field(default_factory=dict)

    def ready_at(self, times: Ints, values: Floats, last_ms: int) -> int | None:
        """When a series whose row at ``last_ms`` lacks history will have enough, if one can say.

        Its points are taken to keep arriving as they did.
        """
        distances = np.diff(times)
        if not len(distances):
            return None
        step_ms = int(np.partition(distances, (len(distances) - 1) // 2)[(len(distances) - 1) // 2])
        needed = self.needed(step_ms)
        if needed is None:
            return None
        have = int(np.isfinite(values[times < last_ms]).sum())
        return last_ms + max(1, needed - have) * step_ms

    def needed(self, step_ms: int) -> int | None:
        """Points of a regular series before the first that is judged; None: more than tried."""
        if step_ms not in self._needed:
            self._needed[step_ms] = self._bisect(step_ms)
        return self._needed[step_ms]

    def _bisect(self, step_ms: int) -> int | None:
        history = self.detector.history(0, step_ms, timedelta(milliseconds=step_ms))
        high = min(int(history / timedelta(milliseconds=step_ms)) + 1, MOST_POINTS)
        if not self._judges(high, step_ms):
            return None
        low = -1  # fewer than none never suffice
        while high - low > 1:
            middle = (low + high) // 2
            if self._judges(middle, step_ms):
                high = middle
            else:
                low = middle
        return high

    def _judges(self, points: int, step_ms: int) -> bool:
        times = np.arange(points + 1, dtype=np.int64) * step_ms
        values = np.random.default_rng(0).normal(1.0, 0.1, points + 1)
        last = int(times[-1])
        step = timedelta(milliseconds=step_ms)
        try:
            result = self.detector.detect(Series(times, values), last, last + 1, step=step)
        except DetectorError:
            return False
        return bool(result.judged.any())
