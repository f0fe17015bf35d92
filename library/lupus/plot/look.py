"""What both engines share: colours, and numbers with a gap where there is none."""

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from typing import Optional

BAND, LINE, EXPECTED, MISSING = "#b9d2ea", "#27455f", "#6f9ac4", "#d1352b"
SEVERITY = {"warning": "#e8a33d", "major": "#e06a1f", "critical": "#d1352b"}


def gaps(numbers: Iterable[Optional[float]]) -> list[float]:
    """Give NaN for what is not there: lines break at it."""
    return [math.nan if number is None else number for number in numbers]


def moments(times_ms: Sequence[int]) -> list[dt.datetime]:
    """Give UTC times."""
    start = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
    return [start + dt.timedelta(milliseconds=time) for time in times_ms]
