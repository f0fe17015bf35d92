"""Which detector suits a series: the one rule, for requests and for `lupus-server try`.

It asks for the step and for how many points stand before the checked range, and for nothing that
differs from one day to the next: as the history grows each limit is passed once, and what was
chosen stays chosen. Whether a season is there is not asked: where there is none, a seasonal window
costs a little width and no false alarms, while a test for one would change its mind. Nor are gaps
or the kind of value: what is chosen judges across gaps, and widths come from the values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detectors.auto.quiet import FORECAST_POINTS, NEARLY_A_DAY_MS, quiet
from detectors.wall_clock import DAY_MS

_LONGEST_DAY_MS = 25 * DAY_MS // 24

WEEKS = 3
"""Weeks of points before a point is compared with the same weekday, or hour of the week."""
HOUR_DAYS = 3
"""Days of points before an hour is compared with the same hour."""
MEMORY_DAYS = 91
"""Only so many days before the range are counted, so that more of them change nothing."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A detector's parameters as a request has them, and why it suits, in a few words."""

    parameters: Mapping[str, Any]
    why: str

    def __str__(self) -> str:
        """Write one line, the same for all series that share it."""
        own = ", ".join(
            f"{name} {value}" for name, value in self.parameters.items() if name != "type"
        )
        return f"{self.parameters['type']}{' (' + own + ')' if own else ''}: {self.why}"


def choice_for(step_ms: int, points: int) -> Choice:
    """Choose by the distance between points and the number of points before the range.

    Parameters
    ----------
    points : int
        Points with data in the `MEMORY_DAYS` before the checked range.
    """
    fitting = [choice for least, choice in choices_at(step_ms) if points * step_ms >= least]
    return fitting[-1]


def choices_at(step_ms: int) -> tuple[tuple[int, Choice], ...]:
    """List all that can be chosen at a step, each with the milliseconds of points it needs."""
    if step_ms > _LONGEST_DAY_MS:
        return ((0, _window("points more than a day apart have no week", step_ms)),)
    if step_ms >= NEARLY_A_DAY_MS:
        return (
            (0, _window(f"fewer than {7 * WEEKS} daily points: no weekday is known", step_ms)),
            (
                7 * WEEKS * step_ms,
                _window(
                    f"{7 * WEEKS} daily points or more: each is compared with the same weekday",
                    step_ms,
                    season="day_of_week",
                ),
            ),
            (
                FORECAST_POINTS * step_ms,
                Choice(
                    {"type": "prophet", **quiet("prophet", step_ms)},
                    f"{FORECAST_POINTS} daily points or more: enough for weekdays and a trend",
                ),
            ),
        )
    return (
        (0, _window(f"fewer than {HOUR_DAYS} days of points: no hour is known", step_ms)),
        (
            HOUR_DAYS * DAY_MS,
            _window(
                f"{HOUR_DAYS} days of points or more: each is compared with the same hour",
                step_ms,
                season="hour_of_day",
                window="28d",
            ),
        ),
        (
            7 * WEEKS * DAY_MS,
            _window(
                f"{WEEKS} weeks of points or more: each is compared with the same hour of the week",
                step_ms,
                season="hour_of_week",
                spread="per_hour",
            ),
        ),
    )


def _window(why: str, step_ms: int, **own: str) -> Choice:
    return Choice({"type": "window", **own, **quiet("window", step_ms)}, why)
