"""Cutting a long series into stretches that are tested one by one.

The last stretch that would be cut short reaches back to its full length, so rows can be in two.
"""

from datetime import timedelta

import numpy as np

from detectors.parameters import Length
from detectors.series import Millis

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)


def with_spare_day(length: Length, daily: bool) -> Length:
    """Add a day to whole weeks of daily points, so that two weeks exceed two seasons."""
    if isinstance(length, timedelta) and daily and not length % _WEEK:
        return length + _DAY
    return length


def row_chunks(n: int, length: int | None) -> list[slice]:
    """Stretches of `length` rows; all rows as one stretch when it is None."""
    if length is None:
        return [slice(0, n)]
    return [
        slice(first, first + length) if first + length <= n else slice(max(n - length, 0), n)
        for first in range(0, n, length)
    ]


def time_chunks(times: Millis, length_ms: int, rows: int) -> list[slice]:
    """Stretches of a length of time that begin at every `rows`-th row."""
    last = int(times[-1])
    starts = times[::rows]
    whole = starts + length_ms <= last
    first = np.where(
        whole,
        np.searchsorted(times, starts, side="left"),
        np.searchsorted(times, last - length_ms, side="right"),
    )
    stop = np.where(whole, np.searchsorted(times, starts + length_ms, side="left"), len(times))
    return [slice(int(a), int(b)) for a, b in zip(first, stop, strict=True)]
