"""Arithmetic on time series: arrays in, arrays out; no I/O, no clock, no network.

A *series* is times and values. A *detector* is an algorithm with its parameters; `detect` judges
the points of a series against a *band* (expected, lower, upper) and answers with a *result*: one
row per checked point. The *score* is the distance from the expected value in units of the
distance to the bound, so 1 is the bound for every detector. A *baseline* is the history that a
verdict rests on. A *grid* has evenly spaced *slots* with at most one point each.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from detectors.catalog import CLASS_MODULES, detector_from_dict
from detectors.errors import DetectorError, InsufficientHistoryError, ParameterError, SeriesError
from detectors.result import Change, Direction, Reason, Result, Severity
from detectors.series import Series

if TYPE_CHECKING:
    from detectors.auto import Auto
    from detectors.prophet import Prophet
    from detectors.seasonal_esd import SeasonalESD
    from detectors.threshold import Threshold
    from detectors.trend_change import TrendChange
    from detectors.window import Window

__all__ = [
    "Auto",
    "Change",
    "DetectorError",
    "Direction",
    "InsufficientHistoryError",
    "ParameterError",
    "Prophet",
    "Reason",
    "Result",
    "SeasonalESD",
    "Series",
    "SeriesError",
    "Severity",
    "Threshold",
    "TrendChange",
    "Window",
    "detector_from_dict",
]


def __getattr__(name: str) -> Any:
    """Import a detector class at its first use."""
    if name in CLASS_MODULES:
        return getattr(import_module(CLASS_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
