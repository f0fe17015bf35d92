"""One line on a terminal that says how far something is; nothing where nobody looks."""

import sys
import time
from types import TracebackType
from typing import Optional

_WIDTH = 24
_LEAST_SECONDS = 0.1


class Progress:
    """A line that is written over itself, on standard error.

    Parameters
    ----------
    shown : bool, optional
        None shows it where standard error is a terminal, so never in a log.
    """

    def __init__(self, shown: Optional[bool] = None) -> None:
        self.shown = sys.stderr.isatty() if shown is None else shown
        self._length = 0
        self._next = 0.0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._length:
            sys.stderr.write("\r" + " " * self._length + "\r")
            sys.stderr.flush()

    def say(self, words: str, share: Optional[float] = None) -> None:
        """Show words, and a bar when the share that is done is known."""
        if not self.shown or (share is not None and time.monotonic() < self._next):
            return
        if share is not None:
            self._next = time.monotonic() + _LEAST_SECONDS
        bar = "" if share is None else f"[{'#' * round(share * _WIDTH):<{_WIDTH}}] {share:4.0%} "
        line = bar + words
        sys.stderr.write("\r" + line.ljust(self._length))
        sys.stderr.flush()
        self._length = len(line)
