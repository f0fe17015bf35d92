"""One look for every picture of docs/detectors/: a detector's real verdicts over a series."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

from detector_pictures.made import Case
from detectors import Reason, Result, Severity, detector_from_dict

IMAGES = Path(__file__).parents[1] / "detectors" / "images"
# Okabe and Ito's colours; shapes say the same, so that nobody needs the colours.
BAND, EXPECTED, LINE, FLAG, EVENT, SILENT = (
    "#cfe5f5", "#0072b2", "#34404c", "#d55e00", "#000000", "#e6e6e6",
)  # fmt: skip
_SHADES = 7


@dataclass(frozen=True)
class Panel:
    """One small picture: what is said above it, and the detector as a request gives it."""

    title: str
    detector: Mapping[str, Any]
    case: Case | None = None  # another series than the strip's
    start: int | None = None  # the range asked for, as rows of the case; None: all
    end: int | None = None


def judged(panel: Panel, case: Case) -> Result:
    """What the detector says, every row of it computed now."""
    start = None if panel.start is None else case.times[panel.start]
    end = None if panel.end is None else case.times[0] + panel.end * np.diff(case.times[:2])[0]
    return detector_from_dict(panel.detector).detect(case.series, start, end)


def strip(
    name: str,
    case: Case,
    panels: Sequence[Panel],
    *,
    columns: int = 0,
    height: float = 1.75,
    width: float = 9.2,
    key: bool = False,
    counts: bool = True,
    grades: bool = False,
) -> None:
    """Draw the same series once for each panel, and write docs/detectors/images/NAME.png."""
    columns = columns or len(panels)
    rows = -(-len(panels) // columns)
    tall = height * rows + 0.3 * key
    figure = Figure(figsize=(width, tall))
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    figure.subplots_adjust(
        left=0.5 / width, right=1 - 0.1 / width, wspace=0.08, hspace=0.45,
        bottom=(0.22 + 0.3 * key) / tall, top=1 - 0.36 / tall,
    )  # fmt: skip
    for axes, panel in zip(grid.flat, panels, strict=False):
        own = panel.case or case
        result = judged(panel, own)
        _draw(axes, own, result)
        if grades:
            _grades(axes, result)
        _title(axes, panel.title, _counts(own, result) if counts else "")
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for row in grid:
        row[0].set_ylabel(case.unit, fontsize=7)
    if key:
        figure.legend(
            handles=_key(), loc="outside lower center", ncols=6, fontsize=7, frameon=False
        )
    save(figure, name)


def save(figure: Figure, name: str, *more: str) -> None:
    """Write a picture with few colours, and `more`, which makes it a third as large."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=100, format="png")
    image = Image.open(drawn).convert("RGB")
    image = image.quantize(palette=_palette(*more), dither=Image.Dither.NONE)
    colors = image.getpalette() or []
    ground = 3 * int(image.getpixel((0, 0)))
    colors[ground : ground + 3] = [255] * 3
    image.putpalette(colors)
    IMAGES.mkdir(parents=True, exist_ok=True)
    image.save(IMAGES / f"{name}.png", optimize=True)
    print(f"{name}.png", (IMAGES / f"{name}.png").stat().st_size // 1000, "kB")


def _palette(*more: str) -> Image.Image:
    """Each colour and its ways to white and to the band, so that none of them is lost."""
    named = (BAND, EXPECTED, LINE, FLAG, EVENT, "#bdbdbd", SILENT, *more)
    colors = [to_rgb(color) for color in named]
    grounds = [(1.0, 1.0, 1.0), to_rgb(BAND)]
    shades = [
        round(255 * (share * a + (1 - share) * b))
        for color in colors
        for ground in grounds
        for share in np.linspace(0.15, 1, _SHADES)
        for a, b in zip(color, ground, strict=True)
    ] + [255] * 3
    palette = Image.new("P", (1, 1))
    palette.putpalette(shades)
    return palette


def _draw(axes: Any, case: Case, result: Result) -> None:
    times, shown = case.times, case.times[case.shown]
    known = np.setdiff1d(np.arange(len(times)), np.array(case.removed, int))
    values = case.values.copy()
    values[list(case.removed)] = np.nan
    inside = result.times >= shown
    at = result.times[inside]
    lower, upper = result.lower[inside], result.upper[inside]
    bare = values[case.shown :][np.isfinite(values[case.shown :])]
    least, most = float(bare.min()), float(bare.max())
    room = 0.35 * (most - least or 1)
    axes.set_ylim(least - room, most + room)
    low, high = axes.get_ylim()
    drawn = np.isfinite(result.expected[inside])
    axes.fill_between(
        at,
        np.where(drawn, np.nan_to_num(lower, nan=low - room), np.nan),
        np.where(drawn, np.nan_to_num(upper, nan=high + room), np.nan),
        color=BAND, linewidth=0, step="mid" if len(at) < 3 else None,
    )  # fmt: skip
    axes.plot(at, result.expected[inside], color=EXPECTED, linewidth=0.7, linestyle=(0, (4, 2)))
    _silent(axes, at, result.reason[inside])
    rows = np.arange(case.shown, len(times))
    axes.plot(times[rows], values[rows], color=LINE, linewidth=0.8)
    planted = rows[case.planted[rows] & np.isin(rows, known)]
    axes.plot(
        times[planted], values[planted], "o", markersize=6.5, markerfacecolor="none",
        markeredgecolor=EVENT, markeredgewidth=0.8, clip_on=False,
    )  # fmt: skip
    flagged = result.is_anomaly & inside & np.isfinite(result.values)
    axes.plot(
        result.times[flagged], result.values[flagged], "o", color=FLAG, markersize=3.8, zorder=4
    )
    told = (result.severity > 0) & inside & ~np.isfinite(result.values)
    for rows_told, face in ((told & result.is_anomaly, FLAG), (told & ~result.is_anomaly, "white")):
        axes.plot(
            result.times[rows_told], np.full(rows_told.sum(), low + 0.06 * (high - low)), "^",
            markerfacecolor=face, markeredgecolor=FLAG, markersize=5, zorder=4,
        )  # fmt: skip
    _changes(axes, result, shown)
    _quiet_axes(axes, shown, times[-1])


def _changes(axes: Any, result: Result, shown: Any) -> None:
    """Draw the fitted path and each change's date with the dates that it may have had."""
    if not result.changes:
        return
    inside = result.times >= shown
    if result.expected_trend is not None:
        axes.plot(result.times[inside], result.expected_trend[inside], color=FLAG, linewidth=0.9)
    for change in result.changes:
        axes.axvspan(change.earliest, change.latest, color=FLAG, alpha=0.18, linewidth=0)
        axes.axvline(change.time, color=FLAG, linewidth=0.9, linestyle=":")


def _grades(axes: Any, result: Result) -> None:
    """Write each anomaly's severity beside it."""
    for i in np.flatnonzero(result.is_anomaly):
        axes.annotate(
            Severity(result.severity[i]).name.lower(), (result.times[i], result.values[i]),
            xytext=(5, 2), textcoords="offset points", fontsize=6,
        )  # fmt: skip


def _silent(axes: Any, at: Any, reason: Any) -> None:
    """Hatch what got no verdict for want of history."""
    lacking = np.flatnonzero(reason == Reason.INSUFFICIENT_HISTORY)
    if not len(lacking):
        return
    step = np.median(np.diff(at)) if len(at) > 1 else np.timedelta64(1, "D")
    for part in np.split(lacking, np.flatnonzero(np.diff(lacking) > 1) + 1):
        axes.axvspan(
            at[part[0]] - step / 2, at[part[-1]] + step / 2,
            facecolor=SILENT, edgecolor="#bdbdbd", hatch="////", linewidth=0, zorder=0,
        )  # fmt: skip


def _quiet_axes(axes: Any, first: Any, last: Any) -> None:
    locator = AutoDateLocator(minticks=2, maxticks=5)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
    axes.tick_params(labelsize=6, length=2, pad=1)
    axes.spines[["top", "right"]].set_visible(False)
    pad = (last - first) * 0.02
    axes.set_xlim(first - pad, last + pad)


def _title(axes: Any, title: str, counts: str) -> None:
    text = f"{title}\n" if title and counts else title
    axes.set_title(text, loc="left", fontsize=8, fontweight="bold", pad=3)
    if counts:
        axes.text(0, 1.03, counts, transform=axes.transAxes, fontsize=7, color="#555", va="bottom")


def _counts(case: Case, result: Result) -> str:
    """How many planted events have a flag, and how many flags belong to none."""
    inside = result.times >= case.times[case.shown]
    flags = result.times[result.is_anomaly & inside]
    planted = case.times[case.planted]
    asked = [event for event in case.events if np.isin(case.times[list(event)], result.times).any()]
    found = sum(np.isin(case.times[list(event)], flags).any() for event in asked)
    false = int((~np.isin(flags, planted)).sum())
    said = f"{false} false alarm{'s' * (false != 1)}"
    return f"{found} of {len(asked)} found, {said}" if asked else said


def _key() -> list[Any]:
    def dot(**style: Any) -> Line2D:
        return Line2D([], [], linestyle="none", marker="o", **style)

    return [
        Line2D([], [], color=LINE, linewidth=1, label="value"),
        Line2D([], [], color=EXPECTED, linewidth=0.8, linestyle="--", label="expected"),
        Patch(color=BAND, label="band: normal"),
        dot(color=FLAG, markersize=4, label="flagged"),
        dot(markerfacecolor="none", markeredgecolor=EVENT, label="really unusual (planted)"),
        Patch(facecolor=SILENT, edgecolor="#bdbdbd", hatch="////", label="not judged"),
    ]
