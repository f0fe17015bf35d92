"""Puts what a run has to say into the outbox, in the transaction that ends (or starts) the run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from service.database.channels import get_channel
from service.database.deliveries import Delivery
from service.database.ledger import Said, record_said, said_of_series
from service.database.runs import Run
from service.database.sources import get_source
from service.notifications.endings import LastVerdict, ended_episodes, said_of
from service.notifications.events import NotifyRules
from service.notifications.message import (
    Subject,
    anomaly_data,
    envelope,
    plain_data,
    withdrawn_data,
)
from service.notifications.outbox import message_id, next_counter, queue_delivery
from service.notifications.policy import Memory, Told, tell_anomalies, tell_withdrawals
from workflows.codec import from_plain
from workflows.report import Change, Report
from workflows.request import RunRequest


@dataclass(frozen=True)
class Ending:
    """How a run ended; no report when it never came to one."""

    outcome: str
    report: Report | None
    error: str = ""
    last: Mapping[str, LastVerdict] = field(default_factory=dict)  # by series; see `endings`


@dataclass(frozen=True)
class _Message:
    """One event for one channel; ``said`` are (change, status) for the ledger."""

    event: str
    data: Mapping[str, Any]
    said: Sequence[tuple[Change, str]] = ()


@dataclass
class _Notes:
    """What the run shows of one channel."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    held: list[dict[str, Any]] = field(default_factory=list)

    def hold(self, event: str, why: str, count: int = 1) -> None:
        self.held.append({"event": event, "why": why, "count": count})


def speak_of_start(tx: Connection, public_url: str, run: Run, now_ms: int) -> None:
    """The event started, to whoever wants it."""
    rules = NotifyRules.of(run.notify)
    subject = _subject(tx, public_url, run)
    for channel in rules.channels:
        speaker = _Speaker(tx, subject, rules, channel, now_ms)
        speaker.say(_Message("started", plain_data(subject, "started", None)))


def speak_of_end(
    tx: Connection,
    public_url: str,
    run: Run,
    ending: Ending,
    changes: Sequence[Change],
    now_ms: int,
) -> dict[str, Any]:
    """Queue what each channel is told; returns what was sent and what was held back, and why."""
    rules = NotifyRules.of(run.notify)
    subject = _subject(tx, public_url, run)
    notified = {}
    for channel in rules.channels:
        speaker = _Speaker(tx, subject, rules, channel, now_ms)
        for message in speaker.messages(ending, changes):
            speaker.say(message)
        notified[channel] = vars(speaker.notes)
    return notified


def _subject(tx: Connection, public_url: str, run: Run) -> Subject:
    source = get_source(tx, run.source, deleted=True)
    body = {} if source is None else source.body
    return Subject(run, from_plain(RunRequest, run.request), body, public_url)


@dataclass
class _Speaker:
    """Speaks to one channel about one run."""

    tx: Connection
    subject: Subject
    rules: NotifyRules
    channel: str
    now_ms: int
    notes: _Notes = field(default_factory=_Notes)

    def messages(self, ending: Ending, changes: Sequence[Change]) -> Iterator[_Message]:
        """Every event that happened, with what is worth telling of it."""
        report = ending.report
        if report is not None and self.subject.run.rule:
            yield from self._anomalies(report, changes, ending.last)
        if report is not None and _lacks_data(report):
            yield _Message("no_data", plain_data(self.subject, "no_data", report))
        if ending.outcome in ("succeeded", "partial", "failed"):
            data = plain_data(self.subject, ending.outcome, report, ending.error)
            yield _Message(ending.outcome, data)

    def _anomalies(
        self, report: Report, changes: Sequence[Change], last: Mapping[str, LastVerdict]
    ) -> Iterator[_Message]:
        run, request = self.subject.run, self.subject.request
        series = sorted({change.series for change in changes})
        memory = Memory(said_of_series(self.tx, self.channel, run.source, run.rule or "", series))
        telling = tell_anomalies(
            self.rules, changes, memory, request.accepted_ms, request.source.steps_ms
        )
        withdrawing = tell_withdrawals(changes, memory)
        for event, held in (("anomaly", telling.held), ("withdrawn", withdrawing.held)):
            for why, count in held.items():
                self.notes.hold(event, why, count)
        over = self._over(changes, last)
        if telling.told or over:
            said = [(change, "found") for change in telling.covered]
            said += [(row.shown, "ended") for row in over]
            told = (*telling.told, *over)
            yield _Message("anomaly", anomaly_data(self.subject, report, told), said)
        taken_back = (*withdrawing.told, *withdrawing.by_rule)
        if taken_back:
            data = withdrawn_data(self.subject, report, withdrawing)
            yield _Message("withdrawn", data, [(change, "withdrawn") for change in taken_back])

    def _over(self, changes: Sequence[Change], last: Mapping[str, LastVerdict]) -> list[Told]:
        if self.rules.repeat != "episode" or not last:
            return []
        start_ms = self.subject.request.start_ms
        return ended_episodes(
            said_of(self.tx, self.subject.run, self.channel, start_ms), changes, last
        )

    def say(self, message: _Message) -> None:
        """Into the outbox, if request and channel both name the event."""
        why = self._silent(message.event)
        if why:
            self.notes.hold(message.event, why, max(1, len(message.said)))
            return
        run = self.subject.run
        id_ = message_id(run.id, self.channel, message.event)
        counter = next_counter(self.tx, self.channel, run.source, run.rule)
        delivery = Delivery(
            id=id_,
            run=run.id,
            source=run.source,
            channel=self.channel,
            event=message.event,
            counter=counter,
            body=envelope(message.event, id_, counter, self.now_ms, message.data),
            state="pending",
            created_ms=self.now_ms,
            next_try_ms=self.now_ms,
        )
        if queue_delivery(self.tx, delivery, self.now_ms):
            record_said(self.tx, (self._entry(id_, *one) for one in message.said))
        self.notes.sent.append(
            {"event": message.event, "delivery": id_, "count": max(1, len(message.said))}
        )

    def _silent(self, event: str) -> str:
        if event not in self.rules.on:
            return "not_asked_for"
        channel = get_channel(self.tx, self.channel)
        if channel is None:
            return "channel_deleted"
        return "" if event in channel.events else "channel_does_not_take_it"

    def _entry(self, delivery: str, change: Change, status: str) -> Said:
        run = self.subject.run
        return Said(
            channel=self.channel,
            anomaly=change.anomaly,
            transition=change.transition,
            status=status,
            source=run.source,
            rule=run.rule or "",
            series=change.series,
            ts_ms=change.ts_ms,
            episode_ms=change.episode_start_ms,
            severity=change.severity,
            delivery=delivery,
            run=run.id,
            said_ms=self.now_ms,
        )


def _lacks_data(report: Report) -> bool:
    return bool(report.counts.get("series_without_points") or report.counts.get("no_data"))
