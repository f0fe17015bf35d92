"""How many core-seconds a detector needs, so that chunks of equal cost can be cut.

A detector says its work in units of a simple pass over a point; the seconds per unit are measured
(benchmarks print them) and need to be right only within a factor of two.
"""

from datetime import timedelta

from detectors.detector import Detector
from storage.local_time import DAY_MS

# Core-seconds per unit of Detector.cost (measured: 1.3e-9 window robust, 2.3e-9 prophet, 5e-9 to
# 7e-9 seasonal_esd, 9e-9 threshold), and per series for reading, judging and writing it at all.
SECONDS_PER_UNIT = 4e-9
SECONDS_PER_SERIES = 1e-4


def period_points(detector: Detector, step_ms: int) -> int:
    """Points in the detector's longest season, else a day of sub-daily steps, a week of days."""
    own = getattr(detector, "periods", None) or (getattr(detector, "period", None),)
    points = [one for one in own if isinstance(one, int)]
    points += [one // timedelta(milliseconds=step_ms) for one in own if isinstance(one, timedelta)]
    if points:
        return max(1, *points)
    if step_ms >= DAY_MS:
        return max(1, 7 * DAY_MS // step_ms)
    return max(1, DAY_MS // step_ms)


def seconds(detector: Detector, points: int, step_ms: int) -> float:
    """Core-seconds for one series of ``points`` points, its history included."""
    units = detector.cost(points, period_points(detector, step_ms))
    return SECONDS_PER_SERIES + units * SECONDS_PER_UNIT
