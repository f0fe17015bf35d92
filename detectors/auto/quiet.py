"""Widths that keep a calm series quiet, whatever its step, and the history that these need.

A share of points that is few alarms at daily steps is many at hourly ones: 3 deviations let one
of 370 normal values out, which is one alarm a year of days, and 24 a year of hours. Real metrics
remember and are skewed, so the widths below are measured; docs/quality.md has the figures.
"""

from collections.abc import Mapping

from detectors.wall_clock import DAY_MS, MINUTE_MS

NEARLY_A_DAY_MS = 23 * DAY_MS // 24
_FINE_MS = 15 * MINUTE_MS
# Of a window, by method: k at steps below a day, and at steps up to 15 minutes.
_K = {"z": (4.0, 5.0), "robust": (4.5, 5.5)}
_INTERVAL, _INTERVAL_BELOW_A_DAY = 0.9995, 0.99999
FORECAST_POINTS = 60
"""Daily points before a forecast is made: at 60 the wider band misses about as few points as
Prophet's own does at 180."""


def quiet(type_: str, step_ms: int, method: str = "z") -> Mapping[str, float]:
    """Give parameters of a detector where its own defaults would alarm too often at a step.

    Parameters
    ----------
    type_ : str
        Type of the detector.
    method : str
        Of a window.
    """
    below_a_day = step_ms < NEARLY_A_DAY_MS
    if type_ == "prophet":
        if below_a_day:
            return {"interval_width": _INTERVAL_BELOW_A_DAY}
        return {"min_points": FORECAST_POINTS, "interval_width": _INTERVAL}
    if type_ == "window" and method in _K and below_a_day:
        coarse, fine = _K[method]
        return {"k": fine if step_ms <= _FINE_MS else coarse}
    return {}
