"""Holidays as columns: each has an effect of its own, learnt from its earlier occurrences."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from detectors.calendar import Holidays
from detectors.prophet.design import Ints
from detectors.wall_clock import DAY_MS

Flags = NDArray[np.bool_]


def holiday_columns(wall_ms: Ints, holidays: Holidays | None) -> Mapping[str, Flags]:
    """Return which wall times fall on each holiday, by name; shapes (n,).

    Days of a country go by their names. Dates without a name are one holiday when they share
    month and day, so that the effect of one year's 12-25 is known the next year.
    """
    if holidays is None or not len(wall_ms):
        return {}
    days = wall_ms // DAY_MS
    if isinstance(holidays, str):
        ends = np.array([days.min(), days.max()]).astype("datetime64[D]").astype("datetime64[Y]")
        first, last = (int(year) + 1970 for year in ends.astype(np.int64))
        named = _country_days(holidays, first, last)
    else:
        named = {}
        for day in holidays:
            named.setdefault(f"{day:%m-%d}", []).append(day.isoformat())
    columns = {
        name: np.isin(days, np.array(dates, "datetime64[D]").astype(np.int64))
        for name, dates in sorted(named.items())
    }
    return {name: column for name, column in columns.items() if column.any()}


@lru_cache(maxsize=64)
def _country_days(code: str, first_year: int, last_year: int) -> dict[str, list[str]]:
    """Dates of each named holiday."""
    from holidays import country_holidays  # noqa: PLC0415  (only for those who name a country)

    country, _, subdivision = code.partition("-")
    # A neighbouring year may move its holiday across New Year ("observed").
    found = country_holidays(
        country, subdiv=subdivision or None, years=range(first_year - 1, last_year + 2)
    )
    named: dict[str, list[str]] = {}
    for day in sorted(found):
        for name in found.get_list(day):
            named.setdefault(name, []).append(day.isoformat())
    return named
