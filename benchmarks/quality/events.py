"""Anomalies planted into a family's series, one in each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.quality.metrics import Family, Step
from detectors.series import Floats, Millis

Kind = Literal["spike", "dip", "level", "variance", "drift", "missing"]
KINDS: tuple[Kind, ...] = ("spike", "dip", "level", "variance", "drift", "missing")

POINTS: Mapping[Kind, Mapping[Step, int]] = {
    "spike": {"daily": 1, "hourly": 1},
    "dip": {"daily": 3, "hourly": 6},
    "level": {"daily": 14, "hourly": 48},
    "variance": {"daily": 14, "hourly": 48},
    "drift": {"daily": 30, "hourly": 168},
    "missing": {"daily": 2, "hourly": 6},
}
"""How long each lasts."""

WORDS: Mapping[Kind, str] = {
    "spike": "one point, 6 deviations up or down",
    "dip": "3 days or 6 hours, 5 deviations down",
    "level": "14 days or 48 hours, 4 deviations up or down",
    "variance": "14 days or 48 hours, deviations 4 times as large",
    "drift": "a ramp of 30 days or 7 days up or down to 6 deviations",
    "missing": "2 days or 6 hours without points",
}


@dataclass(frozen=True, eq=False)
class Planted:
    """Values with an event each, which lasts over [first, first + points).

    Attributes
    ----------
    values : ndarray, shape (series, points)
        NaN where points are missing.
    first : ndarray of int64, shape (series,)
    """

    values: Floats
    first: Millis
    points: int


def planted(family: Family, kind: Kind, start: int, seed: int) -> Planted:
    """Plant one event of a kind into each series somewhere from column `start` on."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    count, total = family.values.shape
    points = POINTS[kind][family.step]
    first = rng.integers(start, total - points + 1, count)
    values = family.values.copy()
    columns = first[:, None] + np.arange(points)
    rows = np.arange(count)[:, None]
    if kind == "missing":
        values[rows, columns] = np.nan
        return Planted(values, first, points)
    sign = np.where(rng.random((count, 1)) < 0.5, -1.0, 1.0)
    size: Floats | float
    if kind == "spike":
        size = 6 * sign
    elif kind == "dip":
        size = -5.0
    elif kind == "level":
        size = 4 * sign
    elif kind == "drift":
        size = sign * np.linspace(6 / points, 6, points)
    else:
        size = 4 * rng.standard_normal((count, points))
    values[rows, columns] = family.within(values[rows, columns] + size * family.deviation)
    return Planted(values, first, points)
