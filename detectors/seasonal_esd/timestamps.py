"""What Twitter's R function AnomalyDetectionTs reads from timestamps."""

from typing import Literal

import numpy as np

from detectors.errors import InsufficientHistoryError, SeriesError
from detectors.series import Floats, Millis, Series
from detectors.wall_clock import DAY_MS, HOUR_MS, MINUTE_MS

Granularity = Literal["second", "minute", "hour", "day"]

PERIODS: dict[Granularity, int] = {"minute": 1440, "hour": 24, "day": 7}
"""Rows in one season, whatever the distance between rows within the unit."""


def granularity(times: Millis) -> Granularity:
    """Tell the unit of the distance between the last two rows."""
    if len(times) < 2:
        raise InsufficientHistoryError("at least two rows are needed to know their distance")
    distance = int(times[-1] - times[-2])
    if distance < MINUTE_MS:
        return "second"
    if distance < HOUR_MS:
        return "minute"
    return "hour" if distance < DAY_MS else "day"


def prepared(series: Series) -> Series:
    """Bring a series into the form that is tested: rows within a minute summed up by minutes.

    Raises
    ------
    SeriesError
        A value is infinite, or missing between others.
    """
    values = series.values
    known = np.flatnonzero(~np.isnan(values))
    if len(known) and len(known) != known[-1] - known[0] + 1:
        raise SeriesError("values are missing between others; fill them before the test")
    if np.isinf(values).any():
        raise SeriesError("a value is infinite; only numbers and leading or trailing NaN can be")
    if len(values) < 2 or granularity(series.epoch_ms) != "second":
        return series
    return minute_sums(series)


def minute_sums(series: Series) -> Series:
    """One point per minute that has any, the sum of its values."""
    minutes = series.epoch_ms // MINUTE_MS
    first = np.flatnonzero(np.append(True, minutes[1:] != minutes[:-1]))
    sums: Floats = np.add.reduceat(series.values, first)
    return Series(minutes[first] * MINUTE_MS, sums)
