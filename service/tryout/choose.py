"""Which detector suits a file, and why, in a sentence."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from service.tryout.series import NamedSeries, median_step

DAY = np.timedelta64(1, "D")
HOUR = np.timedelta64(1, "h")
# A forecast needs three months before its first verdict: half of the file should get one.
ENOUGH_FOR_FORECASTS = 180
# Forecasts of more take minutes, and a first look should take seconds.
MOST_FOR_FORECASTS = 200_000


def choose_detector(found: list[NamedSeries]) -> tuple[Mapping[str, Any], str]:
    """The detector's parameters and the reason for them."""
    step = median_step(found)
    points = int(np.median([len(s.series) for s in found]))
    total = sum(len(s.series) for s in found)
    if step >= DAY and points >= ENOUGH_FOR_FORECASTS:
        if total > MOST_FOR_FORECASTS:
            return {"type": "window"}, (
                f"{total:,} points: each one is compared with the points before it, which takes "
                "seconds; --detector prophet makes forecasts and takes minutes"
            )
        return {"type": "prophet"}, (
            f"{points} points a day or more apart: enough for a trend and weekly season, "
            "so each point is compared with a forecast made before it"
        )
    periods = points * step / DAY
    if step < DAY and periods > 3:
        return {"type": "seasonal_esd"}, (
            f"{periods:.0f} days of points every {step_words(step)}: a daily season is removed "
            "and the whole file is tested at once"
        )
    return {"type": "window"}, (
        f"only {points} points: each one is compared with the points before it; "
        "with more history a seasonal detector would be chosen"
    )


def step_words(step: np.timedelta64) -> str:
    """A step as people say it: ``5 min``, ``1 h``, ``1 d``."""
    for unit, size in (("d", DAY), ("h", HOUR), ("min", np.timedelta64(1, "m"))):
        if step >= size:
            return f"{step / size:g} {unit}"
    return f"{step / np.timedelta64(1, 's'):g} s"
