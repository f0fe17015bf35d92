"""Points on their way to Lupus, a bounded number at a time, the last part of a day with its count.

The count of a day (`mlflow.runs`, `mlflow.versions`) is stored together with the day's last points,
in one ingest. So the last count in the catalog says how far an import came, wherever it was killed:
the next one begins with that day.
"""

from collections.abc import Callable, Iterable

from service.clock import DAY_MS
from service.mlflow.lupus import Lupus
from service.mlflow.mapping import LeftOut, Point

MOST_POINTS = 5_000
SAME = "of equal series and time, a later one counts"

Key = tuple[str, tuple[tuple[str, str], ...], int]


class Parts:
    """Sends points of one experiment, run or model, in the order in which they come."""

    def __init__(self, lupus: Lupus, left_out: LeftOut, most: int) -> None:
        self._lupus = lupus
        self._left_out = left_out
        self._most = most
        self._points: dict[Key, Point] = {}

    def add(self, points: Iterable[Point]) -> None:
        """Take some; what is full is sent."""
        for point in points:
            key = (point.metric, tuple(sorted(point.labels.items())), point.time_ms)
            if key in self._points:
                self._left_out.add(SAME, point.metric)
            self._points[key] = point
            if len(self._points) >= self._most:
                self.send()

    def send(self) -> None:
        """Send what is there."""
        if self._points:
            self._lupus.send([self._points[key] for key in sorted(self._points)])
            self._points.clear()


class Days:
    """Counts what belongs to a UTC day, and closes the day when the next one begins."""

    def __init__(self, parts: Parts, count_of: Callable[[int, int], Iterable[Point]]) -> None:
        self._parts = parts
        self._count_of = count_of
        self._day_ms: int | None = None
        self._count = 0

    def add(self, time_ms: int, points: Iterable[Point]) -> None:
        """Take the points of one run or version; times never go back."""
        day_ms = floor_day(time_ms)
        if day_ms != self._day_ms:
            self.close()
            self._day_ms = day_ms
        self._count += 1
        self._parts.add(points)

    def close(self) -> None:
        """Send the rest of the day with its count."""
        if self._day_ms is not None:
            self._parts.add(self._count_of(self._day_ms, self._count))
            self._parts.send()
        self._day_ms, self._count = None, 0


def floor_day(time_ms: int) -> int:
    """The beginning of a UTC day."""
    return time_ms - time_ms % DAY_MS
