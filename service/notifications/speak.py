"""Puts what a run has to say into the outbox, in the transaction that ends (or starts) the run.

Changes are heard in batches of whole series, so a run with a hundred thousand of them takes no
more memory than one batch and what the message shows. They stay in that one transaction: a row of
the ledger that stood before its delivery would, after a kill, keep the message from being sent.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from service.database.deliveries import Delivery
from service.database.runs import Run
from service.database.sources import get_source
from service.notifications.endings import LastVerdicts
from service.notifications.events import NotifyRules
from service.notifications.heard import Heard, Teller
from service.notifications.message import (
    Data,
    Size,
    anomaly_data,
    envelope,
    plain_data,
    withdrawn_data,
)
from service.notifications.notes import Notes
from service.notifications.outbox import message_id, next_counter, queue_delivery, was_queued
from service.notifications.rows import Subject
from service.report.link import ReportLinks
from workflows.codec import from_plain
from workflows.report import Change, Report
from workflows.request import RunRequest

_BATCH = 1_000  # changes at a time, in whole series


@dataclass(frozen=True)
class Ending:
    """How a run ended; no report when it never came to one."""

    outcome: str
    report: Report | None
    error: str = ""
    last: LastVerdicts = field(default_factory=LastVerdicts)


def speak_of_start(tx: Connection, reports: ReportLinks, run: Run, now_ms: int) -> None:
    """The event started, to whoever wants it."""
    subject = _subject(tx, reports, run, now_ms)
    for speaker in _speakers(tx, subject, run, now_ms):
        speaker.say_of_run("started", None)


def speak_of_end(
    tx: Connection,
    reports: ReportLinks,
    run: Run,
    ending: Ending,
    changes: Iterable[Change],
    now_ms: int,
) -> dict[str, Any]:
    """Queue what each channel is told; returns what was sent and what was held back, and why."""
    subject = _subject(tx, reports, run, now_ms)
    speakers = _speakers(tx, subject, run, now_ms)
    if ending.report is not None and run.rule and speakers:
        for batch in batches(changes):
            for speaker in speakers:
                speaker.heard.batch(batch, ending.last)
        for speaker in speakers:
            speaker.heard.ends(ending.last)
    return {speaker.teller.channel: speaker.conclude(ending) for speaker in speakers}


def batches(changes: Iterable[Change], at_least: int = _BATCH) -> Iterator[list[Change]]:
    """Changes in whole series, some thousand at a time."""
    batch: list[Change] = []
    for _, of_series in groupby(changes, key=lambda change: change.series):
        batch.extend(of_series)
        if len(batch) >= at_least:
            yield batch
            batch = []
    if batch:
        yield batch


def _subject(tx: Connection, reports: ReportLinks, run: Run, now_ms: int) -> Subject:
    source = get_source(tx, run.source, deleted=True)
    return Subject(
        run,
        from_plain(RunRequest, run.request),
        {} if source is None else source.body,
        reports.public_url,
        reports.of(run.id, now_ms),
    )


def _speakers(tx: Connection, subject: Subject, run: Run, now_ms: int) -> list["_Speaker"]:
    rules = NotifyRules.of(run.notify)
    tellers = [Teller.of(tx, run, rules, channel, now_ms) for channel in rules.channels]
    return [_Speaker(teller, subject, Heard(teller, subject.request)) for teller in tellers]


@dataclass(frozen=True)
class _Speaker:
    """Speaks to one channel about one run."""

    teller: Teller
    subject: Subject
    heard: Heard

    @property
    def notes(self) -> Notes:
        return self.heard.notes

    def conclude(self, ending: Ending) -> dict[str, Any]:
        """Every event that happened, with what is worth telling of it."""
        if was_queued(self.teller.tx, self.subject.run.id, self.teller.channel, "started"):
            self.notes.send("started", self._id("started"))
        report = ending.report
        if report is not None:
            self._say_of_anomalies(report)
            if report.counts.get("series_without_points") or report.counts.get("no_data"):
                self.say_of_run("no_data", report)
        if ending.outcome in ("succeeded", "partial", "failed"):
            self.say_of_run(ending.outcome, report, ending.error)
        return self.notes.plain(self.teller.rules)

    def _say_of_anomalies(self, report: Report) -> None:
        standing, over = self.heard.standing, self.heard.over
        taken_back, by_rule = self.heard.taken_back, self.heard.by_rule
        counts = self.heard.told
        if taken_back.rows or by_rule:
            self._queue(
                "withdrawn",
                lambda size: withdrawn_data(self.subject, report, taken_back, by_rule, size),
            )
            self.notes.send("withdrawn", self._id("withdrawn"), counts["withdrawn"])
        if standing.rows or over.rows:
            self._queue(
                "anomaly", lambda size: anomaly_data(self.subject, report, standing, over, size)
            )
            self.notes.send("anomaly", self._id("anomaly"), counts["found"], over.rows)

    def say_of_run(self, event: str, report: Report | None, error: str = "") -> None:
        """A message about the run itself, if request and channel both name the event."""
        why = self.teller.silent(event)
        if why is not None:
            self.notes.hold(event, why)
            return
        self._queue(event, lambda size: plain_data(self.subject, event, report, error))
        self.notes.send(event, self._id(event))

    def _id(self, event: str) -> str:
        return message_id(self.subject.run.id, self.teller.channel, event)

    def _queue(self, event: str, build: Callable[[Size], Data]) -> None:
        tx, run, now_ms = self.teller.tx, self.subject.run, self.teller.now_ms
        counter = next_counter(tx, self.teller.channel, run.source, run.rule)
        delivery = Delivery(
            id=self._id(event),
            run=run.id,
            source=run.source,
            channel=self.teller.channel,
            event=event,
            counter=counter,
            body=envelope(event, self._id(event), counter, now_ms, build),
            state="pending",
            created_ms=now_ms,
            next_try_ms=now_ms,
        )
        queue_delivery(tx, delivery, now_ms)
