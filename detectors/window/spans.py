"""Which slots form the baseline of which judged slot."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np

from detectors.frame import Frame
from detectors.parameters import Length
from detectors.series import Millis
from detectors.wall_clock import DAY_MS, to_utc

Stepping = Literal["point", "day", "range"]

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Spans:
    """Columns [first, stop) of the frame for each judged slot; both arrays have shape (m,)."""

    first: Millis
    stop: Millis


def spans_of(frame: Frame, window: Length, gap: Length, stepping: Stepping, timezone: str) -> Spans:
    """Baselines of [t - window, t - gap).

    t is the judged slot itself ("point"), its local midnight ("day") or the first reported slot
    ("range"). Durations are wall time where t is a wall date or midnight, elapsed time otherwise.
    """
    columns = np.arange(frame.judged.start, frame.judged.stop)
    if stepping == "range":
        columns = np.full_like(columns, frame.reported.start)
    if stepping == "day":
        first, stop = (_from_midnight(frame, columns, back, timezone) for back in (window, gap))
    else:
        first, stop = (_from_slot(frame, columns, back) for back in (window, gap))
    return Spans(np.maximum(first, 0), np.maximum(stop, 0))


def _from_slot(frame: Frame, columns: Millis, back: Length) -> Millis:
    if isinstance(back, int):
        return columns - back
    positions = frame.slot_times if frame.grid.unit == "ms" else frame.wall // DAY_MS * DAY_MS
    return np.searchsorted(positions, positions[columns] - back // _MILLISECOND)


def _from_midnight(frame: Frame, columns: Millis, back: Length, timezone: str) -> Millis:
    midnights, which = np.unique(frame.wall[columns] // DAY_MS * DAY_MS, return_inverse=True)
    if isinstance(back, int):
        found = np.searchsorted(frame.slot_times, to_utc(midnights, timezone)) - back
    else:
        moments = to_utc(midnights - back // _MILLISECOND, timezone)
        found = np.searchsorted(frame.slot_times, moments)
    return found[which]
