"""Many rows as one message says them: the worst ten, and how many there are of what.

Rows come in batches of whole series; nothing grows with their number.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

from service.notifications.events import rank
from service.notifications.policy import Told, badness
from service.notifications.touched import Episode
from workflows.report import Change

MOST_ROWS = 10
MOST_EPISODES = 200


@dataclass
class Digest:
    """Add batches, then read."""

    top: list[Told] = field(default_factory=list)  # worst first
    rows: int = 0
    series: int = 0
    worst: str = ""
    metrics: set[str] = field(default_factory=set)
    sides: set[str] = field(default_factory=set)
    latest: Change | None = None
    episodes: list[Episode] = field(default_factory=list)  # the worst
    more_episodes: int = 0

    def add(self, told: Sequence[Told], episodes: Sequence[Episode]) -> None:
        """One batch; a series is in one batch only."""
        together = (*self.episodes, *episodes)
        self.episodes = heapq.nlargest(MOST_EPISODES, together, key=lambda e: e.weight)
        self.more_episodes += len(together) - len(self.episodes)
        if not told:
            return
        shown = [row.shown for row in told]
        self.top = heapq.nlargest(MOST_ROWS, (*self.top, *told), key=lambda r: badness(r.shown))
        self.rows += len(told)
        self.series += len({change.series for change in shown})
        self.worst = max((self.worst, *(change.severity for change in shown)), key=rank)
        self.metrics.update(change.metric for change in shown)
        self.sides.update(change.direction for change in shown)
        newest = max(shown, key=lambda change: change.ts_ms)
        if self.latest is None or newest.ts_ms > self.latest.ts_ms:
            self.latest = newest
