"""Watch a machine-learning product: statistics of its data, evaluation of its models.

A *metric* is a name, labels and a value; a job computes *metrics* and sends them to a *data source*
at a *time*, the start of the interval that they describe.
"""

from importlib import import_module
from typing import Any

_MODULES = {
    "Chart": "lupus.chart",
    "Charts": "lupus.chart",
    "Client": "lupus.client.client",
    "Detection": "lupus.local.detection",
    "ExtraError": "lupus.errors",
    "LupusError": "lupus.errors",
    "Metric": "lupus.metric",
    "Metrics": "lupus.metrics",
    "MetricsError": "lupus.errors",
    "PointsError": "lupus.errors",
    "RefusedError": "lupus.errors",
    "Rows": "lupus.rows",
    "Run": "lupus.client.run",
    "Sent": "lupus.client.sent",
    "SettingsError": "lupus.errors",
    "UnreachableError": "lupus.errors",
    "WaitError": "lupus.errors",
    "detect": "lupus.local.detect",
}

__all__ = [
    "Chart",
    "Charts",
    "Client",
    "Detection",
    "ExtraError",
    "LupusError",
    "Metric",
    "Metrics",
    "MetricsError",
    "PointsError",
    "RefusedError",
    "Rows",
    "Run",
    "Sent",
    "SettingsError",
    "UnreachableError",
    "WaitError",
    "detect",
]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
