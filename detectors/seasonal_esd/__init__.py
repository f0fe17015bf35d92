"""Seasonal hybrid ESD, the test behind Twitter's R package AnomalyDetection.

A *season* repeats every *period* points. The *residual* is what season and level leave of a value.
*Removing* the most extreme residual again and again, and asking each time whether it was too far
from the median of what is left, gives the anomalies. A *stretch* is a part of a long series that is
tested by itself.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detectors.seasonal_esd.detector import SeasonalESD
    from detectors.seasonal_esd.twitter import seasonal_hybrid_esd

__all__ = ["SeasonalESD", "seasonal_hybrid_esd"]

_HOMES = {
    "SeasonalESD": "detectors.seasonal_esd.detector",
    "seasonal_hybrid_esd": "detectors.seasonal_esd.twitter",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: the test brings numba with it."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
