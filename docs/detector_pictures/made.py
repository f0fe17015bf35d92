"""The series of the pictures: seeded, shaped like metrics of ML products, with events planted."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from detectors import Series

Floats = NDArray[np.float64]
FIRST_MONDAY = np.datetime64("2026-06-01", "ms")
DAY, HOUR = np.timedelta64(1, "D"), np.timedelta64(1, "h")


@dataclass(frozen=True)
class Case:
    """A series and which rows of it somebody should be told about."""

    times: NDArray[np.datetime64]
    values: Floats
    events: tuple[tuple[int, ...], ...] = ()  # rows of each planted event
    shown: int = 0  # rows before this one are history and stay out of the picture
    unit: str = ""
    removed: tuple[int, ...] = field(default=())

    @property
    def series(self) -> Series:
        """What a detector gets: without the removed rows."""
        keep = np.setdiff1d(np.arange(len(self.times)), np.array(self.removed, int))
        return Series(self.times[keep], self.values[keep])

    @property
    def planted(self) -> NDArray[np.bool_]:
        """Which rows belong to an event, shape (n,)."""
        rows = np.zeros(len(self.times), bool)
        for event in self.events:
            rows[list(event)] = True
        return rows

    def with_event(self, rows: range | list[int], by: float | Floats) -> "Case":
        """Add `by` to some rows and remember them as one event."""
        values = self.values.copy()
        values[list(rows)] += by
        return replace(self, values=values, events=(*self.events, tuple(rows)))

    def without(self, rows: range | list[int]) -> "Case":
        """Take points away."""
        return replace(self, removed=(*self.removed, *rows))


def times_of(n: int, step: np.timedelta64) -> NDArray[np.datetime64]:
    """`n` instants from a Monday midnight on."""
    return FIRST_MONDAY + np.arange(n) * step


def quality(n: int = 120, seed: int = 1, noise: float = 0.004) -> Case:
    """Daily nDCG: bounded, a little lower at weekends."""
    day = np.arange(n) % 7
    values = 0.42 - 0.012 * (day >= 5) + np.random.default_rng(seed).normal(0, noise, n)
    return Case(times_of(n, DAY), values, unit="nDCG, daily")


def level(n: int = 120, seed: int = 1, noise: float = 1.0, base: float = 100.0) -> Case:
    """Daily values without any season."""
    values = base + np.random.default_rng(seed).normal(0, noise, n)
    return Case(times_of(n, DAY), values, unit="daily")


def orders(n: int = 140, seed: int = 3, growth: float = 0.0) -> Case:
    """Daily orders: a strong week, and growth a day as a share of the level."""
    day = np.arange(n)
    week = np.array([1.0, 0.98, 1.0, 1.03, 1.1, 1.3, 1.22])[day % 7]
    noise = 20 * np.random.default_rng(seed).normal(size=n)
    return Case(times_of(n, DAY), 1000 * (1 + growth * day) * week + noise, unit="orders, daily")


def traffic(
    days: int = 35, seed: int = 5, noise: float = 0.04, weekend: float = 0.75, even: bool = False
) -> Case:
    """Hourly requests: quiet nights, busy days, quieter weekends; noise of one size if `even`."""
    hour = np.arange(24 * days)
    day = 1 - 0.6 * np.cos(2 * np.pi * ((hour % 24) - 3) / 24)
    week = np.where(hour // 24 % 7 >= 5, weekend, 1.0)
    shape, rng = 100 * day * week, np.random.default_rng(seed)
    size = 100.0 if even else shape
    values = shape + size * rng.normal(0, noise, len(hour))
    return Case(times_of(len(hour), HOUR), values, unit="requests, hourly")


def latency(days: int = 21, seed: int = 7) -> Case:
    """Hourly 95th percentile of a latency: skewed, with long upper tails."""
    n = 24 * days
    values = 80 * np.random.default_rng(seed).lognormal(0, 0.25, n)
    return Case(times_of(n, HOUR), values, unit="p95 ms, hourly")


def wandering(n: int, phi: float, seed: int) -> Case:
    """Daily values that remember the day before: AR(1) with deviation 1 around 100."""
    noise = np.random.default_rng(seed).normal(0, np.sqrt(1 - phi**2), n)
    values = np.empty(n)
    values[0] = noise[0] / np.sqrt(1 - phi**2)
    for i in range(1, n):
        values[i] = phi * values[i - 1] + noise[i]
    return Case(times_of(n, DAY), 100 + values, unit="daily")
