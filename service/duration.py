"""Durations as people write them: 7d, 48h, 30s."""

import re

_UNIT_MS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "min": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(ms|s|min|m|h|d|w)")


def duration_ms(text: str) -> int:
    """Milliseconds of a duration; ValueError says how one is written."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"{text!r} is not a duration: a number and ms, s, m, h, d or w, such as 7d or 48h"
        )
    return round(float(match[1]) * _UNIT_MS[match[2]])


def written(duration: int) -> str:
    """Milliseconds in the largest unit that divides them."""
    for unit in ("d", "h", "m", "s"):
        if duration and duration % _UNIT_MS[unit] == 0:
            return f"{duration // _UNIT_MS[unit]}{unit}"
    return f"{duration}ms"
