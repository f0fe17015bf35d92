"""Times as the service takes them: an instant with its offset, or a bare local date."""

import datetime as dt
import re
from typing import Any

from lupus.errors import MetricsError

ALLOWED = (
    "allowed are a date (a day of the source's time zone), a datetime with a time zone, and "
    "their ISO 8601 texts such as 2026-11-08 and 2026-11-08T00:00:00+09:00"
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})[Tt ](?P<hour>\d{2}:\d{2})(?P<second>:\d{2})?"
    r"(?:\.(?P<fraction>\d+))?(?P<offset>[Zz]|[+-]\d{2}:?\d{2})?"
)
_YEARS = range(1900, 2200)


def instant(at: Any) -> str:
    """Give the text of a time: ``2026-11-08``, or UTC with milliseconds if it has some.

    Parameters
    ----------
    at : date, datetime, numpy.datetime64, pandas.Timestamp or str

    Raises
    ------
    MetricsError
        If it is no time, outside the years 1900 to 2199, or a date and time without a zone:
        nobody can tell what that is.

    Examples
    --------
    >>> instant("2026-11-08T09:00:00+09:00")
    '2026-11-08T00:00:00Z'
    """
    if isinstance(at, dt.datetime):
        return _of_datetime(at)
    if isinstance(at, dt.date):
        return _within(at, at.isoformat())
    if isinstance(at, str) or (type(at).__module__, type(at).__name__) == ("numpy", "datetime64"):
        return _of_text(str(at))
    raise MetricsError(f"at {at!r} is no time; {ALLOWED}")


def _of_datetime(at: dt.datetime) -> str:
    if at != at:  # pandas has a datetime that is none
        raise MetricsError(f"at is {at}, not a time; {ALLOWED}")
    if at.utcoffset() is None:
        raise _naive(at.isoformat())
    utc = at.astimezone(dt.timezone.utc)
    spelled = utc.strftime("%H:%M:%S") + (
        f".{milli:03d}" if (milli := utc.microsecond // 1000) else ""
    )
    return _within(utc, f"{utc.date().isoformat()}T{spelled}Z")


def _of_text(text: str) -> str:
    try:
        if _DATE.fullmatch(text):
            day = dt.date.fromisoformat(text)
            return _within(day, text)
        if found := _TIME.fullmatch(text):
            if not found["offset"]:
                raise _naive(text)
            fraction = ((found["fraction"] or "") + "000000")[:6]
            offset = found["offset"].upper().replace("Z", "+00:00")
            offset = offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"
            second = found["second"] or ":00"
            return _of_datetime(
                dt.datetime.fromisoformat(
                    f"{found['day']}T{found['hour']}{second}.{fraction}{offset}"
                )
            )
    except MetricsError:
        raise
    except (ValueError, OverflowError) as error:
        raise MetricsError(f"at {text!r}: {error}; {ALLOWED}") from None
    raise MetricsError(f"at {text[:60]!r} is no time; {ALLOWED}")


def _within(day: dt.date, text: str) -> str:
    if day.year not in _YEARS:
        raise MetricsError(f"at {text}: allowed are the years 1900 to 2199")
    return text


def _naive(text: str) -> MetricsError:
    return MetricsError(
        f"at {text} has no time zone, so nobody can tell which moment it is: give a date, or add "
        "the zone (datetime: .replace(tzinfo=...), pandas: .tz_localize(...)), or write an "
        "offset"
    )
