"""Series and detectors that many tests of this room share."""

from datetime import timedelta
from typing import Any

import numpy as np

from detectors import Result, Series
from detectors.catalog import detector_from_stored
from detectors.detector import Detector
from detectors.series import Floats, Millis
from detectors.wall_clock import DAY_MS, HOUR_MS, to_utc

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MONDAY_MS = int(np.datetime64("2025-09-01", "ms").astype(np.int64))

LEVEL = 100.0
"""What the series below vary about, by about one unit."""


def detector_of(type_: str, level: float = LEVEL, **parameters: Any) -> Detector:
    """A detector of a type that suits the series below, without what has no effect on it."""
    suited: dict[str, dict[str, Any]] = {
        "threshold": {"lower": level - 8, "upper": level + 8},
        "trend_change": {"min_segment": 3},
    }
    if type_ == "trend_change" and parameters.get("consecutive") in (2, 3):
        del parameters["consecutive"]  # a change is one point
    return detector_from_stored({"type": type_, **suited.get(type_, {}), **parameters})


def daily(n: int = 150, start_ms: int = MONDAY_MS) -> Millis:
    """UTC midnights."""
    return start_ms + DAY_MS * np.arange(n, dtype=np.int64)


def hourly(n: int = 24 * 30, start_ms: int = MONDAY_MS) -> Millis:
    """UTC hours."""
    return start_ms + HOUR_MS * np.arange(n, dtype=np.int64)


def local_midnights(first: str, n: int, timezone: str) -> Millis:
    """UTC instants of n local midnights from a date on."""
    first_day = int(np.datetime64(first, "D").astype(np.int64))
    return to_utc(DAY_MS * (first_day + np.arange(n, dtype=np.int64)), timezone)


def noise(n: int, seed: int = 0, level: float = LEVEL) -> Floats:
    """Bounded noise of about one unit about a level, so that only planted points stand out."""
    return level + np.random.default_rng(seed).uniform(-1.7, 1.7, n)


def planted(n: int = 150, at: int = -3, size: float = 30.0, seed: int = 0) -> Floats:
    """Noise with one spike."""
    values = noise(n, seed)
    values[at] += size
    return values


def unusual(type_: str, n: int = 150, at: int = -3, size: float = 30.0, seed: int = 0) -> Floats:
    """Noise with what a type of detector looks for at one point: a spike, or a lasting change."""
    if type_ != "trend_change":
        return planted(n, at, size, seed)
    values = noise(n, seed)
    values[at:] += size
    return values


def same(one: Result, other: Result) -> bool:
    """Whether two results agree in every cell."""
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name in _FLOATS)
        for name in (*_FLOATS, "times", "is_anomaly", "severity", "direction", "reason")
    )


_FLOATS = ("values", "expected", "lower", "upper", "score")


def series(times: Any, values: Any) -> Series:
    """A series of anything array-like."""
    return Series(np.asarray(times), np.asarray(values, np.float64))
