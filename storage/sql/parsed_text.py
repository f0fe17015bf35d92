"""Times written as text, read field by field: the same on Hive and Spark, in any session zone.

Their own parsers (unix_timestamp, to_timestamp) go through the zone of the session, where a time
that a clock change skips does not exist. A text that does not fit its format gives null.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from storage.local_time import DAY_MS
from storage.sql.build import bigint, call, days_since_1970, times, total
from storage.sql.matching import number, text

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_MINUTE_MS = 60_000
# Without leading zeros too, because integers may be part of a text.
_FIELDS = {
    "%Y": r"(\d{4})",
    "%m": "(1[0-2]|0?[1-9])",
    "%d": "(3[01]|[12][0-9]|0?[1-9])",
    "%H": "(2[0-3]|[01]?[0-9])",
    "%M": "([0-5]?[0-9])",
    "%S": "([0-5]?[0-9])",
    "%f": "([0-9]{1,6})",
    "%j": "(36[0-6]|3[0-5][0-9]|[12][0-9]{2}|0?[0-9]{1,2})",
    "%b": f"({'|'.join(_MONTHS)})",
    "%z": "(?:Z|([+-])([0-9]{2}):?([0-9]{2})?)",
}
_Group = Callable[..., exp.Expr]
_GROUPS = {"%z": 3}


@dataclass(frozen=True)
class _Pattern:
    regex: str
    groups: dict[str, int]  # letter -> number of its first group


def parsed_text(written: exp.Expr, format_: str) -> exp.Expr:
    """Milliseconds since 1970 of a text: in UTC with an offset, else as though it were UTC."""
    pattern = _pattern(format_)

    def group(letter: str, further: int = 0) -> exp.Expr:
        place = number(pattern.groups[letter] + further)
        return call("regexp_extract", written.copy(), text(pattern.regex), place)

    parts = [times(_days(pattern, group), DAY_MS)]
    for letter, unit in (("%H", 60 * _MINUTE_MS), ("%M", _MINUTE_MS), ("%S", 1_000)):
        if letter in pattern.groups:
            parts.append(times(bigint(group(letter)), unit))
    if "%f" in pattern.groups:
        thousandths = call(
            "substr", call("rpad", group("%f"), number(3), text("0")), number(1), number(3)
        )
        parts.append(bigint(thousandths))
    if "%z" in pattern.groups:
        parts.append(_offset(group("%z"), group("%z", 1), group("%z", 2)))
    fits = exp.RegexpLike(this=written.copy(), expression=text(pattern.regex))
    return exp.Case().when(fits, total(parts))


def _pattern(format_: str) -> _Pattern:
    regex, count = "", 0
    groups: dict[str, int] = {}
    for part in re.findall(r"%.|.", format_, re.DOTALL):
        if part in _FIELDS:
            groups.setdefault(part, count + 1)
            count += _GROUPS.get(part, 1)
            regex += _FIELDS[part]
        else:
            letter = part[-1]
            regex += letter if letter.isalnum() or ord(letter) > 127 else "\\" + letter
    return _Pattern(f"^{regex}$", groups)


def _days(pattern: _Pattern, group: _Group) -> exp.Expr:
    year = group("%Y") if "%Y" in pattern.groups else text("1900")
    if "%j" in pattern.groups:
        first = days_since_1970(call("concat", year, text("-01-01")))
        return exp.Paren(this=total([first, bigint(group("%j")), number(-1)]))
    day = _two(group("%d")) if "%d" in pattern.groups else text("01")
    return days_since_1970(call("concat", year, text("-"), _month(pattern, group), text("-"), day))


def _month(pattern: _Pattern, group: _Group) -> exp.Expr:
    if "%b" in pattern.groups:
        case = exp.Case()
        for place, month in enumerate(_MONTHS, start=1):
            case = case.when(exp.EQ(this=group("%b"), expression=text(month)), text(f"{place:02d}"))
        return case
    return _two(group("%m")) if "%m" in pattern.groups else text("01")


def _two(digits: exp.Expr) -> exp.Expr:
    return call("lpad", digits, number(2), text("0"))


def _offset(sign: exp.Expr, hours: exp.Expr, minutes: exp.Expr) -> exp.Expr:
    """What an offset such as +0900 takes from the wall's time."""

    def whole(digits: exp.Expr) -> exp.Expr:
        # An empty group is not the number 0 on every engine.
        return bigint(call("concat", text("0"), digits))

    size = exp.Paren(
        this=total([times(whole(hours), 60 * _MINUTE_MS), times(whole(minutes), _MINUTE_MS)])
    )
    east = exp.EQ(this=sign, expression=text("+"))
    direction = exp.Case().when(east, number(-1)).else_(number(1))
    return exp.Mul(this=exp.Paren(this=direction), expression=size)
