"""What Window tells of the baseline of one point."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from detectors.explain.account import Account, fact, left_out, left_out_words, span_facts
from detectors.explain.explanation import Fact
from detectors.explain.words import counted, number, wall
from detectors.frame import Frame
from detectors.window.spans import spans_of

if TYPE_CHECKING:
    from detectors.window.detector import Window

_CENTRES = {"z": "mean", "robust": "median", "quantile": "median"}
_SPREADS = {
    "z": "standard deviation",
    "robust": "scaled median absolute deviation",
    "quantile": "distance to the 5 % and 95 % quantiles",
}
_SEASONS = {
    "hour_of_day": "of the same hour of the day",
    "day_of_week": "of the same day of the week",
    "hour_of_week": "of the same hour of the week",
}


def account_of(detector: "Window", frame: Frame, column: int) -> Account:
    """Count the points of the window before a column, and say what they give."""
    first, stop = _span(detector, frame, column)
    known, usable = ~np.isnan(frame.values[0, first:stop]), frame.usable[first:stop]
    keys = detector.keys(frame)
    alike = keys[first:stop] == keys[column]
    points = int((known & usable & alike).sum())
    needed = detector.fewest_points(frame.grid)
    left = left_out(known[alike], usable[alike])
    facts = (
        Fact("points", points, "points"),
        Fact("needed", needed, "points"),
        *span_facts(frame, first, stop),
        *left,
        Fact("other_seasons", int((known & usable & ~alike).sum()), "points"),
    )
    says = f"{_where(detector, frame, first, stop)} {_of(points, detector)}{left_out_words(left)}"
    if points < max(needed, 1):
        return Account(f"{says}; at least {counted(needed, 'point')} are needed.", facts)
    more, words = _spread(detector, replace(frame, judged=slice(column, column + 1)))
    return Account(f"{says}. {words}", (*facts, *more))


def _span(detector: "Window", frame: Frame, column: int) -> tuple[int, int]:
    step_ms = frame.grid.step_ms
    spans = spans_of(
        replace(frame, judged=slice(column, column + 1)),
        detector.length(step_ms),
        detector.gap,
        detector.stepping(step_ms),
        detector.timezone,
    )
    return int(spans.first[0]), max(int(spans.first[0]), int(spans.stop[0]))


def _where(detector: "Window", frame: Frame, first: int, stop: int) -> str:
    """From the first to the last day, or hour, of the window."""
    if stop <= first:
        return "The window before the point holds"
    begin, end = wall(int(frame.wall[first])), wall(int(frame.wall[stop - 1]))
    return f"The window from {begin} to {end} holds"


def _of(points: int, detector: "Window") -> str:
    season = _SEASONS.get(detector.season)
    return f"{counted(points, 'point')} {season}" if season else counted(points, "point")


def _spread(detector: "Window", frame: Frame) -> tuple[tuple[Fact, ...], str]:
    """Centre, spread and the factor between spread and bound, in numbers and in words."""
    found = detector.statistics(frame)
    below, above = (float(half.item()) for half in detector.half_widths(found))
    centre, spread = float(found.centre.item()), float(found.below.item())
    facts = [Fact("method", detector.method), fact("centre", centre, "value")]
    if detector.method == "pct":
        facts += [Fact("p", detector.p, "percent")]
        words = (
            f"Their {detector.centre} is {number(centre)}; the bounds are {detector.p:g} % away."
        )
        return tuple(facts), words
    factor = below / spread if spread > 0 else np.nan
    facts += [
        fact("spread_below", spread, "value"),
        fact("spread_above", float(found.above.item()), "value"),
        Fact("k", detector.width),
        fact("factor", factor),
        fact("freedom", float(found.freedom.item())),
    ]
    words = f"Their {_CENTRES[detector.method]} is {number(centre)}, their "
    words += f"{_SPREADS[detector.method]} {number(spread)}"
    if detector.method == "quantile":
        words += f" below and {number(float(found.above.item()))} above"
    words += f"; the bounds are {number(below)}"
    words += f" below and {number(above)} above" if above != below else " away"
    if factor > detector.width * (1 + 1e-9):
        words += f", k = {detector.width:g} being {factor:.3g} for so few points"
    return tuple(facts), f"{words}."
