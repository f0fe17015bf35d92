"""What one channel makes of a run's changes, batch by batch; the ledger is written on the way."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from service.database.channels import Channel, get_channel
from service.database.ledger import Said, record_said, said_of_series
from service.database.runs import Run
from service.notifications.digest import Digest
from service.notifications.endings import Ended, LastVerdicts, ended_episodes, ended_rows
from service.notifications.events import NotifyRules
from service.notifications.notes import Notes
from service.notifications.outbox import message_id
from service.notifications.policy import Memory, Told, tell_anomalies, tell_withdrawals
from service.notifications.reasons import Reason
from service.notifications.touched import Episode, found_episodes, withdrawn_episodes
from workflows.report import Change
from workflows.request import RunRequest

_SERIES = 500  # at a time


@dataclass(frozen=True)
class Teller:
    """One channel, as one run speaks to it."""

    tx: Connection
    run: Run
    rules: NotifyRules
    channel: str
    stored: Channel | None
    now_ms: int

    @classmethod
    def of(
        cls, tx: Connection, run: Run, rules: NotifyRules, channel: str, now_ms: int
    ) -> "Teller":
        """Of a channel that may have been deleted."""
        return cls(tx, run, rules, channel, get_channel(tx, channel), now_ms)

    def silent(self, event: str) -> Reason | None:
        """Why the channel is not told of an event at all."""
        if event not in self.rules.on:
            return "not_asked_for"
        if self.stored is None:
            return "channel_deleted"
        return None if event in self.stored.events else "channel_does_not_take_it"

    def said_of(self, series: Sequence[str]) -> list[Said]:
        """What the channel was told by the run's rule about some series."""
        return said_of_series(self.tx, self.channel, self.run.source, self.run.rule or "", series)

    def record(self, event: str, told: Iterable[Told], status: str) -> None:
        """Into the ledger: what the run's message says of the changes that rows cover."""
        delivery = message_id(self.run.id, self.channel, event)
        record_said(
            self.tx,
            (
                self._said(delivery, change, row.episode_ms, status)
                for row in told
                for change in row.covers
            ),
        )

    def record_ends(self, ended: Iterable[Ended]) -> None:
        """Into the ledger: what was said is over."""
        delivery = message_id(self.run.id, self.channel, "anomaly")
        record_said(
            self.tx,
            (
                replace(
                    said,
                    status="ended",
                    transition=-said.transition,
                    ts_ms=one.verdict.ts_ms,
                    delivery=delivery,
                    run=self.run.id,
                    said_ms=self.now_ms,
                )
                for one in ended
                for said in one.told
            ),
        )

    def _said(self, delivery: str, change: Change, episode_ms: int, status: str) -> Said:
        return Said(
            channel=self.channel,
            anomaly=change.anomaly,
            transition=change.transition,
            status=status,
            source=self.run.source,
            rule=self.run.rule or "",
            series=change.series,
            ts_ms=change.ts_ms,
            episode_ms=episode_ms,
            severity=change.severity,
            delivery=delivery,
            run=self.run.id,
            said_ms=self.now_ms,
        )


@dataclass
class Heard:
    """What will be told: filled by batches, read when all were heard."""

    teller: Teller
    request: RunRequest
    notes: Notes = field(default_factory=Notes)
    standing: Digest = field(default_factory=Digest)
    over: Digest = field(default_factory=Digest)
    taken_back: Digest = field(default_factory=Digest)
    by_rule: int = 0
    told: Counter[str] = field(default_factory=Counter)  # changes, by what is said of them

    def batch(self, changes: Sequence[Change], last: LastVerdicts) -> None:
        """Changes of whole series."""
        series = sorted({change.series for change in changes})
        memory = Memory(self.teller.said_of(series))
        if self._withdrawn(changes, memory, last):  # told first: the rest builds upon it
            memory = Memory(self.teller.said_of(series))
        self._found(changes, memory)

    def _found(self, changes: Sequence[Change], memory: Memory) -> None:
        telling = tell_anomalies(
            self.teller.rules,
            changes,
            memory,
            self.request.accepted_ms,
            self.request.source.steps_ms,
        )
        for why, count in telling.held.items():
            self.notes.hold("anomaly", why, count)
        covered = sum(len(row.covers) for row in telling.told)
        if self._hold("anomaly", covered):
            return
        self.standing.add(telling.told, found_episodes(telling.told, memory))
        self.told["found"] += covered
        self.teller.record("anomaly", telling.told, "found")

    def _withdrawn(self, changes: Sequence[Change], memory: Memory, last: LastVerdicts) -> bool:
        withdrawing = tell_withdrawals(changes, memory)
        for why, count in withdrawing.held.items():
            self.notes.hold("withdrawn", why, count)
        rows = [
            replace(row, still_ms=last.unusual_since(row.shown.series, row.shown.ts_ms))
            for row in withdrawing.told
        ]
        gone = (*rows, *withdrawing.by_rule)
        if self._hold("withdrawn", len(gone)):
            return False
        self.taken_back.add(rows, withdrawn_episodes(gone, memory))
        self.by_rule += len(withdrawing.by_rule)
        self.told["withdrawn"] += len(gone)
        self.teller.record("withdrawn", gone, "withdrawn")
        return bool(gone)

    def _hold(self, event: str, count: int) -> bool:
        """Whether nothing is told: the channel does not want it."""
        why = self.teller.silent(event)
        if why is not None and count:
            self.notes.hold(event, why, count)
        return why is not None

    def ends(self, last: LastVerdicts) -> None:
        """What was told before and is over by now."""
        if self.teller.rules.repeat != "episode" or self.teller.silent("anomaly"):
            return
        normal = last.normal()
        for first in range(0, len(normal), _SERIES):
            said = self.teller.said_of(normal[first : first + _SERIES])
            found = ended_episodes(said, last, self.request.start_ms, self.teller.run.id)
            self._ended(found, last)

    def _ended(self, found: Sequence[Ended], last: LastVerdicts) -> None:
        rows = ended_rows(found, last)
        episodes = [
            Episode("ended", row.shown, since_ms, ended.severity_of(since_ms), None)
            for row, ended in zip(rows, found, strict=True)
            for since_ms in ended.starts
        ]
        self.over.add(rows, episodes)
        self.teller.record_ends(found)
