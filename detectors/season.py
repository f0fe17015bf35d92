"""The repeating keys of local time: hour of the day, day of the week, hour of the week."""

from typing import Literal

import numpy as np

from detectors.series import Millis
from detectors.wall_clock import DAY_MS, HOUR_MS

Season = Literal["none", "hour_of_day", "day_of_week", "hour_of_week"]

_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; weeks start on Monday


def keys_of(wall_ms: Millis, season: Season) -> Millis:
    """Key of each wall time, from 0 up to `key_count(season)`; same shape."""
    if season == "hour_of_day":
        return wall_ms // HOUR_MS % 24
    if season == "day_of_week":
        return (wall_ms // DAY_MS + _EPOCH_WEEKDAY) % 7
    if season == "hour_of_week":
        return (wall_ms + _EPOCH_WEEKDAY * DAY_MS) // HOUR_MS % 168
    return np.zeros_like(wall_ms)


def key_count(season: Season) -> int:
    """How many keys a season has."""
    return {"none": 1, "hour_of_day": 24, "day_of_week": 7, "hour_of_week": 168}[season]


def hours_of_keys(season: Season) -> Millis:
    """Hour of the day of each key; 0 for keys that are no hours."""
    keys = np.arange(key_count(season))
    return keys % 24 if season in ("hour_of_day", "hour_of_week") else np.zeros_like(keys)
