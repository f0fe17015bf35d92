"""What TrendChange tells of the test that one point took part in."""

from typing import TYPE_CHECKING

import numpy as np

from detectors.explain.account import Account, fact, left_out, left_out_words, span_facts
from detectors.explain.explanation import Fact
from detectors.explain.words import counted, number, utc, wall
from detectors.frame import Frame
from detectors.result import Change

if TYPE_CHECKING:
    from detectors.trend_change.detector import TrendChange

_SURE = 0.999  # more digits tell nobody more


def account_of(detector: "TrendChange", frame: Frame, column: int) -> Account:
    """Tell of the tested stretch, its changes, and the one that begins at a column."""
    stop = frame.judged.stop
    first = max(min(frame.judged.start, stop - detector.window_slots(frame.grid)), 0)
    known, usable = ~np.isnan(frame.values[0, first:stop]), frame.usable[first:stop]
    period = detector.period_slots(frame.grid)
    points, needed = int((known & usable).sum()), detector.fewest_points(period)
    left = left_out(known, usable)
    facts = (
        Fact("points", points, "points"),
        Fact("needed", needed, "points"),
        *span_facts(frame, first, stop),
        *left,
        Fact("period", period, "points"),
    )
    says = f"The {counted(points, 'point')} from {wall(int(frame.wall[first]))} to "
    says += f"{wall(int(frame.wall[stop - 1]))} are tested together for lasting changes"
    says += left_out_words(left)
    if points < needed:
        return Account(f"{says}; at least {counted(needed, 'point')} are needed.", facts)
    more, words = _test(detector, frame, column)
    return Account(f"{says}. {words}", (*facts, *more))


def _test(detector: "TrendChange", frame: Frame, column: int) -> tuple[tuple[Fact, ...], str]:
    bands = detector.bands(frame)
    (changes,) = bands.changes or ((),)
    at = column - frame.judged.start
    assert bands.expected_trend is not None
    without, fitted = float(bands.expected[0, at]), float(bands.expected_trend[0, at])
    facts = (
        Fact("changes", len(changes)),
        fact("without", without, "value"),
        fact("fitted", fitted, "value"),
    )
    if not changes:
        return facts, "No change is found in them."
    verb = "is" if len(changes) == 1 else "are"
    words = f"{counted(len(changes), 'change')} {verb} found in them. "
    if np.isfinite(without):
        words += f"Without the latest of them the series would be at {number(without)} here; "
        words += f"the path with them is at {number(fitted)}. "
    time = frame.times[0, column].astype("datetime64[ms]")
    here = next((one for one in changes if one.time == time), None)
    if here is None:
        return facts, f"{words}None begins here."
    return (*facts, *_facts(here)), words + _words(here)


def _facts(change: Change) -> tuple[Fact, ...]:
    unit = "value" if change.kind == "level" else "value a day"
    return (
        Fact("kind", change.kind),
        Fact("size", change.size, unit),
        Fact("confidence", change.confidence, "share"),
        Fact("earliest", _utc(change.earliest), "time"),
        Fact("latest", _utc(change.latest), "time"),
    )


def _words(change: Change) -> str:
    size = f"{'+' if change.size > 0 else '-'}{number(abs(change.size))}"
    what = f"The {change.kind} changes by {size}{'' if change.kind == 'level' else ' a day'}"
    between = f"between {_utc(change.earliest)} and {_utc(change.latest)}"
    sure = f"{change.confidence * 100:.3g} %"
    if change.confidence > _SURE:
        sure = f"more than {_SURE * 100:g} %"
    return f"{what} here, {sure} sure; its date lies {between}, 95 % sure."


def _utc(moment: np.datetime64) -> str:
    return utc(int(moment.astype("datetime64[ms]").astype(np.int64)))
