"""What a side costs, and what a row made of it."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Unit = Literal["s", "B"]


@dataclass(frozen=True)
class Sample:
    """Cost of one turn.

    ``amount`` is processor seconds or bytes, ``wall`` seconds. Processor time of one thread is
    what an idle machine's clock would show; on a busy one the clock shows who else was there.
    """

    amount: float
    wall: float

    def per(self, count: int) -> "Sample":
        """The share of one of ``count``."""
        return Sample(self.amount / count, self.wall / count)


@dataclass(frozen=True)
class Spread:
    """Median and extremes of a side's turns."""

    median: float
    least: float
    most: float
    wall: float

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Self:
        amounts = [sample.amount for sample in samples]
        wall = statistics.median(sample.wall for sample in samples)
        return cls(statistics.median(amounts), min(amounts), max(amounts), wall)


@dataclass(frozen=True)
class Outcome:
    """What one row measured, or why it did not."""

    row: str
    date: str
    load: float  # of the machine, before the row
    ours: Spread | None = None
    peer: Spread | None = None
    rounds: int = 0
    agreement: str = ""
    absent: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, written: dict[str, Any]) -> Self:
        sides = {side: written[side] and Spread(**written[side]) for side in ("ours", "peer")}
        return cls(**{**written, **sides})
