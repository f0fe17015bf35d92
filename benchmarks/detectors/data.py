"""The series that rows are measured on; seeded, so that every run has the same."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.stats import norm, t

Floats = NDArray[np.float64]

SEED = 7
FIRST_MS = 1_704_067_200_000
DAY_MS = 86_400_000


def seasonal(series: int, points: int, period: int, spikes: int) -> Floats:
    """A level, a season, noise and spikes up and down; shape (series, points)."""
    rng = np.random.default_rng(SEED)
    season = 3 * np.sin(2 * np.pi * np.arange(points) / period)
    values = rng.normal(size=(series, points))
    values += season * rng.uniform(0.5, 2, (series, 1)) + rng.uniform(50, 1000, (series, 1))
    rows = np.repeat(np.arange(series), spikes)
    columns = rng.integers(0, points, (series, spikes)).ravel()
    values[rows, columns] += rng.choice((-1, 1), len(rows)) * rng.uniform(6, 20, len(rows))
    return values


def breaking_trends(series: int, points: int, gaps: int = 0) -> Floats:
    """A level, a weekly season, a break of trend and noise; some points missing but the last."""
    rng = np.random.default_rng(SEED)
    days = np.arange(points)
    values = rng.normal(size=(series, points)) + rng.uniform(10, 1000, (series, 1))
    values += rng.uniform(0.2, 3, (series, 1)) * np.sin(2 * np.pi * days / 7)
    breaks = rng.integers(points // 7, points * 6 // 7, (series, 1))
    values += 0.02 * rng.normal(size=(series, 1)) * np.maximum(days - breaks, 0)
    if gaps:
        rows = np.repeat(np.arange(series), gaps)
        values[rows, rng.integers(0, points - 8, (series, gaps)).ravel()] = np.nan
    return values


def long_form(folder: Path, values: Floats) -> None:
    """Write daily points as people have them: one row for each, by day, series by name."""
    series, points = values.shape
    names = pa.array([f"{i:06}" for i in range(series)])
    columns = {
        "series": names.take(pa.array(np.tile(np.arange(series), points))),
        "ts": np.repeat(FIRST_MS + DAY_MS * np.arange(points), series),
        "value": values.T.ravel(),
    }
    (folder / "points").mkdir()
    pq.write_table(pa.table(columns), folder / "points" / "points.parquet")


def student_factor(count: int, k: float = 3.0) -> float:
    """Half-width of the prediction interval of `Window(method="z")`, in standard deviations."""
    return float(t.isf(norm.sf(k), count - 1) * np.sqrt(1 + 1 / count))
