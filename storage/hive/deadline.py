"""The time by which an answer must be there."""

import time


class Deadline:
    """Seconds that run from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that remain, negative when it has passed."""
        return self._end - time.monotonic()

    @property
    def passed(self) -> bool:
        """Whether nothing remains."""
        return self.left() <= 0
