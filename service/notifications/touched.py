"""Which episodes a message is about, and how bad the channel knew them before and knows them now.

Receivers that keep a state per episode (an alert) need all of them, not only the rows shown.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from service.notifications.events import rank
from service.notifications.policy import Memory, Phase, Told
from service.notifications.rows import clipped_labels
from service.notifications.wording import local
from workflows.report import Change


@dataclass(frozen=True)
class Episode:
    """``was`` and ``now`` are the worst severity told that stood before and stands after."""

    phase: Phase
    example: Change  # whose series it is
    since_ms: int
    was: str | None
    now: str | None

    def data(self, timezone: str) -> dict[str, Any]:
        """As the message has it."""
        return {
            "series_id": self.example.series,
            "metric": self.example.metric,
            "labels": clipped_labels(self.example.labels),
            "since": local(self.since_ms, timezone).isoformat(),
            "phase": self.phase,
            "anomaly": self.example.anomaly,
            "was": self.was,
            "now": self.now,
        }

    @property
    def weight(self) -> int:
        """Orders episodes when there are too many to name."""
        return max(rank(self.now or ""), rank(self.was or ""))


def found_episodes(told: Sequence[Told], memory: Memory) -> list[Episode]:
    """What a batch of rows says of episodes."""
    by_episode: dict[tuple[str, int], list[Told]] = {}
    for row in told:
        by_episode.setdefault((row.shown.series, row.episode_ms), []).append(row)
    episodes = []
    for (series, since_ms), rows in by_episode.items():
        was = worst_severity(one.severity for one in memory.episode(series, since_ms))
        now = worst_severity([was, *(change.severity for row in rows for change in row.covers)])
        episodes.append(Episode(rows[0].phase, rows[0].shown, since_ms, was, now))
    return episodes


def withdrawn_episodes(rows: Iterable[Told], memory: Memory) -> list[Episode]:
    """What a batch of withdrawals leaves of the episodes as they were told."""
    by_episode: dict[tuple[str, int], list[Change]] = {}
    for row in rows:
        by_episode.setdefault((row.shown.series, row.episode_ms), []).append(row.shown)
    episodes = []
    for (series, since_ms), gone in by_episode.items():
        anomalies = {change.anomaly for change in gone}
        told = memory.episode(series, since_ms)
        was = worst_severity(one.severity for one in told)
        now = worst_severity(one.severity for one in told if one.anomaly not in anomalies)
        episodes.append(Episode("withdrawn", gone[0], since_ms, was, now))
    return episodes


def worst_severity(severities: Iterable[str | None]) -> str | None:
    """The worst of some; None of none."""
    return max((one for one in severities if one), key=rank, default=None)
