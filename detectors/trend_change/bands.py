"""The series of a frame on their way to the test and back."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detectors import memory
from detectors.bands import Bands
from detectors.frame import Frame
from detectors.result import Change, Flags
from detectors.series import Floats
from detectors.trend_change import critical
from detectors.trend_change.find import (
    BOUND,
    FITTED,
    PHI,
    REACH,
    SCORE,
    SIZE,
    SPREADLESS,
    STATISTIC,
    WITHOUT,
    find,
    places,
)
from detectors.trend_change.model import SLOPE
from detectors.wall_clock import DAY_MS

if TYPE_CHECKING:
    from detectors.trend_change.detector import TrendChange


_LEAST_WIDTH = 1e-12  # of about the largest value; less is rounding


@dataclass(frozen=True, slots=True)
class _Test:
    """One series' answer; arrays have a cell for each tested point."""

    expected: Floats
    fitted: Floats
    half: Floats
    score: Floats
    effect: Floats
    member: Flags
    spreadless: bool
    changes: tuple[Change, ...]


def bands_of(detector: "TrendChange", frame: Frame) -> Bands:
    """Bands of a frame's series over its judged columns, each tested up to the last of them."""
    stop = frame.judged.stop
    begin = max(min(frame.judged.start, stop - detector.window_slots(frame.grid)), 0)
    values = frame.baseline_values[:, begin:stop]
    tests = [_test(detector, frame, row, begin, values[row]) for row in range(len(values))]
    judged = slice(frame.judged.start - begin, None)
    untested = np.full(stop - frame.judged.start, np.nan)

    def stacked(name: str) -> Floats:
        column = memory.empty((len(tests), len(untested)))
        for row, one in enumerate(tests):
            column[row] = untested if one is None else getattr(one, name)[judged]
        return column

    expected, effect = stacked("expected"), stacked("effect")
    beyond = ~np.isfinite(expected)  # untested, or larger than any number
    expected[beyond] = np.nan
    return Bands(
        expected=expected,
        half=stacked("half"),
        insufficient=beyond,
        spreadless=np.array([[one is not None and one.spreadless] for one in tests]),
        # The side of a change is its own, wherever the point stands.
        centre=np.where(effect > 0, -np.inf, np.inf),
        member=stacked("member") > 0,
        score=stacked("score"),
        difference=effect,
        expected_trend=stacked("fitted"),
        changes=tuple(() if one is None else one.changes for one in tests),
    )


@np.errstate(over="ignore", invalid="ignore")  # beside the largest numbers paths are infinite
def _test(
    detector: "TrendChange", frame: Frame, row: int, begin: int, values: Floats
) -> _Test | None:
    """Test one series; None where it is too short."""
    n = len(values)
    known = ~np.isnan(values)
    period = detector.period_slots(frame.grid)
    if known.sum() < detector.fewest_points(period):
        return None
    rows, allowed = np.zeros(n, bool), np.zeros(n, bool)
    freedom = places(known, rows, allowed, period, detector.min_segment)
    if not allowed.any():
        return None
    raw_phis, bounds = critical.limits(freedom, detector.false_alarm_rate)
    room = detector.max_changes + 2
    firsts, earliest, latest = (np.zeros(room, np.int64) for _ in range(3))
    kinds, numbers = np.zeros(room, np.int8), np.zeros((room, 2))
    paths, facts = np.zeros((4, n)), np.zeros(4)
    # Squares of large and of small values are no numbers; powers of two round nothing.
    unit = _power_of_two(float(np.abs(values[known]).max()))
    middle = float(np.median(values[known] / unit))
    about = np.ascontiguousarray(values / unit - middle)
    count = find(about, period, detector.min_segment, raw_phis, critical.PHIS, bounds, firsts,
                 earliest, latest, kinds, numbers, paths, facts)  # fmt: skip
    paths[[WITHOUT, FITTED]] += middle
    paths[[WITHOUT, FITTED, REACH]] *= unit
    half = np.maximum(_filled(paths[REACH], allowed), _LEAST_WIDTH * unit)
    score, effect = np.abs(paths[SCORE]), paths[SCORE] * half
    member = np.zeros(n, bool)
    times = frame.times[min(row, len(frame.times) - 1), begin:].view("datetime64[ms]")
    step_days = frame.grid.step_ms / DAY_MS
    changes = []
    for k in range(count):
        at, size, is_slope = firsts[k], float(numbers[k, SIZE]) * unit, kinds[k] == SLOPE
        ends = firsts[k + 1] if k + 1 < count else n
        member[at] = True
        score[at] = numbers[k, STATISTIC] / facts[BOUND]
        effect[at] = size * (ends - at) if is_slope else size
        half[at] = abs(effect[at]) / score[at]
        changes.append(
            Change(
                times[at],
                "slope" if is_slope else "level",
                size / step_days if is_slope else size,
                1.0 - critical.chance(float(numbers[k, STATISTIC]), freedom, float(facts[PHI])),
                times[earliest[k]],
                times[latest[k]],
            )
        )
    return _Test(
        expected=paths[WITHOUT],
        fitted=paths[FITTED],
        half=half,
        score=score,
        effect=effect,
        member=member,
        spreadless=bool(facts[SPREADLESS]),
        changes=tuple(changes),
    )


def _filled(widths: Floats, allowed: Flags) -> Floats:
    """Give points at which no change can begin the width of the nearest one at which it can."""
    there = np.flatnonzero(allowed & ~np.isnan(widths))
    if not len(there):
        return np.full(len(widths), np.inf)
    return np.interp(np.arange(len(widths)), there, widths[there])


def _power_of_two(largest: float) -> float:
    """Give one between a number and twice of it, as far as it and its inverse are numbers."""
    return float(np.ldexp(1.0, min(max(int(np.frexp(largest)[1]), -1000), 1000)))
