"""A few hundred series as ML products have them, before anything is planted."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]

DAYS = 400  # of daily history
HOURS = 24 * 35
REGIONS = ("jp", "tw", "th", "id", "us", "de", "br", "in", "fr", "kr", "vn", "mx")
MODELS = ("baseline", "dnn-v3", "dnn-v4", "two-tower")
SEGMENTS = ("new", "casual", "regular", "heavy")
TABLES = ("clicks", "impressions", "users", "items", "purchases", "sessions", "searches", "ads")
ENDPOINTS = tuple(f"/v{v}/{verb}" for v in (1, 2) for verb in ("rank", "embed", "search", "feed"))

QUALITY = "job.demo-ranker"
PIPELINE = "job.demo-pipeline"
SERVING = "job.demo-serving"


@dataclass
class DemoSeries:
    """One series of the demonstration; ``values`` may be changed by planting."""

    source: str
    metric: str
    labels: dict[str, str]
    times: list[datetime]
    values: Floats
    noise: float  # standard deviation of one point, in the metric's unit
    missing: set[int] = field(default_factory=set)  # rows that never arrive

    @property
    def name(self) -> str:
        """As people write it: ``ndcg@10{model="dnn-v4",region="jp"}``."""
        inside = ",".join(f'{key}="{value}"' for key, value in sorted(self.labels.items()))
        return f"{self.metric}{{{inside}}}"


def make_series(today: datetime, seed: int) -> list[DemoSeries]:
    """All series, ending before ``today`` (a UTC midnight)."""
    rng = np.random.default_rng(seed)
    return [*_quality(today, rng), *_pipeline(today, rng), *_serving(today, rng)]


def _daily(today: datetime) -> tuple[list[datetime], Floats]:
    times = [today - timedelta(days=DAYS - i) for i in range(DAYS)]
    return times, np.array([t.weekday() for t in times], dtype=np.float64)


def _quality(today: datetime, rng: np.random.Generator) -> Iterator[DemoSeries]:
    """Offline evaluation by region and model: bounded, with a mild weekly season and a drift."""
    times, weekday = _daily(today)
    weekend = weekday >= 5
    for region in REGIONS:
        for model in MODELS:
            for metric, level, noise in (("ndcg@10", 0.42, 0.004), ("recall@20", 0.31, 0.005)):
                base = level + rng.normal(0, 0.03)
                drift = np.linspace(0, rng.normal(0, 0.01), DAYS)
                season = np.where(weekend, rng.normal(-0.008, 0.003), 0.0)
                values = base + drift + season + rng.normal(0, noise, DAYS)
                yield DemoSeries(
                    QUALITY, metric, {"region": region, "model": model}, times, values, noise
                )


def _pipeline(today: datetime, rng: np.random.Generator) -> Iterator[DemoSeries]:
    """Prediction means by region and segment, and row counts of input tables by region."""
    times, weekday = _daily(today)
    for region in REGIONS:
        for segment in SEGMENTS:
            base = rng.uniform(0.02, 0.12)
            week = 1 + 0.05 * np.sin(2 * np.pi * (weekday + rng.uniform(0, 7)) / 7)
            noise = base * 0.015
            values = base * week + rng.normal(0, noise, DAYS)
            labels = {"region": region, "segment": segment}
            yield DemoSeries(PIPELINE, "prediction_mean", labels, times, values, noise)
    for region in REGIONS[:6]:
        for table in TABLES:
            base = 10 ** rng.uniform(5, 7)
            growth = np.linspace(1, rng.uniform(1.0, 1.3), DAYS)
            week = np.where(weekday >= 5, rng.uniform(1.1, 1.3), 1.0)
            values = np.round(base * growth * week * rng.lognormal(0, 0.02, DAYS))
            labels = {"region": region, "table": table}
            yield DemoSeries(PIPELINE, "row_count", labels, times, values, base * 0.02)


def _serving(today: datetime, rng: np.random.Generator) -> Iterator[DemoSeries]:
    """Hourly 95th percentiles of latency by endpoint and region: skewed, with a daily season."""
    times = [today - timedelta(hours=HOURS - i) for i in range(HOURS)]
    hour = np.array([t.hour for t in times], dtype=np.float64)
    for endpoint in ENDPOINTS:
        for region in REGIONS[:6]:
            base = rng.uniform(40, 120)
            day = 1 + 0.25 * np.sin(2 * np.pi * (hour - rng.uniform(6, 10)) / 24)
            values = base * day * rng.lognormal(0, 0.04, HOURS)
            labels = {"endpoint": endpoint, "region": region}
            yield DemoSeries(SERVING, "latency_p95_ms", labels, times, values, base * 0.04)


def midnight(now: datetime) -> datetime:
    """The UTC midnight at or before ``now``."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
