"""Days that a baseline leaves out: public holidays and dates the caller names."""

import re
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np

from detectors.errors import ParameterError
from detectors.result import Flags
from detectors.series import Millis
from detectors.wall_clock import DAY_MS

Holidays = str | tuple[date, ...]
"""A country code such as "DE" or "US-NY", or dates."""

_CODE = re.compile(r"[A-Z]{2}(-[A-Za-z0-9]{1,10})?")


def parse_holidays(name: str, value: Any) -> Holidays | None:
    """Read a known country code, or local dates into ascending order."""
    if value is None:
        return None
    if isinstance(value, str):
        _check_country(name, value)
        return value
    if not np.iterable(value):
        raise ParameterError(
            name, 'give a country code such as "DE" or "US-NY", or a list of dates'
        )
    return tuple(sorted({_parse_date(name, day) for day in value}))


def dump_holidays(holidays: Holidays) -> str | list[str]:
    """JSON that `parse_holidays` reads back."""
    if isinstance(holidays, str):
        return holidays
    return [day.isoformat() for day in holidays]


def on_holiday(wall_ms: Millis, holidays: Holidays) -> Flags:
    """Which wall times fall on one of the holidays; same shape."""
    days = wall_ms // DAY_MS
    if not days.size:
        return np.zeros(days.shape, bool)
    if isinstance(holidays, str):
        first, last = np.array([days.min(), days.max()]).astype("datetime64[D]").astype("M8[Y]")
        free = _country_days(holidays, int(first.astype(int)) + 1970, int(last.astype(int)) + 1970)
    else:
        free = np.array(holidays, "datetime64[D]").astype(np.int64)
    return np.isin(days, free)


def _parse_date(name: str, day: Any) -> date:
    if isinstance(day, str):
        try:
            return date.fromisoformat(day)
        except ValueError:
            pass
    elif isinstance(day, np.datetime64) and not np.isnat(day):
        day = day.astype("datetime64[D]").item()
    if type(day) is date:
        return day
    raise ParameterError(name, f"{day!r} is not a date such as 2026-12-25")


def _check_country(name: str, code: str) -> None:
    if _CODE.fullmatch(code):
        try:
            _country_days(code, 2026, 2026)
        except NotImplementedError:
            pass
        else:
            return
    raise ParameterError(name, f'{code!r} is not a known country code such as "DE" or "US-NY"')


@lru_cache(maxsize=64)
def _country_days(code: str, first_year: int, last_year: int) -> Millis:
    """Days since 1970 that are public holidays."""
    from holidays import country_holidays  # noqa: PLC0415 - only for those who name a country

    country, _, subdivision = code.partition("-")
    found = country_holidays(
        country, subdiv=subdivision or None, years=range(first_year, last_year + 1)
    )
    return np.array(sorted(found), "datetime64[D]").astype(np.int64)
