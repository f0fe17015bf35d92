"""What is judged: every detector as a request gets it, and what else was weighed."""

from collections.abc import Mapping
from typing import Any

from benchmarks.quality.metrics import Step

Description = Mapping[str, Any]

DEFAULTS: Mapping[str, Description] = {
    "auto": {"type": "auto"},
    "window": {"type": "window"},
    "prophet": {"type": "prophet"},
    "seasonal_esd": {"type": "seasonal_esd"},
    "trend_change": {"type": "trend_change"},
}
"""As a request gives them that names the type alone."""

RANGE = "threshold, history's range"

WEIGHED: Mapping[Step, Mapping[str, Description]] = {
    "daily": {
        "window, day_of_week": {"type": "window", "season": "day_of_week"},
        "window, robust": {"type": "window", "method": "robust"},
        "prophet, interval 0.997": {"type": "prophet", "interval_width": 0.997},
        "prophet, from 30 points": {"type": "prophet", "min_points": 30},
        RANGE: {"type": "threshold"},
    },
    "hourly": {
        "window, k 3": {"type": "window", "k": 3.0},
        "window, hour_of_day, 28d": {"type": "window", "season": "hour_of_day", "window": "28d"},
        "window, hour_of_week": {"type": "window", "season": "hour_of_week"},
        "window, hour_of_week, per_hour": {
            "type": "window",
            "season": "hour_of_week",
            "spread": "per_hour",
        },
        "window, hour_of_week, per_hour, k 4.5": {
            "type": "window",
            "season": "hour_of_week",
            "spread": "per_hour",
            "k": 4.5,
        },
        "prophet, interval 0.997": {"type": "prophet", "interval_width": 0.997},
        RANGE: {"type": "threshold"},
    },
}
"""Other settings, weighed against the defaults."""
