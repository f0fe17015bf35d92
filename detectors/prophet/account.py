"""What Prophet tells of the forecast that one point is compared with."""

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from detectors.explain.account import Account, fact, left_out, left_out_words, span_facts
from detectors.explain.explanation import Fact
from detectors.explain.words import counted, number, utc, wall
from detectors.frame import Frame
from detectors.prophet.design import Calendar, Design, Floats, Ints
from detectors.prophet.holidays import holiday_columns
from detectors.wall_clock import to_utc

if TYPE_CHECKING:
    from detectors.prophet.detector import Prophet


def account_of(detector: "Prophet", frame: Frame, column: int) -> Account:
    """Tell of the refit before a column: its history, and the parts of its forecast."""
    judged = slice(column, column + 1)
    ((before, _),) = detector.schedule.refits(frame.wall, judged, frame.grid.step_ms)
    midnight = detector.schedule.midnights(frame.wall[judged])
    known, excluded = ~np.isnan(frame.values[0, before]), detector.excluded(frame)[before]
    rows = before[known & ~excluded]
    calendar = Calendar(frame.wall, holiday_columns(frame.wall, detector.holidays))
    left = left_out(known, ~excluded)
    needed = _needed(detector, calendar, rows)
    facts = (
        Fact("points", len(rows), "points"),
        Fact("needed", needed, "points"),
        Fact("refit", utc(int(to_utc(midnight, detector.timezone)[0])), "time"),
        *(span_facts(frame, int(before[0]), int(before[-1]) + 1) if len(before) else ()),
        *left,
    )
    says = f"The model was fitted at {wall(int(midnight[0]))} to {counted(len(rows), 'point')}"
    if len(before):
        says += f" from {wall(int(frame.wall[before[0]]))} on"
    says += left_out_words(left)
    if len(rows) < needed:
        return Account(f"{says}; at least {counted(needed, 'point')} are needed.", facts)
    more, words = _forecast(detector, Design.of(detector.model, calendar, rows),
                            frame.values[0, rows], column)  # fmt: skip
    return Account(f"{says}. {words}", (*facts, *more))


def _needed(detector: "Prophet", calendar: Calendar, rows: Ints) -> int:
    if len(rows) < 2:
        return detector.fewest_points
    return max(detector.fewest_points, Design.of(detector.model, calendar, rows).least_points)


def _forecast(
    detector: "Prophet", design: Design, history: Floats, column: int
) -> tuple[tuple[Fact, ...], str]:
    """Forecast, its standard deviation, and its parts where the direct engine made it."""
    if history.min() == history.max():
        return (), f"They all are {number(float(history[0]))}, and so is the forecast."
    future = np.array([column])
    factor = NormalDist().inv_cdf((1 + detector.interval_width) / 2)
    found = detector.forecaster(design, history[None], future)
    expected, sigma = float(found.expected.item()), float(found.spread.item())
    words = f"The forecast is {number(expected)}"
    facts = [
        fact("forecast", expected, "value"),
        fact("sigma", sigma, "value"),
        Fact("interval_width", detector.interval_width, "share"),
        fact("factor", factor),
    ]
    parts = {} if detector.uses_package else _parts(design, history, future)
    if parts:
        unit = "share" if design.model.seasonality_mode == "multiplicative" else "value"
        facts += [fact(name, part, "value" if name == "trend" else unit)
                  for name, part in parts.items()]  # fmt: skip
        words += f": trend {number(parts['trend'])}"
        words += "".join(_part(name, part, unit) for name, part in parts.items() if name != "trend")
    words += (
        f". Its standard deviation is {number(sigma)}, and {detector.interval_width * 100:g} % of "
    )
    words += f"ordinary points lie within {factor:.3g} of them."
    return tuple(facts), words


def _part(name: str, part: float, unit: str) -> str:
    if unit == "share":
        return f", {name} {part * 100:+.3g} %"
    return f", {name} {'+' if part >= 0 else '-'}{number(abs(part))}"


def _parts(design: Design, history: Floats, future: Ints) -> dict[str, float]:
    from detectors.prophet import direct  # noqa: PLC0415 - numba is slow to import

    return direct.parts(design, history, future)
