"""The test of one series in a frame, forgiving about gaps."""

from dataclasses import replace
from math import trunc
from typing import TYPE_CHECKING

import numpy as np

from detectors.frame import Frame
from detectors.result import Flags
from detectors.seasonal_esd.chunks import row_chunks
from detectors.seasonal_esd.gaps import filled_linearly, gaps_are_short, with_season_for
from detectors.seasonal_esd.hybrid import Criteria, Outcome, Tested, merged, run_test
from detectors.seasonal_esd.limits import limit_of
from detectors.seasonal_esd.twitter import MAX_ANOMALIES, at_least_one
from detectors.series import Floats
from detectors.wall_clock import DAY_MS

if TYPE_CHECKING:
    from detectors.seasonal_esd.detector import SeasonalESD


def outcome_as_given(detector: "SeasonalESD", frame: Frame, row: int) -> Outcome:
    """Test a series up to the last judged slot; NaN where there is too little history."""
    n = frame.judged.stop
    tested = tested_stretches(detector, frame, row)
    outcome = merged([(stretch, one.outcome) for stretch, one in tested], n)
    if detector.threshold is None or not tested:
        return outcome
    values = frame.values[row, :n]
    counts = ~np.isnan(values) & frame.usable[:n]
    limit = limit_of(values[counts], frame.wall[:n][counts] // DAY_MS, detector.threshold)
    return replace(outcome, member=outcome.member & (values >= limit))


def tested_stretches(detector: "SeasonalESD", frame: Frame, row: int) -> list[tuple[slice, Tested]]:
    """Test each stretch of a series that is long enough; none where there is too little history."""
    n = frame.judged.stop
    values, usable = frame.values[row, :n], frame.usable[:n]
    known = ~np.isnan(values)
    counts = known & usable
    *shorter, period = detector.periods_slots(frame.grid)
    length = detector.stretch_slots(frame.grid)
    if counts.sum() < fewest_points(detector, period):
        return []
    filled = values
    if not counts.all():
        if not gaps_are_short(known, min([*shorter, period])):
            return []
        filled = with_season_for(filled_linearly(values, known), known & ~usable, period)
    criteria = Criteria(
        period, detector.alpha, detector.direction, fall_back=True, shorter=tuple(shorter)
    )
    share = at_least_one(detector.max_anomalies, n)
    tested = (
        _tested(values, filled, counts, stretch, criteria, share)
        for stretch in row_chunks(n, length)
    )
    return [one for one in tested if one is not None]


def fewest_points(detector: "SeasonalESD", period: int) -> int:
    """More than two periods of so many points, and what the caller wants."""
    return max(2 * period + 1, detector.min_points or 0)


def _tested(
    values: Floats,
    filled: Floats,
    counts: Flags,
    stretch: slice,
    criteria: Criteria,
    share: float,
) -> tuple[slice, Tested] | None:
    """Test one stretch between its first and last value; None if it has two periods or less."""
    there = np.flatnonzero(~np.isnan(filled[stretch]))
    if len(there) <= 2 * criteria.period:
        return None
    inside = slice(stretch.start + int(there[0]), stretch.start + int(there[-1]) + 1)
    points = int(counts[inside].sum())
    if points <= 2 * criteria.period:
        return None
    steps = steps_of(stretch.stop - stretch.start, points, share)
    if points == len(there):
        return inside, run_test(values[inside], steps, criteria)
    return inside, run_test(values[inside], steps, criteria, counts[inside], filled[inside])


def steps_of(slots: int, points: int, share: float) -> int:
    """Slots count for the share, points for the most that can be unusual among them."""
    return max(min(trunc(slots * share), trunc(points * MAX_ANOMALIES)), 1)
