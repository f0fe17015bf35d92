"""Windows that slide by one slot from one judged slot to the next."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from detectors import memory
from detectors.bands import Bands
from detectors.frame import Frame
from detectors.grid import Grid
from detectors.parameters import Length
from detectors.series import Floats

if TYPE_CHECKING:
    from detectors.window.statistics import Statistics

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Slide:
    """The window of slot t is the `length` slots that end `gap` slots before t."""

    length: int
    gap: int

    @classmethod
    def of(cls, grid: Grid, window: Length, gap: Length) -> "Slide | None":
        """Count slots; None where months make windows of different lengths, or of none."""
        if grid.unit == "month" and not (isinstance(window, int) and isinstance(gap, int)):
            return None
        back, near = (
            length if isinstance(length, int) else grid.count(length // _MILLISECOND)
            for length in (window, gap)
        )
        return cls(back - near, near) if back > near else None

    def statistics(self, frame: Frame) -> "Statistics":
        """Describe the window of each judged slot."""
        from detectors.window.rolling import rolling_statistics  # noqa: PLC0415 - numba is slow
        from detectors.window.statistics import Statistics  # noqa: PLC0415 - the same

        values, length, phase, stop = self._place(frame)
        shape = (len(values), frame.judged.stop - frame.judged.start)
        found = Statistics(*(np.empty(shape) for _ in Statistics._fields))
        rolling_statistics(values, phase, length, stop, found)
        return found

    def bands(self, frame: Frame, factors: Floats, by_spread: bool) -> Bands:
        """Bands of factors[points] times the spread, or |mean|, about the mean of each window.

        `factors` is NaN where points are too few, and goes up to `longest(frame)`.
        """
        from detectors.window.rolling import mark_spreadless, rolling_bands  # noqa: PLC0415 - numba is slow

        values, length, phase, stop = self._place(frame)
        shape = (len(values), frame.judged.stop - frame.judged.start)
        expected, half = memory.columns(shape, np.float64, np.float64)
        if not rolling_bands(values, phase, stop, factors, by_spread, expected, half):
            return Bands(expected, half=half)
        spreadless = memory.empty(shape, np.bool_)
        mark_spreadless(values, length, stop, half, spreadless)
        return Bands(expected, half=half, spreadless=spreadless)

    def longest(self, frame: Frame) -> int:
        """Slots of a window as far as the frame can fill one."""
        return min(self.length, 1 << len(frame.slots).bit_length())

    def _place(self, frame: Frame) -> tuple[Floats, int, int, int]:
        """Values, longest window, a column that begins a block, and where the first window ends."""
        length = self.longest(frame)
        phase = -int(frame.slots[0]) % length  # by slot numbers: the same for every request
        # Of what came, not of what is finite: the kernels tell that themselves.
        given = frame.given if frame.usable.all() else frame.baseline_values
        values = np.ascontiguousarray(given)
        return values, length, phase, frame.judged.start - self.gap
