"""Waiting in tests: by asking again, never by a sleep that assumes speed."""

import time
from collections.abc import Callable
from typing import Any


def until(ready: Callable[[], Any], seconds: float = 60.0, what: str = "it takes too long") -> Any:
    """Ask until the answer is true, and return it."""
    give_up = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < give_up, what
        time.sleep(0.02)
    return found
