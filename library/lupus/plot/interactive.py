"""Pictures by plotly: what a point is, is said under the mouse."""

from collections.abc import Sequence
from typing import Any

from plotly import graph_objects
from plotly.subplots import make_subplots

from lupus.chart import Chart
from lupus.plot.look import BAND, EXPECTED, LINE, MISSING, SEVERITY, gaps, moments

_HEIGHT_PX = 260


def interactive_figure(charts: Sequence[Chart]) -> Any:
    """Draw series below each other."""
    titles = [chart.name for chart in charts]
    figure = make_subplots(rows=len(charts), cols=1, subplot_titles=titles)
    for row, chart in enumerate(charts, 1):
        for trace in _traces(chart):
            figure.add_trace(trace, row=row, col=1)
        for one in chart.anomalies:
            if one.get("value") is None:
                (time,) = moments([one["time_ms"]])
                figure.add_vline(time, line={"color": MISSING, "dash": "dot"}, row=row, col=1)
    figure.update_layout(
        showlegend=False, height=_HEIGHT_PX * len(charts), template="plotly_white", hovermode="x"
    )
    return figure


def _traces(chart: Chart) -> list[Any]:
    band, times = chart.band, moments(chart.band.times_ms)
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    seen = [one for one in chart.anomalies if one.get("value") is not None]
    marks = [SEVERITY.get(one["severity"], MISSING) for one in seen]
    return [
        graph_objects.Scatter(x=times, y=gaps(band.lower), **edge),
        graph_objects.Scatter(x=times, y=gaps(band.upper), fill="tonexty", fillcolor=BAND, **edge),
        graph_objects.Scatter(
            x=times, y=gaps(band.expected), name="expected", line={"color": EXPECTED, "width": 1}
        ),
        graph_objects.Scatter(
            x=moments(chart.times_ms), y=gaps(chart.values), name="value", line={"color": LINE}
        ),
        graph_objects.Scatter(
            x=moments([one["time_ms"] for one in seen]),
            y=[one["value"] for one in seen],
            name="anomaly",
            mode="markers",
            text=[f"{one['severity']} {one.get('direction', '')}" for one in seen],
            marker={"color": marks, "size": 8},
        ),
    ]
