"""Watch a machine-learning product: statistics of its data, evaluation of its models.

A *metric* is a name, labels and a value; a job computes *metrics* and sends them to a *data source*
at a *time*, the start of the interval that they describe.
"""

from importlib import import_module
from typing import Any

_MODULES = {
    "Array": "lupus.statistics.array",
    "Categorical": "lupus.statistics.categorical",
    "Chart": "lupus.chart",
    "Charts": "lupus.chart",
    "Client": "lupus.client.client",
    "Detection": "lupus.local.detection",
    "ExtraError": "lupus.errors",
    "LupusError": "lupus.errors",
    "Metric": "lupus.metric",
    "Metrics": "lupus.metrics",
    "MetricsError": "lupus.errors",
    "Numeric": "lupus.statistics.numeric",
    "PointsError": "lupus.errors",
    "Present": "lupus.statistics.presence",
    "RefusedError": "lupus.errors",
    "Rows": "lupus.rows",
    "Run": "lupus.client.run",
    "Sent": "lupus.client.sent",
    "SettingsError": "lupus.errors",
    "Statistics": "lupus.statistics.spec",
    "StatisticsError": "lupus.errors",
    "Summary": "lupus.statistics.summary",
    "Text": "lupus.statistics.text",
    "Time": "lupus.statistics.time",
    "UnreachableError": "lupus.errors",
    "WaitError": "lupus.errors",
    "detect": "lupus.local.detect",
}

__all__ = [
    "Array",
    "Categorical",
    "Chart",
    "Charts",
    "Client",
    "Detection",
    "ExtraError",
    "LupusError",
    "Metric",
    "Metrics",
    "MetricsError",
    "Numeric",
    "PointsError",
    "Present",
    "RefusedError",
    "Rows",
    "Run",
    "Sent",
    "SettingsError",
    "Statistics",
    "StatisticsError",
    "Summary",
    "Text",
    "Time",
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
