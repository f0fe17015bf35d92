"""Compiles every kernel once, so that no request waits for the compiler.

    python -m detectors.precompile

The machine code stays beside the source. Install steps and images run this; a pool's fork server
imports it, so that its workers begin with loaded kernels.
"""

import numpy as np

from detectors.catalog import detector_from_dict
from detectors.series import Series

_DAY_MS = 86_400_000
# Together they reach every kernel: each method of Window has its own.
_PARAMETERS = (
    {"type": "threshold", "lower": 0.0},
    {"type": "window", "method": "z"},
    {"type": "window", "method": "z", "baseline": "before_range"},
    {"type": "window", "method": "robust"},
    {"type": "window", "method": "quantile"},
    {"type": "window", "method": "pct", "centre": "median", "step_by": "point"},
    {"type": "window", "method": "z", "season": "day_of_week"},
    {"type": "window", "method": "robust", "season": "day_of_week"},
    {"type": "prophet", "min_points": 30},
    {"type": "seasonal_esd", "period": 7},
    {"type": "trend_change"},
)


def precompile() -> None:
    """Run every kernel on a few points."""
    days = np.arange(100)
    values = 100 + np.sin(2 * np.pi * days / 7) + np.cos(days**2)
    gap = days != 95
    for parameters in _PARAMETERS:
        detector = detector_from_dict(dict(parameters))
        for kept in (np.ones(100, bool), gap):
            detector.detect(Series(days[kept] * _DAY_MS, values[kept]), 90 * _DAY_MS)


if __name__ == "__main__":
    precompile()
