"""Numbers, times and lengths as the sentences of an explanation write them."""

import math

import numpy as np

from detectors.wall_clock import DAY_MS, HOUR_MS, MINUTE_MS

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday
_UNITS = ((DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute"), (1000, "second"))
_WHOLE = 1e12


def number(value: float) -> str:
    """Six significant digits, whole numbers whole."""
    if math.isinf(value):
        return "unbounded"
    if value == round(value, 0) and abs(value) < _WHOLE:
        return f"{value:,.0f}"
    return f"{value:,.6g}"


def counted(count: int, noun: str) -> str:
    """``1 point``, ``1,200 points``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def ordinal(count: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    if count % 100 in (11, 12, 13):
        return f"{count:,}th"
    return f"{count:,}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(count % 10, 'th') }"


def length(milliseconds: int) -> str:
    """``1 day``, ``5 minutes``: in the largest unit that divides it."""
    for unit_ms, noun in _UNITS:
        if milliseconds and milliseconds % unit_ms == 0:
            return counted(milliseconds // unit_ms, noun)
    return f"{milliseconds:,} ms"


def utc(milliseconds: int) -> str:
    """RFC 3339 in UTC; milliseconds only when there are some."""
    unit = "ms" if milliseconds % 1000 else "s"
    return f"{np.datetime64(milliseconds, 'ms').astype(f'datetime64[{unit}]')}Z"


def wall(milliseconds: int) -> str:
    """``Sun 2026-03-01``, with the time of day where it is not midnight."""
    moment = np.datetime64(milliseconds, "ms")
    days, within = divmod(milliseconds, DAY_MS)
    text = f"{_DAYS[(days + _EPOCH_WEEKDAY) % 7]} {moment.astype('datetime64[D]')}"
    if within == 0:
        return text
    unit = "m" if within % MINUTE_MS == 0 else "s" if within % 1000 == 0 else "ms"
    return f"{text} {str(moment.astype(f'datetime64[{unit}]')).partition('T')[2]}"
