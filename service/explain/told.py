"""What of one point was sent to each channel of a run, or held back and why."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from service.database.deliveries import states_of_run
from service.database.ledger import Said, said_of_series
from service.database.runs import Run
from service.explain.step import Fact, Step
from service.notifications.events import NotifyRules
from service.notifications.policy import Memory, tell_anomalies, tell_withdrawals
from service.notifications.reasons import SILENT, Reason, why_text
from service.notifications.wording import date_text
from workflows.report import Change
from workflows.request import RunRequest

_STATES = {
    "sent": "It was delivered",
    "pending": "It waits to be sent",
    "held": "It is held until the channel is repaired",
    "dead": "It could not be delivered",
}


def told_steps(
    tx: Connection,
    run: Run,
    request: RunRequest,
    series: str,
    anomaly: str | None,
    change: Change | None,
    changes_kept: bool,
) -> Iterator[Step]:
    """One step per channel; ``anomaly`` is the id of what the run found or knew, if anything."""
    rules = NotifyRules.of(run.notify)
    if not request.store:
        yield Step("told", "Nobody is told: the run stored nothing.")
        return
    if not rules.channels:
        yield Step("told", "Nobody is told: the request names no channel.")
        return
    for channel in rules.channels:
        if anomaly is None:
            says = f"Nothing to tell {channel}: the run found no anomaly here and withdrew none."
            yield Step("told", says, (Fact("channel", channel), Fact("sent", False)))
            continue
        said = said_of_series(tx, channel, run.source, run.rule or "", [series])
        notes = (run.notified or {}).get(channel) or {}
        point = _Point(tx, run, request, rules, channel, said, notes)
        yield point.step(anomaly, change, changes_kept)


class _Point:
    """One anomaly, as one channel knows it."""

    def __init__(
        self,
        tx: Connection,
        run: Run,
        request: RunRequest,
        rules: NotifyRules,
        channel: str,
        said: list[Said],
        notes: Mapping[str, Any],
    ) -> None:
        self._tx = tx
        self._run = run
        self._request = request
        self._rules = rules
        self._channel = channel
        self._said = said
        self._notes = notes

    def step(self, anomaly: str, change: Change | None, changes_kept: bool) -> Step:
        """Sent by this run, known from an earlier one, or held back."""
        mine = [one for one in self._said if one.anomaly == anomaly]
        sent = [one for one in mine if one.run == self._run.id]
        if sent:
            return self._sent(sent[-1])
        if change is not None:
            return self._held(change)
        earlier = [one for one in mine if one.said_ms <= (self._run.ended_ms or 0)]
        if earlier:
            return self._before(earlier[-1])
        says = "what held it back is not kept any more"
        if changes_kept:
            says = "an earlier run had found it, and nothing changed since"
        return self._quiet(f"Not told to {self._channel}: {says}.", None)

    def _sent(self, said: Said) -> Step:
        state, error = states_of_run(self._tx, self._run.id).get(said.delivery, ("", ""))
        what = {"found": "The anomaly", "withdrawn": "The withdrawal"}.get(said.status, "Its end")
        says = f"{what} was told to {self._channel}, as {said.severity}."
        if state:
            says += f" {_STATES.get(state, state)}{f': {error}' if error else ''}."
        facts = (
            Fact("channel", self._channel),
            Fact("sent", True),
            Fact("delivery", said.delivery),
            Fact("state", state or None),
        )
        return Step("told", says, facts)

    def _before(self, said: Said) -> Step:
        when = date_text(said.said_ms, self._request.source.timezone, 1)
        says = f"Not told to {self._channel} again: run {said.run} did on {when}, and nothing "
        facts = (
            Fact("channel", self._channel),
            Fact("sent", False),
            Fact("why", "told_before"),
            Fact("delivery", said.delivery),
        )
        return Step("told", f"{says}changed since.", facts)

    def _held(self, change: Change) -> Step:
        event = "withdrawn" if change.kind == "withdrawn" else "anomaly"
        why = self._why(event, change)
        words = why_text(event, why, self._rules)
        return self._quiet(f"Held back from {self._channel}: {words}.", why)

    def _why(self, event: str, change: Change) -> Reason:
        """By the rules that held it back, with what the channel knew before the run."""
        memory = Memory(
            one
            for one in self._said
            if one.run != self._run.id and one.said_ms <= (self._run.ended_ms or 0)
        )
        held: Mapping[Reason, int]
        if event == "withdrawn":
            held = tell_withdrawals([change], memory).held
        else:
            request = self._request
            steps = request.source.steps_ms
            held = tell_anomalies(self._rules, [change], memory, request.accepted_ms, steps).held
        if held:
            return next(iter(held))
        for note in self._notes.get("held", ()):
            if note["event"] == event and note["why"] in SILENT:
                silent: Reason = note["why"]
                return silent
        return "episode_told"

    def _quiet(self, says: str, why: Reason | None) -> Step:
        facts = (Fact("channel", self._channel), Fact("sent", False), Fact("why", why))
        return Step("told", says, facts)
