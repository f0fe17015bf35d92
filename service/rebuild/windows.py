"""Ranges of whole UTC days in which an archive has something, small enough for the memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from storage.local_time import DAY_MS

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Window:
    """[start, end), and how many days of it have something."""

    start_ms: int
    end_ms: int
    days: int


def windows(days: Sequence[str], longest: int, since_ms: int | None = None) -> Iterator[Window]:
    """Days (YYYY-MM-DD, ascending) in ranges of at most ``longest`` days."""
    numbers = [(date.fromisoformat(day) - _EPOCH).days for day in days]
    some: list[int] = []
    for day in numbers:
        if since_ms is not None and day * DAY_MS < since_ms:
            continue
        if some and day - some[0] >= longest:
            yield _window(some)
            some = []
        some.append(day)
    if some:
        yield _window(some)


def _window(days: Sequence[int]) -> Window:
    return Window(days[0] * DAY_MS, (days[-1] + 1) * DAY_MS, len(days))
