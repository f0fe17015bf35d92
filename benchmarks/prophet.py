"""Prophet's direct engine against the prophet package: fit and interval of daily series.

    python -m benchmarks.prophet

1,000 series of 730 days, the last one judged (one fit each), in one batch, against the package's
own fit and predict of some of the same series. One process, sides alternating, medians.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

from detectors.prophet import Prophet, package
from detectors.series import Series

SEED = 7
SERIES, DAYS = 1_000, 730
ROUNDS, PACKAGE_SERIES = 5, 20


def make_series() -> list[Series]:
    """Draw levels with a weekly season, a slow drift, a break of trend and noise."""
    rng = np.random.default_rng(SEED)
    t = np.arange(DAYS)
    days = np.datetime64("2024-01-01") + t
    made = []
    for _ in range(SERIES):
        values = rng.uniform(10, 1000) + rng.uniform(0.2, 3) * np.sin(2 * np.pi * t / 7)
        values = values + rng.normal() * 0.02 * np.maximum(t - rng.integers(100, 600), 0)
        made.append(Series(days, values + rng.normal(size=DAYS)))
    return made


def fit_and_predict(series: list[Series]) -> None:
    """Do with the package what its manual says: fit, then predict with an interval."""
    import pandas as pd

    prophet = package.load()
    for one in series:
        frame = pd.DataFrame({"ds": one.times, "y": one.values})
        with package.quiet():
            fitted = prophet.Prophet(interval_width=0.997, scaling="minmax").fit(frame[:-1])
            fitted.predict(frame[-1:])
            fitted.stan_backend.cleanup()


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    """Print milliseconds per series and the ratios."""
    series = make_series()
    some = series[:PACKAGE_SERIES]
    last, week = series[0].times[-1], series[0].times[-7]
    gaps = [Series(one.times, one.values.copy()) for one in series]
    rng = np.random.default_rng(SEED)
    for one in gaps:
        one.values[rng.integers(0, DAYS - 8, 8)] = np.nan
    sides: dict[str, tuple[int, Callable[[], object]]] = {
        "direct": (SERIES, lambda: Prophet(engine="direct").detect_many(series, last)),
        "direct, each with its own gaps": (SERIES, lambda: Prophet().detect_many(gaps, last)),
        "direct, seven daily refits": (SERIES, lambda: Prophet().detect_many(series, week)),
        "direct, multiplicative": (
            PACKAGE_SERIES,
            lambda: Prophet(seasonality_mode="multiplicative").detect_many(some, last),
        ),
        "engine package": (
            PACKAGE_SERIES,
            lambda: Prophet(engine="package").detect_many(some, last),
        ),
        "package": (PACKAGE_SERIES, lambda: fit_and_predict(some)),
    }
    for _, work in sides.values():
        work()  # imports and compiles
    rounds = [{name: seconds(work) for name, (_, work) in sides.items()} for _ in range(ROUNDS)]
    each = {
        name: 1e3 * statistics.median(taken[name] for taken in rounds) / count
        for name, (count, _) in sides.items()
    }
    for name, milliseconds in each.items():
        ratio = each["package"] / milliseconds
        print(f"{name:30s} {milliseconds:9.3f} ms a series {ratio:8.1f} x")


if __name__ == "__main__":
    main()
