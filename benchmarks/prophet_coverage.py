"""How often Prophet's band misses an ordinary point, by the length of its history.

    python -m benchmarks.prophet_coverage

Every series is noise (normal, with a weekly season; or with a random walk a tenth of it), judged
at its next day. The nominal rate of false alarms is 0.3 %, and 0.05 % with the width that requests
give daily points. ``min_points`` comes from these tables: docs/decisions/prophet-engines.md.
"""

from collections.abc import Callable, Iterator

import numpy as np

from detectors.auto.quiet import quiet
from detectors.prophet import Prophet
from detectors.series import Floats, Series
from detectors.wall_clock import DAY_MS

SEED = 20_260
LENGTHS = (30, 45, 60, 90, 120, 180, 365, 729)
SERIES = 20_000
WIDTHS = (0.997, float(quiet("prophet", DAY_MS)["interval_width"]))


def noise(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Draw normal noise around a weekly season."""
    season = 3 * np.sin(2 * np.pi * np.arange(shape[1]) / 7)
    values: Floats = season + rng.normal(size=shape)
    return values


def wander(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Draw the same on a random walk, which the model has no word for."""
    steps = 0.1 * rng.normal(size=shape)
    values: Floats = noise(rng, shape) + np.cumsum(steps, axis=1)
    return values


def false_alarms(
    make: Callable[[np.random.Generator, tuple[int, int]], Floats], width: float
) -> Iterator[tuple[int, float]]:
    """Yield each length of history with the share of judged points that were flagged."""
    for length in LENGTHS:
        rng = np.random.default_rng(SEED + length)
        days = np.datetime64("2024-01-01") + np.arange(length + 1)
        series = [Series(days, values) for values in make(rng, (SERIES, length + 1))]
        results = Prophet(min_points=30, interval_width=width).detect_many(series, days[-1])
        yield length, sum(int(result.is_anomaly[0]) for result in results) / SERIES


if __name__ == "__main__":
    print("| width | history | " + " | ".join(str(length) for length in LENGTHS) + " |")
    print("|---|---|" + "---|" * len(LENGTHS))
    for width in WIDTHS:
        for name, make in (("noise", noise), ("noise on a random walk", wander)):
            rates = [f"{100 * rate:.2f} %" for _, rate in false_alarms(make, width)]
            print(f"| {width} | {name} | " + " | ".join(rates) + " |")
