"""What SeasonalESD tells of the test that one point took part in."""

from typing import TYPE_CHECKING

import numpy as np

from detectors.explain.account import Account, fact, left_out, left_out_words, span_facts
from detectors.explain.explanation import Fact
from detectors.explain.words import counted, number, ordinal, wall
from detectors.frame import Frame
from detectors.seasonal_esd.as_given import fewest_points, tested_stretches
from detectors.seasonal_esd.hybrid import Tested
from detectors.series import Millis

if TYPE_CHECKING:
    from detectors.seasonal_esd.detector import SeasonalESD


def account_of(detector: "SeasonalESD", frame: Frame, column: int) -> Account:
    """Tell of the stretch that speaks for a column."""
    tested = tested_stretches(detector, frame, 0)
    here = [(rows, one) for rows, one in tested if rows.start <= column < rows.stop]
    # The first that calls it an anomaly speaks for it, else the first.
    here.sort(key=lambda part: not part[1].outcome.member[column - part[0].start])
    first, stop = (here[0][0].start, here[0][0].stop) if here else (0, frame.judged.stop)
    known = ~np.isnan(frame.values[0, first:stop])
    usable = frame.usable[first:stop]
    periods = detector.periods_slots(frame.grid)
    points, needed = int((known & usable).sum()), fewest_points(detector, periods[-1])
    left = left_out(known, usable)
    facts = (
        Fact("points", points, "points"),
        Fact("needed", needed, "points"),
        *span_facts(frame, first, stop),
        *left,
        *(Fact("period", period, "points") for period in periods),
    )
    says = f"The {counted(points, 'point')} from {wall(int(frame.wall[first]))} to "
    says += f"{wall(int(frame.wall[stop - 1]))} are tested together{left_out_words(left)}"
    if not here:
        why = "a gap in them is too long to be filled"
        if points < needed:
            why = f"at least {needed:,} are needed, more than two seasons"
        return Account(f"{says}: {why}.", facts)
    counts = np.flatnonzero(known & usable)
    value = float(frame.values[0, column])
    more, words = _test(here[0][1], value, column - first, counts)
    return Account(f"{says}. {words}", (*facts, *more))


def _test(tested: Tested, value: float, at: int, counts: Millis) -> tuple[tuple[Fact, ...], str]:
    """Season, level and rest of one point, and its place in the test."""
    found, rest = tested.found, float(tested.residuals[at])
    season, level = float(tested.seasonal[at]), tested.level
    removed = np.flatnonzero(counts[found.rows] == at)
    accepted = len(found.rows)
    step = int(removed[0]) if len(removed) else accepted
    median, spread = float(found.centres[step]), float(found.scales[step])
    critical = float(found.critical[step])
    facts = (
        fact("level", level, "value"),
        fact("seasonal", season, "value"),
        fact("trend", float(tested.trend[at]), "value"),
        fact("residual", rest, "value"),
        Fact("removed_at", step + 1 if len(removed) else None, "steps"),
        Fact("accepted", accepted, "steps"),
        Fact("tried", found.steps, "steps"),
        fact("median", median, "value"),
        fact("mad", spread, "value"),
        fact("lambda", critical),
        fact("half_width", found.half_width, "value"),
    )
    words = f"Their median is {number(level)}, and the season puts "
    words += f"{'+' if season >= 0 else '-'}{number(abs(season))} on it"
    if np.isnan(value):
        return facts, f"{words}."
    words += f", which leaves {number(rest)} of the value. "
    if spread <= 0:
        return facts, f"{words}What is left of the others does not differ at all."
    away = (
        f"{number(abs(rest - median) / spread)} median deviations from the median of what is left"
    )
    anomalies = f"{accepted:,} {'anomaly' if accepted == 1 else 'anomalies'}"
    if len(removed):
        words += f"The test removed it as the {ordinal(step + 1)} of {anomalies}: "
    else:
        words += f"The test did not remove it; it found {anomalies}: "
    return facts, f"{words}{away}, where {number(critical)} is the limit."
