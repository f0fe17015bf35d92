"""UTC to local wall time and back, on arrays of epoch milliseconds.

Wall milliseconds are the milliseconds since 1970-01-01T00:00 that a local clock shows.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from detectors.series import Millis

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def to_wall(utc_ms: Millis, timezone: str) -> Millis:
    """Wall milliseconds in `timezone` of UTC instants, same shape."""
    if timezone == "UTC" or not utc_ms.size:
        return utc_ms
    changes, offsets = _offsets(timezone, *_years(utc_ms))
    return utc_ms + offsets[np.searchsorted(changes, utc_ms, side="right")]


def to_utc(wall_ms: Millis, timezone: str) -> Millis:
    """UTC instants of wall times: the earlier of two, and the first instant after a gap."""
    if timezone == "UTC" or not wall_ms.size:
        return wall_ms
    changes, offsets = _offsets(timezone, *_years(wall_ms))
    # The change that a wall time may lie near is the last whose new wall time it has reached ...
    k = np.searchsorted(changes + offsets[1:], wall_ms, side="right")
    utc = wall_ms - offsets[k]
    # ... and the offset before that change still holds for times shown twice.
    before = wall_ms - offsets[np.maximum(k - 1, 0)]
    last_change = changes[np.maximum(k - 1, 0)] if len(changes) else wall_ms
    utc = np.where((k > 0) & (before < last_change), before, utc)
    if len(changes):
        next_change = changes[np.minimum(k, len(changes) - 1)]
        utc = np.where((k < len(changes)) & (utc > next_change), next_change, utc)
    return utc


def _years(epoch_ms: Millis) -> tuple[int, int]:
    """First and last year touched, with a year to spare for offsets at the edges."""
    ends = np.array([epoch_ms.min(), epoch_ms.max()]).astype("datetime64[ms]")
    first, last = ends.astype("datetime64[Y]").astype(int) + 1970
    return int(first) - 1, int(last) + 1


@lru_cache(maxsize=256)
def _offsets(timezone: str, first_year: int, last_year: int) -> tuple[Millis, Millis]:
    """Instants at which the offset changes, and the m + 1 offsets around those m changes."""
    changes: list[int] = []
    offsets = [_offset_ms(_utc(first_year, 1, 1), timezone)]
    for year in range(first_year, last_year + 1):
        for change, offset in _changes(timezone, year):
            changes.append(change)
            offsets.append(offset)
    return np.array(changes, np.int64), np.array(offsets, np.int64)


@lru_cache(maxsize=4096)
def _changes(timezone: str, year: int) -> tuple[tuple[int, int], ...]:
    """(UTC instant, new offset) of each change within a year, both in milliseconds."""
    found = []
    moment, end = _utc(year, 1, 1), _utc(year + 1, 1, 1)
    while moment < end:
        later = min(moment + timedelta(days=1), end)
        if _offset_ms(moment, timezone) != _offset_ms(later, timezone):
            change = _bisect(moment, later, timezone)
            found.append((_epoch_ms(change), _offset_ms(change, timezone)))
        moment = later
    return tuple(found)


def _bisect(before: datetime, after: datetime, timezone: str) -> datetime:
    """First second with the offset of `after`."""
    old = _offset_ms(before, timezone)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if _offset_ms(middle, timezone) == old:
            before = middle
        else:
            after = middle
    return after


def _utc(year: int, month: int, day: int) -> datetime:
    return datetime(max(year, 1), month, day, tzinfo=UTC)


def _offset_ms(moment: datetime, timezone: str) -> int:
    offset = moment.astimezone(ZoneInfo(timezone)).utcoffset()
    assert offset is not None
    return offset // timedelta(milliseconds=1)


def _epoch_ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
