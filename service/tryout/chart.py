"""One chart of a finding: the series, its band, its anomalies. PNG and SVG come from here."""

import io
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from service.tryout.judge import Finding

BAND, LINE, MARK = "#b9d2ea", "#27455f", "#d1352b"


def draw(finding: Finding, axes: Any) -> None:
    """Draw into matplotlib axes; times are UTC."""
    result = finding.result
    times = result.times
    axes.fill_between(
        times, result.lower, result.upper, color=BAND, linewidth=0, label="expected range"
    )
    values = np.where(np.isfinite(result.values), result.values, np.nan)
    axes.plot(times, values, color=LINE, linewidth=1.1, label="value")
    chosen = result.is_anomaly & np.isfinite(values)
    axes.plot(
        times[chosen], values[chosen], "o", color=MARK, markersize=5, label="anomaly", zorder=3
    )
    missing = result.is_anomaly & ~np.isfinite(values)
    for time in times[missing]:
        axes.axvline(time, color=MARK, linewidth=1, linestyle=":")
    axes.set_title(finding.series.name, loc="left", fontsize=10, parse_math=False)
    locator = AutoDateLocator(maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)


def png(findings: list[Finding]) -> bytes:
    """The findings below each other, as one PNG."""
    figure = Figure(figsize=(10, 2.6 * len(findings)), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, finding in zip(np.atleast_1d(figure.subplots(len(findings))), findings, strict=True):
        draw(finding, axes)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def svg(finding: Finding) -> str:
    """One finding as an SVG element to stand inside a page; text stays text."""
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    draw(finding, figure.subplots())
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": finding.series.name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
