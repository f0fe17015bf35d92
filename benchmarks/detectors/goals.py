"""What the design of the detectors asks of them, as it stands there."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Goal:
    """A ratio to reach.

    ``better`` "more": the peer's cost over ours. "less": ours over the peer's.
    """

    name: str
    least: float
    aim: float
    better: Literal["more", "less"] = "more"

    def met(self, ratio: float) -> Literal["aim", "goal", "missed"]:
        """How far a ratio got."""
        sign = 1 if self.better == "more" else -1
        if sign * ratio >= sign * self.aim:
            return "aim"
        return "goal" if sign * ratio >= sign * self.least else "missed"


GOALS = {
    goal.name: goal
    for goal in (
        Goal("seasonal ESD, n = 14,398, k = .02, against R", 25, 40),
        Goal("seasonal ESD, n = 14,398, k = .1, against R", 100, 160),
        Goal("seasonal ESD, 1,000 series, k = .02, against R", 15, 20),
        Goal("seasonal ESD, 1,000 series, k = .1, against R", 35, 45),
        Goal("seasonal ESD, 1,000 series, against pyculiarity", 300, 2_000),
        Goal("Prophet, 1,000 series, against the package", 100, 300),
        Goal("threshold over a matrix, against a copy", 0.5, 0.85),
        Goal("rolling z, against bottleneck", 1, 3),
        Goal("import, against numpy's", 1.5, 1.2, "less"),
        Goal("growth of peak memory, against the values", 6, 3, "less"),
    )
}
"""Goals by name. NAB's scores, the last row there, are those of `benchmarks.quality`."""
