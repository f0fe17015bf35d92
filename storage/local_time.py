"""Local wall-clock times of a zone, whole columns at once.

Wall-clock times are milliseconds counted as though the wall were in UTC. One that happens twice
means the first time; one that a clock change skips means the first instant after the change, so
a midnight that does not exist is its day's first instant. The mapping never decreases.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from storage.errors import InvalidError

Milliseconds = npt.NDArray[np.int64]

DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Two changes of one zone are never closer than this.
_STEP_MS = DAY_MS
_MARGIN_MS = 3 * DAY_MS
# Times outside are clamped: no zone changed before, and none is known after.
_FIRST_MS = -4_000_000_000_000  # 1843
_LAST_MS = 5_000_000_000_000  # 2128


def zone_of(timezone: str) -> ZoneInfo:
    """The zone of an IANA name."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidError(f"timezone {timezone!r}: is not a name of the IANA list") from None


def _instant(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)


class LocalTime:
    """Converts wall-clock times of one zone that fall near [start_ms, end_ms)."""

    def __init__(self, timezone: str, start_ms: int, end_ms: int) -> None:
        self._zone = zone_of(timezone)
        first = max(start_ms - _MARGIN_MS, _FIRST_MS)
        last = min(end_ms + _MARGIN_MS, _LAST_MS)
        starts, offsets = self._segments(first, max(first, last))
        self._starts = np.array(starts, np.int64)
        self._offsets = np.array(offsets, np.int64)
        # On the wall, a segment ends where its own offset says; the last one never does.
        self._wall_ends = self._starts[1:] + self._offsets[:-1]

    def to_utc(self, wall_ms: Milliseconds) -> Milliseconds:
        """UTC milliseconds of wall-clock milliseconds."""
        segment = np.searchsorted(self._wall_ends, wall_ms, side="right")
        instants = wall_ms - self._offsets[segment]
        # Before a segment's start only times are left that the change has skipped.
        skipped = (segment > 0) & (instants < self._starts[segment])
        return np.where(skipped, self._starts[segment], instants)

    def wall_from(self, utc_ms: int) -> int:
        """The earliest wall-clock time that means ``utc_ms`` or later."""
        low, high = utc_ms - _MARGIN_MS, utc_ms + _MARGIN_MS
        return first_true(low, high, lambda wall: int(self.to_utc(np.array([wall]))[0]) >= utc_ms)

    def dates(self, start_ms: int, end_ms: int) -> list[date]:
        """Local dates that share an instant with [start_ms, end_ms), in order."""
        if end_ms <= start_ms:
            return []
        inside = (max(start_ms, _FIRST_MS), min(end_ms, _LAST_MS) - 1)
        first, last = (_instant(ms).astimezone(self._zone).date() for ms in inside)
        return [first + timedelta(days=day) for day in range((last - first).days + 1)]

    def _offset(self, ms: int) -> int:
        offset = _instant(ms).astimezone(self._zone).utcoffset()
        assert offset is not None
        return round(offset.total_seconds() * 1000)

    def _segments(self, first: int, last: int) -> tuple[list[int], list[int]]:
        """Where each offset begins, and the offset."""
        starts, offsets = [first], [self._offset(first)]
        for probe in range(first + _STEP_MS, last + _STEP_MS, _STEP_MS):
            offset = self._offset(probe)
            if offset != offsets[-1]:
                starts.append(self._change(probe - _STEP_MS, probe, offsets[-1]))
                offsets.append(offset)
        return starts, offsets

    def _change(self, low: int, high: int, before: int) -> int:
        """The first instant after ``low`` whose offset is not ``before``."""
        return first_true(low, high, lambda ms: self._offset(ms) != before)


def first_true(low: int, high: int, test: Callable[[int], bool]) -> int:
    """The least number in [low, high] that passes a test which, once true, stays true."""
    while low < high:
        middle = (low + high) // 2
        if test(middle):
            high = middle
        else:
            low = middle + 1
    return low
