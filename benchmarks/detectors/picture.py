"""Draws growth: docs/images/growth.svg. It carries a digest of the figures that it shows.

Grey lines grow in line with points or series.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from benchmarks.detectors.page import PAGE, PICTURE
from benchmarks.detectors.results import Results

IMAGE: Path = PAGE.parent / PICTURE
COLOURS = ("#27455f", "#d1352b", "#5a7fa3", "#b98a2b", "#4d8a5b", "#7a5a91")
GUIDE = "#d5dae0"
# Letters as letters, and the same file for the same figures.
STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "lupus"}
LABELS = {"points": "points of one hourly series", "series": "daily series of 100 points"}


def digest(results: Results) -> str:
    """What the picture shows, in one word."""
    shown = {name: curve.seconds for name, curve in sorted(results.growth.items())}
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]


def is_current(results: Results) -> bool:
    """Whether the picture shows these figures."""
    return IMAGE.exists() and digest(results) in IMAGE.read_text()


def draw(results: Results) -> None:
    """Both panels, logarithmic on both sides."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasSVG(figure)
    for axes, against in zip(figure.subplots(1, 2, sharey=True), LABELS, strict=True):
        _panel(axes, results, against)
    figure.axes[0].set_ylabel("processor time of one call, s")
    figure.axes[0].legend(frameon=False, fontsize=9)
    described = {"Date": None, "Title": "Growth", "Description": digest(results)}
    with rc_context(STYLE):
        figure.savefig(IMAGE, format="svg", metadata=described)
    # Without spaces that editors and hooks would take away.
    lines = [line.rstrip() for line in IMAGE.read_text().splitlines()]
    IMAGE.write_text("\n".join(lines) + "\n")


def _panel(axes: Any, results: Results, against: str) -> None:
    curves = [curve for curve in results.growth.values() if curve.against == against]
    sizes = sorted({int(size) for curve in curves for size in curve.seconds})
    for exponent in range(-9, -2):
        line = [10.0**exponent * size for size in sizes]
        axes.plot(sizes, line, color=GUIDE, linewidth=0.7, zorder=0)
    for curve, colour in zip(curves, COLOURS, strict=False):
        x = [int(size) for size in curve.seconds]
        axes.plot(x, list(curve.seconds.values()), "o-", color=colour, label=curve.type,
                  linewidth=1.4, markersize=3.5)  # fmt: skip
    seconds = [value for curve in curves for value in curve.seconds.values()]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(min(seconds) / 2, max(seconds) * 2)
    axes.set_xlabel(LABELS[against])
    axes.spines[["top", "right"]].set_visible(False)
