"""What of a run's changes is worth telling one channel: quiet by default.

Pure: changes and what was said before go in, what is told and what is held back (and why) comes
out. Changes come in batches of whole series. Ages are measured at acceptance, so a retry decides
the same.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from service.database.ledger import Said
from service.notifications.events import NotifyRules, rank
from service.notifications.reasons import Reason
from workflows.report import Change

Phase = Literal["started", "worse", "new", "ended", "withdrawn"]


@dataclass(frozen=True)
class Told:
    """One row of a message: an episode (or a point, with repeat always) and what it covers.

    What ``ended`` shows is the series' newest point, normal again, and covers nothing.
    """

    phase: Phase
    shown: Change  # the worst, then the latest
    episode_ms: int  # the start by which the channel knows the episode: late data may move it
    covers: tuple[Change, ...] = ()
    before_ms: int | None = None  # when less was told of what is worse now
    still_ms: int | None = None  # the newest point of what was withdrawn, if it is unusual, too


@dataclass(frozen=True)
class Telling:
    """What is told, and how many changes are held back by reason."""

    told: tuple[Told, ...] = ()
    held: Mapping[Reason, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Withdrawing:
    """Withdrawals told one by one (the data changed), or as one number (the rule did)."""

    told: tuple[Told, ...] = ()
    by_rule: tuple[Told, ...] = ()
    held: Mapping[Reason, int] = field(default_factory=dict)


def standing(said: Iterable[Said]) -> dict[str, list[Said]]:
    """By series, the last that was told of each anomaly, if not taken back or told to be over."""
    last: dict[str, Said] = {}
    over: set[tuple[str, int]] = set()
    for one in said:
        if one.status == "ended":
            over.add((one.anomaly, -one.transition))
        elif one.anomaly not in last or last[one.anomaly].transition < one.transition:
            last[one.anomaly] = one
    series: dict[str, list[Said]] = {}
    for one in last.values():
        if one.status == "found" and (one.anomaly, one.transition) not in over:
            series.setdefault(one.series, []).append(one)
    return series


class Memory:
    """What one channel was told by one rule of some series."""

    def __init__(self, said: Iterable[Said]) -> None:
        entries = list(said)
        self._transitions = {(one.anomaly, one.transition) for one in entries}
        self._series = standing(entries)
        self._last: dict[str, Said] = {}
        for one in sorted(entries, key=lambda one: one.transition):
            if one.status != "ended":
                self._last[one.anomaly] = one

    def knows(self, change: Change) -> bool:
        """Whether this transition was told."""
        return (change.anomaly, change.transition) in self._transitions

    def found(self, anomaly: str) -> Said | None:
        """What was told of an anomaly that was not taken back."""
        last = self._last.get(anomaly)
        return last if last is not None and last.status == "found" else None

    def episode_of(self, change: Change) -> int:
        """The start by which the channel knows a change's episode."""
        known = self.worst_of(change.series, change.episode_start_ms, change.ts_ms)
        return change.episode_start_ms if known is None else known.episode_ms

    def told_of(self, series: str, episode_ms: int, until_ms: int) -> list[Said]:
        """What was told of an episode and stands.

        An episode that has lost its first day since is known by the days that were told of it.
        """
        return [
            one
            for one in self._series.get(series, ())
            if one.episode_ms == episode_ms or episode_ms <= one.ts_ms <= until_ms
        ]

    def told_between(self, series: str, change: Mapping[str, Any]) -> bool:
        """Whether something stands that was told of the dates on which a change may have been."""
        return any(
            change["earliest_ms"] <= one.ts_ms <= change["latest_ms"]
            for one in self._series.get(series, ())
        )

    def episode(self, series: str, episode_ms: int) -> list[Said]:
        """What was told of an episode by this start and stands."""
        return [one for one in self._series.get(series, ()) if one.episode_ms == episode_ms]

    def worst_of(self, series: str, episode_ms: int, until_ms: int) -> Said | None:
        """The worst of that, and of several the one told last."""
        told = self.told_of(series, episode_ms, until_ms)
        return max(told, key=lambda one: (rank(one.severity), one.said_ms), default=None)


def tell_anomalies(
    rules: NotifyRules,
    changes: Sequence[Change],
    memory: Memory,
    accepted_ms: int,
    steps_ms: Mapping[str, int],
) -> Telling:
    """The anomaly message for one channel."""
    held: Counter[Reason] = Counter()
    fresh: list[Change] = []
    for change in changes:
        if change.kind == "withdrawn":
            continue
        reason = _held_back(rules, change, memory, accepted_ms, steps_ms.get(change.metric))
        if reason is None:
            fresh.append(change)
        else:
            held[reason] += 1
    if rules.repeat == "always":
        rows = [Told("new", change, memory.episode_of(change), (change,)) for change in fresh]
    else:
        rows = _episodes(fresh, memory, held)
    rows.sort(key=lambda row: badness(row.shown), reverse=True)
    return Telling(tuple(rows), dict(held))


def _held_back(
    rules: NotifyRules, change: Change, memory: Memory, accepted_ms: int, step_ms: int | None
) -> Reason | None:
    if rank(change.severity) < rank(rules.min_severity):
        return "below_min_severity"
    # A lasting change shows some time after its date, and its date still moves a little then.
    if change.change is None:
        if change.ts_ms < rules.oldest_ms(accepted_ms, step_ms):
            return "older_than_max_age"
    elif memory.told_between(change.series, change.change):
        return "told_before"
    if change.cause == "rule":
        return "rule_changed"
    return "told_before" if memory.knows(change) else None


def _episodes(fresh: list[Change], memory: Memory, held: Counter[Reason]) -> list[Told]:
    by_episode: dict[tuple[str, int], list[Change]] = {}
    for change in fresh:
        by_episode.setdefault((change.series, change.episode_start_ms), []).append(change)
    rows = []
    for (series, start_ms), points in by_episode.items():
        known = memory.worst_of(series, start_ms, max(point.ts_ms for point in points))
        least = -1 if known is None else rank(known.severity)
        worse = tuple(point for point in points if rank(point.severity) > least)
        if len(worse) < len(points):
            held["episode_told"] += len(points) - len(worse)
        if worse:
            worst = max(worse, key=badness)
            if known is None:
                rows.append(Told("started", worst, start_ms, worse))
            else:
                rows.append(Told("worse", worst, known.episode_ms, worse, known.said_ms))
    return rows


def badness(change: Change) -> tuple[int, float, int]:
    """Orders what is shown: severity, then score, then time."""
    return rank(change.severity), change.score or 0.0, change.ts_ms


def tell_withdrawals(changes: Sequence[Change], memory: Memory) -> Withdrawing:
    """Only what was told is taken back."""
    held: Counter[Reason] = Counter()
    told: list[Told] = []
    by_rule: list[Told] = []
    for change in changes:
        if change.kind != "withdrawn":
            continue
        found = memory.found(change.anomaly)
        if memory.knows(change):
            held["told_before"] += 1
        elif found is None:
            held["never_told"] += 1
        elif change.cause == "baseline":
            held["baseline_changed"] += 1
        else:
            row = Told("withdrawn", change, found.episode_ms, (change,))
            (told if change.cause == "data" else by_rule).append(row)
    return Withdrawing(tuple(told), tuple(by_rule), dict(held))
