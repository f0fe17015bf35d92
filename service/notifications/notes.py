"""What a run shows of one channel: what was sent, what was held back, and why."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from service.notifications.events import NotifyRules
from service.notifications.reasons import Reason, held_text, sent_text


@dataclass
class Notes:
    """Counted by event and reason; small, however many changes there were."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    held: Counter[tuple[str, Reason]] = field(default_factory=Counter)

    def send(self, event: str, delivery: str, count: int = 1, over: int = 0) -> None:
        """A message: how many changes it tells, and of how many series that they are normal."""
        text = sent_text(event, count, over)
        note = {"event": event, "delivery": delivery, "count": count, "text": text}
        self.sent.append({**note, "over": over} if over else note)

    def hold(self, event: str, why: Reason, count: int = 1) -> None:
        """Changes, or a message, that the channel is not told."""
        self.held[event, why] += count

    def plain(self, rules: NotifyRules) -> dict[str, Any]:
        """As JSON, for the run's row."""
        held = [
            {
                "event": event,
                "why": why,
                "count": count,
                "text": held_text(event, why, count, rules),
            }
            for (event, why), count in self.held.items()
            if count
        ]
        return {"sent": self.sent, "held": held}
