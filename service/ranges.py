"""The range of a detection: resolved and absolute when it is accepted (see consistency.md)."""

from dataclasses import dataclass

import numpy as np

from detectors.errors import ParameterError
from detectors.instants import moment_ms, parse_moment
from detectors.wall_clock import to_utc, to_wall
from service.clock import DAY_MS, HOUR_MS
from service.duration import duration_ms, written
from service.errors import RequestError
from workflows.points_rows import FIRST_MS, LAST_MS

_WEEK_MS = 7 * DAY_MS
_MONTH_MS = (28 * DAY_MS, 31 * DAY_MS)  # a step in here is a calendar month
_FIRST_MONDAY_MS = 4 * DAY_MS  # wall time of 1970-01-05


@dataclass(frozen=True)
class AskedRange:
    """What a request says: ``start`` and ``end``, or ``last`` with ``align`` and ``delay``."""

    start: str | None = None
    end: str | None = None
    last: str | None = None
    align: str | None = None
    delay: str | None = None


def resolve_range(
    asked: AskedRange, timezone: str, step_ms: int | None, accepted_ms: int
) -> tuple[int, int]:
    """Absolute [start, end); ``step_ms`` is the coarsest known step of the selected metrics."""
    relative = (asked.last, asked.align, asked.delay)
    absolute = (asked.start, asked.end)
    if asked.last is not None and absolute == (None, None):
        start_ms, end_ms = _last(asked, timezone, step_ms, accepted_ms)
    elif None not in absolute and relative == (None, None, None):
        start_ms = _moment("start", asked.start, timezone)
        end_ms = _moment("end", asked.end, timezone)
    else:
        raise RequestError(
            'range: give {"start": ..., "end": ...}, or {"last": "7d"} with align and delay '
            "if you like",
            "/range",
        )
    if end_ms <= start_ms:
        raise RequestError("range: end must be after start; the end is not included", "/range")
    if start_ms < FIRST_MS or end_ms > LAST_MS:
        raise RequestError("range: allowed are the years 1900 to 2199", "/range")
    return start_ms, end_ms


def _moment(name: str, text: str | None, timezone: str) -> int:
    try:
        return moment_ms(parse_moment(name, text), timezone)
    except (ParameterError, OverflowError) as error:
        allowed = error.message if isinstance(error, ParameterError) else "out of range"
        raise RequestError(f"range.{name}: {allowed}", f"/range/{name}") from None


def _last(
    asked: AskedRange, timezone: str, step_ms: int | None, accepted_ms: int
) -> tuple[int, int]:
    length_ms = _duration("last", asked.last)
    align_ms = _duration("align", asked.align) if asked.align else step_ms or DAY_MS
    moment = accepted_ms - (_duration("delay", asked.delay, True) if asked.delay else 0)
    wall = _to_wall(moment, timezone)
    if align_ms <= HOUR_MS:
        end_ms = moment - wall % align_ms  # an hour that a clock shows twice is two hours
        wall -= wall % align_ms
    else:
        wall = _floor(wall, align_ms)
        end_ms = _to_utc(wall, timezone)
    if length_ms % DAY_MS:
        return end_ms - length_ms, end_ms
    # Whole days are local days, also those of 23 or 25 hours.
    return _to_utc(wall - length_ms, timezone), end_ms


def _duration(name: str, text: str | None, zero: bool = False) -> int:
    pointer = f"/range/{name}"
    try:
        length_ms = duration_ms(text or "")
    except ValueError as error:
        raise RequestError(f"range.{name}: {error}", pointer) from None
    if length_ms <= 0 and not zero:
        raise RequestError(f"range.{name}: must be longer than {written(length_ms)}", pointer)
    return length_ms


def _floor(wall_ms: int, align_ms: int) -> int:
    """The start of the period that holds a local wall time.

    Days begin at midnight, weeks on Monday, months (28 to 31 days) on the 1st; other lengths
    above a day count as days; shorter ones are counted from midnight.
    """
    if align_ms < DAY_MS:
        return wall_ms - wall_ms % DAY_MS % align_ms
    if _MONTH_MS[0] <= align_ms <= _MONTH_MS[1]:
        month = np.array([wall_ms], "datetime64[ms]").astype("datetime64[M]")
        return int(month.astype("datetime64[ms]").astype(np.int64)[0])
    if align_ms == _WEEK_MS:
        return wall_ms - (wall_ms - _FIRST_MONDAY_MS) % _WEEK_MS
    return wall_ms - wall_ms % DAY_MS


def _to_wall(time_ms: int, timezone: str) -> int:
    return int(to_wall(np.array([time_ms]), timezone)[0])


def _to_utc(wall_ms: int, timezone: str) -> int:
    return int(to_utc(np.array([wall_ms]), timezone)[0])
