"""Which detector suits a series: the one rule, for requests and for `lupus-server try`.

It asks for the step and for how many points stand before the checked range, and for nothing that
differs from one day to the next: as the history grows each limit is passed once, and what was
chosen stays chosen. Whether a season is there is not asked: where there is none, a seasonal window
costs a little width and no false alarms, while a test for one would change its mind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detectors.wall_clock import DAY_MS

_NEARLY_A_DAY_MS = 23 * DAY_MS // 24
_LONGEST_DAY_MS = 25 * DAY_MS // 24

WEEKS = 3
"""Weeks of points before a weekday is compared with its own kind."""
FORECAST_DAYS = 90
"""Days of daily points before a forecast is made."""
MEMORY_DAYS = 91
"""Only so many days before the range are counted, so that more of them change nothing."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A detector's parameters as a request has them, and why it suits, in a few words."""

    parameters: Mapping[str, Any]
    why: str

    def __str__(self) -> str:
        """One line, the same for all series that share it."""
        own = ", ".join(
            f"{name} {value}" for name, value in self.parameters.items() if name != "type"
        )
        return f"{self.parameters['type']}{' (' + own + ')' if own else ''}: {self.why}"


SLOW = Choice({"type": "window"}, "points more than a day apart have no daily or weekly season")
FEW_DAYS = Choice({"type": "window"}, f"fewer than {7 * WEEKS} daily points: no weekday is known")
WEEKDAYS = Choice(
    {"type": "window", "season": "day_of_week"},
    f"{7 * WEEKS} daily points or more: each is compared with the same weekday",
)
FORECAST = Choice(
    {"type": "prophet"}, f"{FORECAST_DAYS} daily points or more: enough for weekdays and a trend"
)
FEW_HOURS = Choice({"type": "window"}, "fewer than 3 days of points: no hour of the day is known")
HOURS = Choice(
    {"type": "window", "season": "hour_of_day", "window": "28d"},
    "3 days of points or more: each is compared with the same hour of the day",
)
HOURS_OF_WEEK = Choice(
    {"type": "window", "season": "hour_of_week"},
    f"{WEEKS} weeks of points or more: each is compared with the same hour of the week",
)
CHOICES = (SLOW, FEW_DAYS, WEEKDAYS, FORECAST, FEW_HOURS, HOURS, HOURS_OF_WEEK)


def choice_for(step_ms: int, points: int) -> Choice:
    """Choose by the distance between points and the number of points before the range.

    Parameters
    ----------
    points : int
        Points with data in the `MEMORY_DAYS` before the checked range.
    """
    if step_ms > _LONGEST_DAY_MS:
        return SLOW
    if step_ms >= _NEARLY_A_DAY_MS:
        if points < 7 * WEEKS:
            return FEW_DAYS
        return WEEKDAYS if points < FORECAST_DAYS else FORECAST
    days = points * step_ms / DAY_MS
    if days < 3:
        return FEW_HOURS
    return HOURS if days < 7 * WEEKS else HOURS_OF_WEEK


def choices_at(step_ms: int) -> tuple[Choice, ...]:
    """List all that can be chosen at a step, by the history that each needs."""
    if step_ms > _LONGEST_DAY_MS:
        return (SLOW,)
    if step_ms >= _NEARLY_A_DAY_MS:
        return (FEW_DAYS, WEEKDAYS, FORECAST)
    return (FEW_HOURS, HOURS, HOURS_OF_WEEK)
