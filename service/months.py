"""Whole months: what retention counts in."""

from datetime import datetime


def months_ago_ms(now: datetime, months: int) -> int | None:
    """The first instant of the UTC month so many months before this one: what is older ended
    at least so long ago. None before the year 1."""
    total = now.year * 12 + now.month - 1 - months
    year, month = divmod(total, 12)
    if year < 1:
        return None
    return int(datetime(year, month + 1, 1, tzinfo=now.tzinfo).timestamp()) * 1000
