"""Moments and local dates that callers may give, and ranges of them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from detectors.errors import ParameterError
from detectors.series import END_MS, FIRST_MS
from detectors.wall_clock import DAY_MS, to_utc

Instant = datetime | np.datetime64 | int | str | date
Moment = datetime | date
"""An aware UTC datetime, or a bare date that a time zone turns into its midnight."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1)
_PAIR = 'such as ["2026-11-08", "2026-11-10"]'
_MILLISECOND = timedelta(milliseconds=1)


def epoch_ms(name: str, value: Instant | None, timezone: str) -> int | None:
    """Epoch milliseconds of an instant, a bare date's midnight; naive datetimes are refused."""
    if value is None:
        return None
    if isinstance(value, str) or type(value) is date:
        found: int | None = moment_ms(parse_moment(name, value), timezone)
    else:
        found = _any_ms(value)
    if found is None or not FIRST_MS <= found < END_MS:
        raise ParameterError(
            name,
            f"{value!r} is not an instant; give an aware datetime, a datetime64 in UTC, epoch "
            "milliseconds, RFC 3339 text or a date, between the years 1800 and 2500",
        )
    return found


def _any_ms(value: Any) -> int | None:
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else int(value.astype("datetime64[ms]").astype(np.int64))
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return (value - _EPOCH) // _MILLISECOND
    return None


def moment_ms(moment: Moment, timezone: str) -> int:
    """Epoch milliseconds of a moment; a bare date starts at its midnight in `timezone`."""
    if isinstance(moment, datetime):
        return (moment - _EPOCH) // _MILLISECOND
    days = (moment - _EPOCH_DAY).days
    return int(to_utc(np.array([days * DAY_MS]), timezone)[0])


def parse_moment(name: str, value: Any) -> Moment:
    """Read an aware datetime, RFC 3339 text with an offset, a bare local date, or an instant."""
    if isinstance(value, np.datetime64 | int | np.integer):
        found = _any_ms(value)
        value = None
        if found is not None and FIRST_MS <= found < END_MS:
            value = _EPOCH + found * _MILLISECOND
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
        except ValueError:
            value = None
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            return value.astimezone(UTC)
    elif isinstance(value, date):
        return value
    raise ParameterError(
        name, "give times as RFC 3339 with an offset, such as 2026-11-08T00:00:00+09:00, or as a "
        "bare local date"
    )  # fmt: skip


def dump_moment(moment: Moment) -> str:
    """Write text that `parse_moment` reads back."""
    return moment.isoformat().replace("+00:00", "Z")


def parse_ranges(name: str, value: Any) -> tuple[tuple[Moment, Moment], ...]:
    """Half-open time ranges [from, to)."""
    if isinstance(value, str) or not np.iterable(value):
        raise ParameterError(name, f"give a list of [from, to) pairs {_PAIR}")
    ranges = []
    for pair in value:
        if isinstance(pair, str) or not isinstance(pair, Sequence | np.ndarray) or len(pair) != 2:
            raise ParameterError(name, f"{pair!r} is not a pair [from, to) {_PAIR}")
        start, end = (parse_moment(name, moment) for moment in pair)
        if moment_ms(start, "UTC") - moment_ms(end, "UTC") > DAY_MS:
            raise ParameterError(name, f"a range must not end before it starts, got {pair!r}")
        ranges.append((start, end))
    return tuple(ranges)


def dump_ranges(ranges: tuple[tuple[Moment, Moment], ...]) -> list[list[str]]:
    """Write lists that `parse_ranges` reads back."""
    return [[dump_moment(start), dump_moment(end)] for start, end in ranges]
