"""Channels: kept as people give them, with secrets encrypted, and opened for sending."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from service.database.channels import Channel, get_channel, put_channel
from service.database.endpoints import get_endpoint, hold_endpoint, write_endpoint
from service.database.locks import lock
from service.notifications.kinds.catalog import Kinds
from service.notifications.kinds.kind import Destination, Given, Kept, Kind
from service.notifications.outbox import release_held
from service.notifications.turns import after_success
from service.secret_box import SecretBox


@dataclass(frozen=True)
class GivenChannel:
    """A channel as its manager gives it."""

    name: str
    events: Sequence[str]
    given: Given


@dataclass(frozen=True)
class SavedChannel:
    """The channel as stored; ``secret`` only when it was made: it is never shown again."""

    channel: Channel
    created: bool
    secret: str | None


def save_channel(
    tx: Connection, box: SecretBox, kind: Kind, wanted: GivenChannel, now_ms: int
) -> SavedChannel:
    """Create or replace a channel; one that was disabled is tried again."""
    lock(tx, f"channel {wanted.name}")
    old = get_channel(tx, wanted.name)
    before = None if old is None or old.kind != kind.name else kept(box, old)
    keeping = kind.keep(wanted.given, before, now_ms)
    channel = Channel(
        name=wanted.name,
        kind=kind.name,
        body=keeping.settings,
        secret=box.lock(json.dumps(keeping.secrets)),
        events=list(wanted.events),
        created_ms=now_ms if old is None else old.created_ms,
        updated_ms=now_ms,
    )
    created = put_channel(tx, channel)
    _relieve(tx, kind.open(keeping).endpoint)
    release_held(tx, wanted.name, now_ms)
    return SavedChannel(channel, created, keeping.made)


def _relieve(tx: Connection, endpoint: str) -> None:
    """Whoever puts a channel wants to see it work: its endpoint is asked at once."""
    if get_endpoint(tx, endpoint).failing_until_ms is not None:
        write_endpoint(tx, after_success(hold_endpoint(tx, endpoint)))


def kept(box: SecretBox, channel: Channel) -> Kept:
    """A stored channel with its secrets; SecretError when another key locked them."""
    return Kept(channel.body, json.loads(box.open(channel.secret)))


def open_channel(kinds: Kinds, box: SecretBox, channel: Channel) -> Destination:
    """A stored channel, ready to be sent to."""
    return kinds[channel.kind].open(kept(box, channel))
