"""Finds the points at which a series changed its level or its slope for good.

A *change* is a step (kind level) or a kink (kind slope) of the path that a series follows beside
its season. Its *date* is the first point of the new regime. The *statistic* of a change is t, the
size over its error, with seasons, trend, the other changes and autocorrelation taken into account;
its *bound* is what the best of all changes exceeds in a stated share of series without any.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detectors.trend_change.detector import TrendChange

__all__ = ["TrendChange"]


def __getattr__(name: str) -> Any:
    """Import the detector at its first use."""
    if name == "TrendChange":
        return import_module("detectors.trend_change.detector").TrendChange
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
