"""The test of one series in a frame, as Twitter's R package answers for it."""

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detectors.errors import InsufficientHistoryError, ParameterError
from detectors.frame import Frame
from detectors.seasonal_esd.chunks import row_chunks, time_chunks, with_spare_day
from detectors.seasonal_esd.hybrid import Criteria, Outcome, merged, spread
from detectors.seasonal_esd.limits import limit_of
from detectors.seasonal_esd.timestamps import PERIODS, granularity
from detectors.seasonal_esd.twitter import at_least_one, rows_outcome, stretch_outcome
from detectors.series import Floats, Millis
from detectors.wall_clock import DAY_MS

if TYPE_CHECKING:
    from detectors.seasonal_esd.detector import SeasonalESD

_DAY = timedelta(days=1)
_LEAST_LONGTERM = timedelta(days=14)


def outcome_as_twitter(detector: "SeasonalESD", frame: Frame, row: int) -> Outcome:
    """Test the rows that a series has up to the last judged slot."""
    slots = _given_slots(frame, row)
    values = frame.values[row, slots]
    if detector.period is None:
        times = frame.times[min(row, len(frame.times) - 1), slots]
        outcome = _with_times(detector, times, values)
    else:
        outcome = rows_outcome(
            values,
            _criteria(detector, detector.period_slots(frame.grid)),
            detector.max_anomalies,
            detector.stretch_slots(frame.grid),
            detector.threshold,
        )
    return spread(outcome, slots, frame.judged.stop)


def _given_slots(frame: Frame, row: int) -> NDArray[np.int64]:
    """Slots with a row, which R knows alone; only the first and last rows can lack a value."""
    n = frame.judged.stop
    known = np.flatnonzero(~np.isnan(frame.values[row, :n]))
    if not len(known):
        return np.arange(n)
    # Behind the last value no row can be told from an empty slot before the requested end.
    stop = n if frame.request.end_ms is None else int(known[-1]) + 1
    return np.concatenate([np.arange(known[0]), known, np.arange(known[-1] + 1, stop)])


def _with_times(detector: "SeasonalESD", times: Millis, values: Floats) -> Outcome:
    """AnomalyDetectionTs: season and stretches follow from the timestamps."""
    n, unit = len(times), granularity(times)
    if unit == "second":
        raise InsufficientHistoryError("the last two rows are less than a minute apart")
    criteria = _criteria(detector, PERIODS[unit])
    share = at_least_one(detector.max_anomalies, n)
    parts = [
        (stretch, stretch_outcome(values[stretch], criteria, share))
        for stretch in _stretches(detector, times, unit == "day", criteria.period)
    ]
    outcome = merged(parts, n)
    if detector.threshold is None:
        return outcome
    limit = limit_of(values, times // DAY_MS, detector.threshold)
    return replace(outcome, member=outcome.member & (values >= limit))


def _stretches(detector: "SeasonalESD", times: Millis, daily: bool, period: int) -> list[slice]:
    length = detector.longterm
    if length is None or isinstance(length, int):
        return row_chunks(len(times), length)
    if length < _LEAST_LONGTERM:
        raise ParameterError("longterm", 'the R package takes no less than two weeks, "14d"')
    longer = with_spare_day(length, daily)
    assert isinstance(longer, timedelta)
    days = longer / _DAY
    # The rows that these days would have if each season were whole; R steps by them, not by time.
    rows = round(days if daily else days * period)
    return time_chunks(times, round(days * DAY_MS), rows)


def _criteria(detector: "SeasonalESD", period: int) -> Criteria:
    return Criteria(period, detector.alpha, detector.direction, fall_back=False)
