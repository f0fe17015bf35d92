"""What is judged: every detector by its defaults, and what else was weighed for them."""

from collections.abc import Mapping
from typing import Any

Description = Mapping[str, Any]

DEFAULTS: Mapping[str, Description] = {
    "window": {"type": "window"},
    "prophet": {"type": "prophet"},
    "seasonal_esd": {"type": "seasonal_esd"},
}
"""As a request gives them that names the type alone."""

WEIGHED: Mapping[str, Description] = {
    "window, robust": {"type": "window", "method": "robust"},
    "window, day_of_week": {"type": "window", "season": "day_of_week"},
    "window, hour_of_week": {"type": "window", "season": "hour_of_week"},
    "window, hour_of_day": {"type": "window", "season": "hour_of_day"},
    "window, day_of_week, k 4": {"type": "window", "season": "day_of_week", "k": 4.0},
    "window, hour_of_week, k 4": {"type": "window", "season": "hour_of_week", "k": 4.0},
    "prophet, from 30 points": {"type": "prophet", "min_points": 30},
    "prophet, from 60 points": {"type": "prophet", "min_points": 60},
    "seasonal_esd, at most 2 %": {"type": "seasonal_esd", "max_anomalies": 0.02},
    "seasonal_esd, alpha 0.001": {"type": "seasonal_esd", "alpha": 0.001},
}
"""Other settings, weighed against the defaults."""

PER_STEP: Mapping[str, str] = {
    "window, day_of_week": "daily",
    "window, day_of_week, k 4": "daily",
    "window, hour_of_week": "hourly",
    "window, hour_of_week, k 4": "hourly",
    "window, hour_of_day": "hourly",
}
"""Settings that only suit one step."""
