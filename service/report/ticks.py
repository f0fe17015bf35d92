"""Where the axes of a chart have their ticks: round numbers, and round times on a local clock."""

import itertools
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from service.clock import DAY_MS, HOUR_MS
from service.notifications.wording import number_text

_MINUTE_MS = HOUR_MS // 60
_MONTH_DAYS, _YEAR_DAYS = 30, 365
# Step and unit, the shortest first; a year's step goes on in tens.
_CLOCK_STEPS = tuple(
    unit_ms * count
    for unit_ms, counts in (
        (1000, (1, 5, 15, 30)),
        (_MINUTE_MS, (1, 5, 15, 30)),
        (HOUR_MS, (1, 3, 6, 12)),
        (DAY_MS, (1, 2)),
    )
    for count in counts
)
_MONTH_STEPS = (1, 2, 3, 6)
_NICE = (1, 2, 2.5, 5, 10)
_LONGEST = 12  # letters beside an axis
_MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip


def value_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers within [low, high], at least the two ends where nothing is round."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low, high]
    power = 10.0 ** math.floor(math.log10(span / most))
    for nice in _NICE:
        step = nice * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            found = [number * step for number in range(first, last + 1)]
            return found if len(found) > 1 else [low, high]
    return [low, high]


def tick_texts(ticks: Sequence[float], pattern: str) -> list[str]:
    """The numbers of an axis, in the metric's format unless two would read alike."""
    if pattern:
        texts = [number_text(tick, pattern) for tick in ticks]
        if len(set(texts)) == len(texts) and max(map(len, texts)) <= _LONGEST:
            return texts
    gap = min((b - a for a, b in itertools.pairwise(ticks)), default=0.0)
    if gap > 0 and 1e-5 < max(map(abs, ticks)) < 1e10:
        for decimals in range(7):
            # As few as tell every tick exactly.
            if all(abs(round(tick, decimals) - tick) < gap / 1000 for tick in ticks):
                return [f"{tick:,.{decimals}f}" for tick in ticks]
    return [f"{tick:.3g}" for tick in ticks]


def time_ticks(start_ms: int, end_ms: int, timezone: str, most: int) -> list[tuple[int, str]]:
    """Round local times in [start, end) with their texts."""
    zone = ZoneInfo(timezone)
    span = end_ms - start_ms
    for step_ms in _CLOCK_STEPS:
        if span / step_ms <= most:
            return _texts(_clock(start_ms, end_ms, zone, step_ms), zone, step_ms)
    for weeks in (1, 2):
        if span / (weeks * 7 * DAY_MS) <= most:
            return _texts(_weeks(start_ms, end_ms, zone, weeks), zone, 7 * DAY_MS)
    for months in (*_MONTH_STEPS, *(12 * years for years in _years())):
        if span / (months * _MONTH_DAYS * DAY_MS) <= most:
            return _texts(
                _months(start_ms, end_ms, zone, months), zone, months * _MONTH_DAYS * DAY_MS
            )
    return []


def _years() -> Iterator[int]:
    for power in (1, 10, 100, 1000):
        yield from (power, 2 * power, 5 * power)


def _clock(start_ms: int, end_ms: int, zone: ZoneInfo, step_ms: int) -> Iterator[int]:
    """Every so many seconds, hours or days of the local clock."""
    at = datetime.fromtimestamp(start_ms / 1000, UTC).astimezone(zone).replace(tzinfo=None)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if step_ms >= DAY_MS:
        midnight -= timedelta(days=(midnight.toordinal() - 1) % (step_ms // DAY_MS))
    step = timedelta(milliseconds=step_ms)
    at = midnight + ((at - midnight) // step) * step
    yield from _within(start_ms, end_ms, zone, at, step)


def _weeks(start_ms: int, end_ms: int, zone: ZoneInfo, weeks: int) -> Iterator[int]:
    at = datetime.fromtimestamp(start_ms / 1000, UTC).astimezone(zone).replace(tzinfo=None)
    monday = at.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=at.weekday())
    yield from _within(start_ms, end_ms, zone, monday, timedelta(weeks=weeks))


def _within(
    start_ms: int, end_ms: int, zone: ZoneInfo, at: datetime, step: timedelta
) -> Iterator[int]:
    last = None
    while True:
        time_ms = int(at.replace(tzinfo=zone).timestamp() * 1000)
        if time_ms >= end_ms:
            return
        if time_ms >= start_ms and time_ms != last:
            yield time_ms
        last = time_ms
        at += step


def _months(start_ms: int, end_ms: int, zone: ZoneInfo, months: int) -> Iterator[int]:
    at = datetime.fromtimestamp(start_ms / 1000, UTC).astimezone(zone)
    number = (at.year * 12 + at.month - 1) // months * months
    while True:
        year, month = divmod(number, 12)
        if not 1 <= year <= 9999:
            return
        time_ms = int(datetime(year, month + 1, 1, tzinfo=zone).timestamp() * 1000)
        if time_ms >= end_ms:
            return
        if time_ms >= start_ms:
            yield time_ms
        number += months


def _texts(times: Iterator[int], zone: ZoneInfo, step_ms: int) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    year = None
    for time_ms in times:
        at = datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(zone)
        found.append((time_ms, _text(at, step_ms, at.year != year and year is not None)))
        year = at.year
    return found


def _text(at: datetime, step_ms: int, new_year: bool) -> str:
    if step_ms < DAY_MS and (at.hour, at.minute, at.second) != (0, 0, 0):
        return f"{at:%H:%M:%S}" if step_ms < _MINUTE_MS else f"{at:%H:%M}"
    if step_ms < _MONTH_DAYS * DAY_MS:
        return f"{at.day} {_MONTHS[at.month - 1]}" + (f" {at.year}" if new_year else "")
    if step_ms >= _YEAR_DAYS * DAY_MS - 5 * DAY_MS:
        return str(at.year)
    return (
        f"{_MONTHS[at.month - 1]} {at.year}" if new_year or at.month == 1 else _MONTHS[at.month - 1]
    )
