"""The pictures of docs/detectors/README.md: what the quality benchmark found, and plain noise."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from detector_pictures.chart import FLAG, SILENT, save
from detector_pictures.made import DAY, Floats, times_of, wandering
from detectors import Series, detector_from_dict

ROOT = Path(__file__).parents[2]
Row = dict[str, Any]
_AUTO = ("o", "#000000", "-")
_WINDOW, _SEASON = ("s", "#0072b2", "-"), ("D", "#56b4e9", "-")
_OWN = ("P", "#e69f00", "-")
_HOUR, _PROPHET, _ESD = ("v", "#009e73", "--"), ("^", "#d55e00", "--"), ("x", "#cc79a7", ":")
STYLES = (_AUTO, _WINDOW, _SEASON, _OWN, _HOUR, _PROPHET, _ESD)
# As the benchmark names them: marker, colour (Okabe and Ito's), line.
BENCHMARKED = {
    "daily": {
        "auto": _AUTO, "window": _WINDOW, "window, day_of_week": _SEASON, "prophet": _PROPHET,
        "seasonal_esd": _ESD,
    },
    "hourly": {
        "auto": _AUTO, "window": _WINDOW, "window, hour_of_day, 28d": _HOUR,
        "window, hour_of_week": _SEASON, "window, hour_of_week, per_hour": _OWN,
        "prophet": _PROPHET, "seasonal_esd": _ESD,
    },
}  # fmt: skip
COLUMNS = ("auto", "window", "window, day_of_week", "window, hour_of_day, 28d",
           "window, hour_of_week", "window, hour_of_week, per_hour", "prophet",
           "seasonal_esd")  # fmt: skip
MOSTLY = 0.8  # Less judged than that, and the share found says little.
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
    planted = json.loads((ROOT / "benchmarks" / "quality" / "results.json").read_text())["planted"]
    histories(planted)
    metrics(planted)
    noise()


def histories(planted: list[Row]) -> None:
    """Share of planted events found, and false alarms, by the points of history."""
    figure = Figure(figsize=(9.2, 4.4))
    FigureCanvasAgg(figure)
    grid = figure.subplots(2, 2, sharex="col", sharey="row")
    figure.subplots_adjust(left=0.08, right=0.8, bottom=0.1, top=0.92, wspace=0.08, hspace=0.12)
    for column, (step, shown) in enumerate(BENCHMARKED.items()):
        for name, (marker, color, style) in shown.items():
            found = {}
            for history in sorted({row["history"] for row in planted if row["step"] == step}):
                one = _pooled(planted, name, step, history)
                if one is not None:
                    found[history] = one
            for line, axes in enumerate(grid[:, column]):
                axes.plot(
                    list(found), [pair[line] for pair in found.values()],
                    label=name.replace(", per_hour", ",\nper_hour"), color=color,
                    linestyle=style, linewidth=1.2, marker=marker,
                    markersize=9 if name == "auto" else 5,
                    markerfacecolor="none" if name == "auto" else color,
                )  # fmt: skip
        grid[0, column].set_title(f"{step} metrics", loc="left", fontsize=9, fontweight="bold")
        grid[1, column].set_xlabel(f"{step} points of history", fontsize=8)
        grid[1, column].set_yscale("log")
    grid[0, 0].set_ylabel("planted events found, %", fontsize=8)
    grid[1, 0].set_ylabel("false alarms a year", fontsize=8)
    for axes in grid.flat:
        axes.tick_params(labelsize=7)
        axes.grid(color=SILENT, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    lines = {line.get_label(): line for axes in grid[0] for line in axes.get_lines()}
    figure.legend(
        lines.values(), lines.keys(), loc="center left", bbox_to_anchor=(0.805, 0.5), fontsize=7,
        frameon=False,
    )  # fmt: skip
    save(figure, "guide_history", *(color for _, color, _ in STYLES))


def metrics(planted: list[Row]) -> None:
    """The same by metric, with the longest history."""
    rows: dict[str, list[tuple[float, float] | None]] = {}
    for step, shown in BENCHMARKED.items():
        longest = max(row["history"] for row in planted if row["step"] == step)
        for metric in ("ndcg", "ctr", "count", "latency"):
            rows[f"{metric}, {step}"] = [
                _pooled(planted, name, step, longest, metric) if name in shown else None
                for name in COLUMNS
            ]
    figure = Figure(figsize=(9.2, 3.3))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.12, right=0.99, bottom=0.02, top=0.84)
    shades = LinearSegmentedColormap.from_list("shades", ["#ffffff", FLAG])
    alarms = [[np.nan if one is None else one[1] for one in line] for line in rows.values()]
    axes.imshow(np.sqrt(alarms), cmap=shades, vmin=0, vmax=7, aspect="auto")
    for row, line in enumerate(rows.values()):
        for column, one in enumerate(line):
            text = "" if one is None else f"{one[0]:.0f} %, {one[1]:.1f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=8)
    _heads(axes, [name.replace(", ", ",\n") for name in COLUMNS], list(rows))
    save(figure, "guide_metrics")


def _pooled(
    planted: list[Row], name: str, step: str, history: int, metric: str | None = None
) -> tuple[float, float] | None:
    """Percent of events found and false episodes a series-year; None where nothing was judged."""
    rows = [
        row
        for row in planted
        if (row["detector"], row["step"], row["history"]) == (name, step, history)
        and metric in (None, row["metric"])
    ]
    # Every request tells of missing points, so they say nothing of a detector.
    events = [one for row in rows for kind, one in row["events"].items() if kind != "missing"]
    years = sum(row["quiet"]["years"] for row in rows)
    judged = sum(row["quiet"]["judged"] for row in rows) / max(len(rows), 1)
    if judged < MOSTLY:
        return None
    found = sum(one["found"] for one in events) / sum(one["events"] for one in events)
    return 100 * found, sum(row["quiet"]["episodes"] for row in rows) / years


def _heads(axes: Any, columns: list[str], rows: list[str]) -> None:
    axes.set_xticks(range(len(columns)), columns, fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def noise() -> None:
    """False alarms a year on series in which nothing happens."""
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
    _heads(axes, list(DETECTORS), list(noises))
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
