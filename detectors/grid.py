"""The grid under a series: evenly spaced slots, with at most one point each.

Steps shorter than a day are spaced in UTC. Steps of a day or more are local wall dates, so that
midnights across a change of the clocks are no gap; monthly steps are calendar months.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from detectors.series import Millis
from detectors.wall_clock import DAY_MS, HOUR_MS, MINUTE_MS, to_utc, to_wall

Unit = Literal["ms", "day", "month"]

# Steps that clocks and schedulers use; a median within 2 % of one of them is taken for it.
_USUAL_STEPS_MS = np.array(
    [s * 1000 for s in (1, 2, 5, 10, 15, 20, 30)]
    + [m * MINUTE_MS for m in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)]
    + [h * HOUR_MS for h in (1, 2, 3, 4, 6, 8, 12)],
    np.int64,
)
_NEARLY_A_DAY_MS = 23 * HOUR_MS
_MONTH_DAYS = (28, 31)


@dataclass(frozen=True, slots=True)
class Grid:
    """Slots numbered from 1970: slot k starts at k steps after the phase.

    Attributes
    ----------
    unit : "ms", "day" or "month"
    step : int
        Units between slots.
    phase_ms : int
        Offset of a slot's point from the slot's own start: within the step in UTC for unit "ms",
        the usual time of day otherwise.
    timezone : str
        IANA name; dates and seasons are read in it.
    local_phase : bool
        Whether `phase_ms` is a local time of day or a UTC one (units "day" and "month").
    """

    unit: Unit
    step: int
    phase_ms: int
    timezone: str
    local_phase: bool = True

    @property
    def step_ms(self) -> int:
        """Nominal length of a step in milliseconds; a month counts 30 days."""
        return self.step * {"ms": 1, "day": DAY_MS, "month": 30 * DAY_MS}[self.unit]

    def slots(self, epoch_ms: Millis) -> Millis:
        """Slot number of each instant: the nearest within half a step, or the wall date's."""
        if self.unit == "ms":
            return (epoch_ms - self.phase_ms + self.step // 2) // self.step
        wall = to_wall(epoch_ms, self.timezone)
        if self.unit == "month":
            return _month_numbers(wall)
        anchor = self.phase_ms // DAY_MS  # which of `step` days a multi-day step starts on
        return (wall // DAY_MS - anchor + self.step // 2) // self.step

    def times(self, slots: Millis) -> Millis:
        """UTC instant at which a slot's point is expected."""
        if self.unit == "ms":
            return slots * self.step + self.phase_ms
        if self.unit == "month":
            months = slots.astype("datetime64[M]")
            dates = months.astype("datetime64[D]").astype(np.int64) + self.phase_ms // DAY_MS
        else:
            dates = slots * self.step + self.phase_ms // DAY_MS
        time_of_day = self.phase_ms % DAY_MS
        if self.local_phase:
            return to_utc(dates * DAY_MS + time_of_day, self.timezone)
        utc = dates * DAY_MS + time_of_day
        # The UTC date of a local date may be the day before or after it.
        shift = dates - to_wall(utc, self.timezone) // DAY_MS
        return utc + shift * DAY_MS

    def count(self, length_ms: int) -> int:
        """Whole steps in a duration."""
        return length_ms // self.step_ms


def infer_grid(epoch_ms: Millis, timezone: str, step_ms: int | None = None) -> Grid:
    """Find the grid of given points; `step_ms` where it is known, else the median distance.

    A series of fewer than two points without a known step is taken for daily.
    """
    if step_ms is None:
        step_ms = _median_step_ms(epoch_ms)
    if step_ms < _NEARLY_A_DAY_MS:
        return Grid("ms", step_ms, _phase_ms(epoch_ms, step_ms), timezone)
    days = max(1, round(step_ms / DAY_MS))
    wall = to_wall(epoch_ms, timezone)
    time_of_day, local = _time_of_day_ms(epoch_ms, wall)
    if _is_monthly(wall, days):
        day_of_month = _lower_median(_days_of_month(wall)) if len(wall) else 0
        return Grid("month", 1, day_of_month * DAY_MS + time_of_day, timezone, local)
    anchor = _lower_median(wall // DAY_MS % days) if len(wall) else 0
    return Grid("day", days, anchor * DAY_MS + time_of_day, timezone, local)


def _median_step_ms(epoch_ms: Millis) -> int:
    if len(epoch_ms) < 2:
        return DAY_MS
    median = _lower_median(np.diff(epoch_ms))
    nearest = int(_USUAL_STEPS_MS[np.argmin(np.abs(_USUAL_STEPS_MS - median))])
    return nearest if abs(nearest - median) <= 0.02 * nearest else median


def _phase_ms(epoch_ms: Millis, step_ms: int) -> int:
    if not len(epoch_ms):
        return 0
    within = epoch_ms % step_ms
    phase = _lower_median(within)
    if within.min() == within.max() or abs((phase + step_ms // 2) % step_ms - step_ms // 2) > (
        step_ms // 4
    ):
        return phase
    return 0  # jitter around the clock's own slots


def _time_of_day_ms(epoch_ms: Millis, wall: Millis) -> tuple[int, bool]:
    """Usual time of day and whether it is local: local midnights move in UTC, UTC ones locally."""
    if not len(wall):
        return 0, True
    local, utc = wall % DAY_MS, epoch_ms % DAY_MS
    usual_local, usual_utc = _lower_median(local), _lower_median(utc)
    if (local == usual_local).sum() >= (utc == usual_utc).sum():
        return usual_local, True
    return usual_utc, False


def _is_monthly(wall: Millis, days: int) -> bool:
    if len(wall) < 2 or not _MONTH_DAYS[0] <= days <= _MONTH_DAYS[1]:
        return False
    return bool(np.ptp(_days_of_month(wall)) == 0)


def _days_of_month(wall: Millis) -> Millis:
    dates = wall.view("datetime64[ms]").astype("datetime64[D]")
    within: Millis = (dates - dates.astype("datetime64[M]")).astype(np.int64)
    return within


def _month_numbers(wall: Millis) -> Millis:
    return wall.view("datetime64[ms]").astype("datetime64[M]").astype(np.int64)


def _lower_median(values: Millis) -> int:
    """Take the lower of the middle values: always one of the values given."""
    middle = (len(values) - 1) // 2
    return int(np.partition(values, middle)[middle])
