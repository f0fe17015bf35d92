"""Thresholds as a person sets them who looks at what there is and never again."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from detectors import Result, Series, Threshold

BEYOND = 0.25
"""Of the history's range, on both sides of it."""


class HistoryBounds:
    """Judges each series by bounds from its own history: its range and a quarter more."""

    type = "threshold"

    def detect_many(
        self, series: Sequence[Series], start: int, end: int, *, step: timedelta
    ) -> list[Result]:
        """Take what stands before `start` for the history."""
        return [_bounded(one, start).detect(one, start, end, step=step) for one in series]


def _bounded(series: Series, start_ms: int) -> Threshold:
    known = series.values[series.epoch_ms < start_ms]
    lowest, highest = float(np.min(known)), float(np.max(known))
    beyond = BEYOND * (highest - lowest)
    return Threshold(lower=lowest - beyond, upper=highest + beyond)
