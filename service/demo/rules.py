"""The detections of the demonstration: each metric is watched as a team would watch it."""

from dataclasses import dataclass
from typing import Any

from service.demo.series import PIPELINE, QUALITY, SERVING


@dataclass(frozen=True)
class Rule:
    """One request; ``step_hours`` is the distance between points of its metrics."""

    name: str
    source: str
    metrics: tuple[str, ...]
    detector: dict[str, Any]
    last: str
    step_hours: int

    def body(self, channel: str) -> dict[str, Any]:
        """As POST /v1/detections takes it."""
        return {
            "rule": self.name,
            "source": self.source,
            "metric": list(self.metrics),
            "range": {"last": self.last},
            "detector": self.detector,
            "notify": {"channels": [channel], "on": ["anomaly", "withdrawn", "partial", "failed"]},
        }


LATE_RULE = "rows-window"  # the one that first sees the late partition

RULES = (
    Rule("ranking-prophet", QUALITY, ("ndcg@10", "recall@20"), {"type": "prophet"}, "21d", 24),
    Rule(
        "ranking-window",
        QUALITY,
        ("ndcg@10", "recall@20"),
        {"type": "window", "method": "robust", "k": 5},
        "21d",
        24,
    ),
    Rule("predictions-prophet", PIPELINE, ("prediction_mean",), {"type": "prophet"}, "14d", 24),
    Rule(
        "predictions-window",
        PIPELINE,
        ("prediction_mean",),
        {"type": "window", "season": "day_of_week", "k": 4},
        "14d",
        24,
    ),
    Rule(
        LATE_RULE, PIPELINE, ("row_count",), {"type": "window", "method": "pct", "p": 30}, "14d", 24
    ),
    Rule(
        "rows-threshold",
        PIPELINE,
        ("row_count",),
        {"type": "threshold", "lower": 90_000, "no_data": "anomaly"},
        "14d",
        24,
    ),
    Rule(
        "latency-esd",
        SERVING,
        ("latency_p95_ms",),
        {"type": "seasonal_esd", "direction": "up", "max_anomalies": 0.05, "alpha": 0.001},
        "7d",
        1,
    ),
    Rule(
        "latency-window",
        SERVING,
        ("latency_p95_ms",),
        {"type": "window", "season": "hour_of_day", "direction": "up", "k": 4},
        "7d",
        1,
    ),
)
