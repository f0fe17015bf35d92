"""Which detector judges a file that nobody named one for, and why, in a sentence."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from service.tryout.series import NamedSeries, median_step

DAY = np.timedelta64(1, "D")
HOUR = np.timedelta64(1, "h")
# Forecasts of more take minutes, and a first look should take seconds.
MOST_FOR_FORECASTS = 200_000


def choose_detector(found: list[NamedSeries]) -> tuple[Mapping[str, Any], str]:
    """The detector's parameters and the reason for them."""
    total = sum(len(s.series) for s in found)
    if median_step(found) >= DAY and total > MOST_FOR_FORECASTS:
        return {"type": "window", "season": "day_of_week"}, (
            f"{total:,} points: each one is compared with the same weekday before it, which takes "
            "seconds; --detector auto also makes forecasts, which takes minutes"
        )
    return {"type": "auto"}, "which takes for each series what suits its step and its history"


def step_words(step: np.timedelta64) -> str:
    """A step as people say it: ``5 min``, ``1 h``, ``1 d``."""
    for unit, size in (("d", DAY), ("h", HOUR), ("min", np.timedelta64(1, "m"))):
        if step >= size:
            return f"{step / size:g} {unit}"
    return f"{step / np.timedelta64(1, 's'):g} s"
