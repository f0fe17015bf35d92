"""What of a run's changes is worth telling one channel: quiet by default.

Pure: changes and what was said before go in, what is told and what is held back (and why) comes
out. Ages are measured at acceptance, so a retry decides the same.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from service.database.ledger import Said
from service.notifications.events import NotifyRules, rank
from workflows.report import Change

Phase = Literal["started", "worse", "new", "ended"]
EpisodeKey = tuple[str, int]  # series, start


@dataclass(frozen=True)
class Told:
    """One row of a message: an episode (or a point, with repeat always) and what it covers.

    What ``ended`` shows is the series' newest point, normal again, and covers nothing.
    """

    phase: Phase
    shown: Change  # the worst, then the latest
    covers: tuple[Change, ...]


@dataclass(frozen=True)
class Telling:
    """What is told, worst first, and how many changes are held back by reason."""

    told: tuple[Told, ...] = ()
    held: Mapping[str, int] = field(default_factory=dict)

    @property
    def covered(self) -> list[Change]:
        """Every change that the message speaks of."""
        return [change for row in self.told for change in row.covers]


@dataclass(frozen=True)
class Withdrawing:
    """Withdrawals told one by one (the data changed), or as one number (the rule did)."""

    told: tuple[Change, ...] = ()
    by_rule: tuple[Change, ...] = ()
    held: Mapping[str, int] = field(default_factory=dict)


class Memory:
    """What one channel was told by one rule."""

    def __init__(self, said: Iterable[Said]) -> None:
        self._transitions: set[tuple[str, int]] = set()
        self._last: dict[str, Said] = {}
        for one in said:
            if one.status == "ended":
                continue
            self._transitions.add((one.anomaly, one.transition))
            before = self._last.get(one.anomaly)
            if before is None or before.transition < one.transition:
                self._last[one.anomaly] = one
        self._episodes: dict[EpisodeKey, int] = {}
        for one in self._last.values():
            if one.status == "found":
                key = (one.series, one.episode_ms)
                self._episodes[key] = max(rank(one.severity), self._episodes.get(key, -1))

    def knows(self, change: Change) -> bool:
        """Whether this transition was told."""
        return (change.anomaly, change.transition) in self._transitions

    def stands(self, anomaly: str) -> bool:
        """Whether the anomaly was told and not taken back."""
        last = self._last.get(anomaly)
        return last is not None and last.status == "found"

    def severity_of(self, episode: EpisodeKey) -> int:
        """Rank of the worst that was told of an episode and stands; -1 for nothing."""
        return self._episodes.get(episode, -1)


def tell_anomalies(
    rules: NotifyRules,
    changes: Sequence[Change],
    memory: Memory,
    accepted_ms: int,
    steps_ms: Mapping[str, int],
) -> Telling:
    """The anomaly message for one channel."""
    held: Counter[str] = Counter()
    fresh: list[Change] = []
    for change in changes:
        if change.kind == "withdrawn":
            continue
        reason = _held_back(rules, change, memory, accepted_ms, steps_ms.get(change.metric))
        if reason:
            held[reason] += 1
        else:
            fresh.append(change)
    if rules.repeat == "always":
        rows = [Told("new", change, (change,)) for change in fresh]
    else:
        rows = _episodes(fresh, memory, held)
    rows.sort(key=lambda row: _badness(row.shown), reverse=True)
    return Telling(tuple(rows), dict(held))


def _held_back(
    rules: NotifyRules, change: Change, memory: Memory, accepted_ms: int, step_ms: int | None
) -> str:
    if rank(change.severity) < rank(rules.min_severity):
        return "below_min_severity"
    if change.ts_ms < rules.oldest_ms(accepted_ms, step_ms):
        return "older_than_max_age"
    if change.cause == "rule":
        return "rule_changed"
    if memory.knows(change):
        return "told_before"
    return ""


def _episodes(fresh: list[Change], memory: Memory, held: Counter[str]) -> list[Told]:
    by_episode: dict[EpisodeKey, list[Change]] = {}
    for change in fresh:
        by_episode.setdefault((change.series, change.episode_start_ms), []).append(change)
    rows = []
    for episode, points in by_episode.items():
        known = memory.severity_of(episode)
        worse = [point for point in points if rank(point.severity) > known]
        held["episode_told"] += len(points) - len(worse)
        if worse:
            phase: Phase = "started" if known < 0 else "worse"
            rows.append(Told(phase, max(worse, key=_badness), tuple(worse)))
    if not held["episode_told"]:
        del held["episode_told"]
    return rows


def _badness(change: Change) -> tuple[int, float, int]:
    return rank(change.severity), change.score or 0.0, change.ts_ms


def tell_withdrawals(changes: Sequence[Change], memory: Memory) -> Withdrawing:
    """Only what was told is taken back."""
    held: Counter[str] = Counter()
    told: list[Change] = []
    by_rule: list[Change] = []
    for change in changes:
        if change.kind != "withdrawn":
            continue
        if memory.knows(change):
            held["told_before"] += 1
        elif not memory.stands(change.anomaly):
            held["never_told"] += 1
        elif change.cause == "data":
            told.append(change)
        elif change.cause == "rule":
            by_rule.append(change)
        else:
            held["baseline_changed"] += 1
    told.sort(key=_badness, reverse=True)
    return Withdrawing(tuple(told), tuple(by_rule), dict(held))
