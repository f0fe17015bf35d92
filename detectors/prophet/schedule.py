"""When the model is refitted, and on what: anchored to the calendar, never to the request."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from detectors.parameters import Length
from detectors.prophet.design import Ints
from detectors.wall_clock import DAY_MS, to_utc, to_wall

_DAY = timedelta(days=1)
_MILLISECOND = timedelta(milliseconds=1)
# A yearly season needs points 730 days apart. A week more, or one day without data at either end
# would switch it off for the next verdict.
_TWO_YEARS = 731 + 7
# 1970-01-05: refits every seven days fall on Mondays.
_MONDAY = 4


@dataclass(frozen=True)
class Schedule:
    """Refits every so many whole days at local midnight, each on the history before it."""

    every: timedelta
    history: Length | None

    def history_ms(self, step_ms: int) -> int:
        """Return the length of history for points at a distance of ``step_ms``."""
        if self.history is None:
            return (90 if step_ms < DAY_MS else _TWO_YEARS) * DAY_MS
        if isinstance(self.history, int):
            return self.history * step_ms
        return self.history // _MILLISECOND

    def midnights(self, wall: Ints) -> Ints:
        """Return the wall time of the last refit at or before each wall time, same shape."""
        every = self.every // _DAY
        days = (wall // DAY_MS - _MONDAY) // every * every + _MONDAY
        return days * DAY_MS

    def refits(self, wall: Ints, judged: slice, step_ms: int) -> Iterator[tuple[Ints, Ints]]:
        """Yield the columns of each refit's history with the columns that it judges."""
        history_ms = self.history_ms(step_ms)
        columns = np.arange(len(wall))[judged]
        midnights = self.midnights(wall[columns])
        for midnight in np.unique(midnights):
            known = (wall < midnight) & (wall >= midnight - history_ms)
            yield np.flatnonzero(known), columns[midnights == midnight]

    def begin_ms(self, first_ms: int, step_ms: int, timezone: str) -> int:
        """Return where the history of a point at ``first_ms`` begins, in UTC milliseconds."""
        midnight = self.midnights(to_wall(np.array([first_ms]), timezone))
        return int(to_utc(midnight - self.history_ms(step_ms), timezone)[0])
