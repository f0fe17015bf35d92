"""Columns of the series of a frame over its judged slots."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from detectors import memory
from detectors.result import Flags
from detectors.seasonal_esd.hybrid import Outcome
from detectors.series import Floats


@dataclass(frozen=True, slots=True)
class Columns:
    """As in `Outcome`, of shape (s, m); `half` and `spreadless` may have one column for all."""

    member: Flags
    score: Floats
    expected: Floats
    expected_trend: Floats
    half: Floats
    spreadless: Flags

    @classmethod
    def empty(cls, shape: tuple[int, int], alike: bool) -> Self:
        """Make room; `alike` where each series has one half-width."""
        narrow = (shape[0], min(shape[1], 1)) if alike else shape
        return cls(
            member=memory.empty(shape, np.bool_),
            score=memory.empty(shape),
            expected=memory.empty(shape),
            expected_trend=memory.empty(shape),
            half=memory.empty(narrow),
            spreadless=memory.empty(narrow, np.bool_),
        )

    def put(self, row: int, outcome: Outcome, judged: slice) -> None:
        """Fill a row from the outcome of one series."""
        for item in fields(self):
            getattr(self, item.name)[row] = getattr(outcome, item.name)[judged]
