"""The picture of docs/detectors/README.md: false alarms on series in which nothing happens."""

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from detector_pictures.chart import FLAG, save
from detector_pictures.made import DAY, Floats, times_of, wandering
from detectors import Series, detector_from_dict

SERIES, DAYS, YEAR = 40, 738, 365
DETECTORS: dict[str, dict[str, Any]] = {
    "window": {"type": "window"},
    "window, robust": {"type": "window", "method": "robust"},
    "window, quantile": {"type": "window", "method": "quantile"},
    "prophet": {"type": "prophet"},
    "seasonal_esd": {"type": "seasonal_esd"},
}


def draw() -> None:
    """Draw all."""
    noises = _noises()
    counts = [
        [_false_alarms(one, named) for named in DETECTORS.values()] for one in noises.values()
    ]
    figure = Figure(figsize=(8.2, 2.9))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.31, right=0.99, bottom=0.03, top=0.86)
    shades = LinearSegmentedColormap.from_list("shades", ["#ffffff", FLAG])
    axes.imshow(np.sqrt(counts), cmap=shades, vmin=0, vmax=5, aspect="auto")
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            axes.text(column, row, f"{count:.1f}", ha="center", va="center", fontsize=9)
    axes.set_xticks(range(len(DETECTORS)), list(DETECTORS), fontsize=8)
    axes.set_yticks(range(len(noises)), list(noises), fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    save(figure, "noise")


def _noises() -> dict[str, list[Floats]]:
    def each(made: Any) -> list[Floats]:
        return [made(np.random.default_rng(seed), seed) for seed in range(SERIES)]

    return {
        "plain noise": each(lambda rng, _: rng.normal(100, 1, DAYS)),
        "remembers 60 % of yesterday": each(lambda _, seed: wandering(DAYS, 0.6, seed).values),
        "remembers 90 % of yesterday": each(lambda _, seed: wandering(DAYS, 0.9, seed).values),
        "now and then far out (t, 3)": each(lambda rng, _: 100 + rng.standard_t(3, DAYS)),
        "long upper tail (lognormal, 0.5)": each(lambda rng, _: 100 * rng.lognormal(0, 0.5, DAYS)),
        "rare counts (Poisson, 0.3)": each(lambda rng, _: rng.poisson(0.3, DAYS).astype(float)),
    }


def _false_alarms(values: list[Floats], named: dict[str, Any]) -> float:
    """Flags a series and year of days, after a year and more of history."""
    times = times_of(DAYS, DAY)
    series = [Series(times, one) for one in values]
    results = detector_from_dict(named).detect_many(series, times[DAYS - YEAR])
    return float(sum(result.is_anomaly.sum() for result in results) / SERIES)
