"""Simulated metrics of ML products, each with a week, a trend and noise that remembers.

Every value is a law's draw about an expected value; an anomaly's size is given in deviations of
the values from that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from detectors.series import Floats, Millis
from detectors.wall_clock import DAY_MS, HOUR_MS

Step = Literal["daily", "hourly"]
Name = Literal["ctr", "ndcg", "count", "latency"]
METRICS: tuple[Name, ...] = ("ctr", "ndcg", "count", "latency")
STEP_MS: Mapping[Step, int] = {"daily": DAY_MS, "hourly": HOUR_MS}
STEPS_PER_DAY: Mapping[Step, int] = {"daily": 1, "hourly": 24}
MONDAY_MS = int(np.datetime64("2026-01-05", "ms").astype(np.int64))

_TREND = 0.10  # largest change of the level within 90 days, as a share
_IMPRESSIONS = {"daily": 20_000, "hourly": 2_000}
_OVERDISPERSION = 120.0  # of a negative binomial: variance = mean + mean^2 / this


@dataclass(frozen=True, eq=False)
class Family:
    """Many series of one metric on one grid.

    Attributes
    ----------
    values : ndarray, shape (series, points)
    deviation : ndarray, shape (series, 1)
        Of the values from what was expected.
    """

    name: Name
    step: Step
    times: Millis
    values: Floats
    deviation: Floats

    def within(self, values: Floats) -> Floats:
        """Values that such a metric can have: shares within 0 and 1, whole counts."""
        if self.name in ("ctr", "ndcg"):
            return np.clip(values, 0.0, 1.0)
        return np.maximum(np.rint(values) if self.name == "count" else values, 0.0)


def simulated(name: Name, step: Step, count: int, points: int, seed: int) -> Family:
    """Draw a family; the same arguments give the same values."""
    rng = np.random.default_rng([seed, METRICS.index(name), STEPS_PER_DAY[step]])
    times = MONDAY_MS + STEP_MS[step] * np.arange(points, dtype=np.int64)
    shape = (count, points)
    days = np.arange(points) / STEPS_PER_DAY[step]
    slope = rng.uniform(-_TREND, _TREND, (count, 1)) / 90
    level = np.exp(slope * days) * np.exp(_season(name, step, days, count, rng))
    memory = _remembering(rng, shape, 0.4)
    if name == "ctr":
        expected = 0.04 * level
        drawn = rng.binomial(_IMPRESSIONS[step], np.clip(expected * np.exp(0.02 * memory), 0, 1))
        values = drawn / _IMPRESSIONS[step]
    elif name == "ndcg":
        expected = 0.45 * level
        values = np.clip(expected + 0.006 * memory, 0, 1)
    elif name == "count":
        expected = (5_000 if step == "daily" else 300) * level
        rate = rng.gamma(_OVERDISPERSION, expected * np.exp(0.03 * memory) / _OVERDISPERSION)
        values = rng.poisson(rate).astype(np.float64)
    else:
        expected = 120 * level
        # Latencies are skewed: now and then a slow hour, never a fast one.
        values = expected * np.exp(0.05 * memory + 0.03 * rng.gumbel(size=shape))
        expected = expected * np.exp(0.03 * np.euler_gamma)
    deviation = np.std(values - expected, axis=1, keepdims=True)
    return Family(name, step, times, values, deviation)


def _season(
    name: Name, step: Step, days: NDArray[np.float64], count: int, rng: np.random.Generator
) -> Floats:
    """Logarithm of the season's factor: weekdays, and the hour where there are hours."""
    size = {"ctr": 0.05, "ndcg": 0.01, "count": 0.20, "latency": 0.06}[name]
    weekday = rng.normal(0, size, (count, 7))
    weekday -= weekday.mean(axis=1, keepdims=True)
    season: Floats = weekday[:, days.astype(np.int64) % 7]
    if step == "hourly":
        peak = rng.uniform(0, 1, (count, 1))
        season = season + 2 * size * np.cos(2 * np.pi * (days - peak))
    return season


def _remembering(rng: np.random.Generator, shape: tuple[int, int], correlation: float) -> Floats:
    """Noise of variance 1 whose neighbours are correlated."""
    drawn = rng.standard_normal(shape)
    drawn[:, 1:] *= np.sqrt(1 - correlation**2)
    made: Floats = lfilter([1.0], [1.0, -correlation], drawn, axis=1)
    return made
