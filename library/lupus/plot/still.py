"""Pictures by matplotlib."""

from collections.abc import Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from lupus.chart import Chart
from lupus.plot.look import BAND, EXPECTED, LINE, MISSING, SEVERITY, gaps, moments


def still_figure(charts: Sequence[Chart]) -> Figure:
    """Draw series below each other; no state of pyplot is touched."""
    figure = Figure(figsize=(10, 2.8 * len(charts)), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, chart in zip(figure.subplots(len(charts), squeeze=False)[:, 0], charts):
        _draw(axes, chart)
    return figure


def _draw(axes: Any, chart: Chart) -> None:
    band, times = chart.band, moments(chart.band.times_ms)
    axes.fill_between(times, gaps(band.lower), gaps(band.upper), color=BAND, linewidth=0)
    axes.plot(times, gaps(band.expected), color=EXPECTED, linewidth=0.8)
    axes.plot(moments(chart.times_ms), gaps(chart.values), color=LINE, linewidth=1.1)
    for one in chart.anomalies:
        (time,) = moments([one["time_ms"]])
        if one.get("value") is None:
            axes.axvline(time, color=MISSING, linewidth=1, linestyle=":")
        else:
            colour = SEVERITY.get(one["severity"], MISSING)
            axes.plot([time], [one["value"]], "o", color=colour, markersize=5, zorder=3)
    axes.set_title(chart.name, loc="left", fontsize=10, parse_math=False)
    locator = AutoDateLocator(maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)
