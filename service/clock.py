"""The time, passed in: the service reads a clock once per request and once per tick."""

import time
from dataclasses import dataclass
from typing import Protocol

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class Clock(Protocol):
    """What time it is, and how much time passed."""

    def now_ms(self) -> int:
        """UTC milliseconds; may step back."""
        ...

    def passed_ms(self) -> int:
        """Milliseconds since an arbitrary start; never steps back."""
        ...


@dataclass(frozen=True)
class SystemClock:
    """This machine's clocks."""

    def now_ms(self) -> int:
        """UTC milliseconds."""
        return time.time_ns() // 1_000_000

    def passed_ms(self) -> int:
        """Milliseconds of the monotonic clock."""
        return time.monotonic_ns() // 1_000_000
