"""What a run's page says of its channels: what was sent and is it there, what was held back."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Connection

from service.database.deliveries import states_of_run
from service.database.runs import Run
from service.notifications.reasons import REASONS


class SentOut(BaseModel):
    """One message of the run to the channel."""

    event: str
    delivery: str = Field(description="Its id: GET /v1/deliveries/{delivery}.")
    count: int = Field(description="Changes that it tells.")
    over: int = Field(default=0, description="Series of which it tells that they are normal.")
    text: str = Field(default="", description="The same in words.")
    state: str | None = Field(
        default=None,
        description="pending, sent, held or dead, as it is now; null: too long ago to know.",
    )
    error: str = Field(default="", description="Why the last attempt failed.")


class HeldOut(BaseModel):
    """What the channel was not told."""

    event: str
    why: str = Field(description=f"One of {', '.join(REASONS)}.")
    count: int
    text: str = Field(default="", description="The same in words.")


class NotifiedOut(BaseModel):
    """One channel: sent and held together are everything that happened."""

    sent: list[SentOut]
    held: list[HeldOut]


def notified_out(tx: Connection, run: Run) -> dict[str, NotifiedOut] | None:
    """By channel; None before the run has ended."""
    if run.notified is None:
        return None
    any_sent = any(notes["sent"] for notes in run.notified.values())
    states = states_of_run(tx, run.id) if any_sent else {}
    return {channel: _channel(notes, states) for channel, notes in run.notified.items()}


def _channel(notes: Mapping[str, Any], states: Mapping[str, tuple[str, str]]) -> NotifiedOut:
    sent = []
    for note in notes["sent"]:
        state, error = states.get(note["delivery"], (None, ""))
        sent.append(SentOut(**{**note, "state": state, "error": error}))
    return NotifiedOut(sent=sent, held=[HeldOut(**note) for note in notes["held"]])
