"""Channels as people give them: a URL, the events they want, a secret that is shown once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from service.clock import DAY_MS
from service.database.channels import Channel, get_channel, put_channel
from service.database.locks import lock
from service.egress.url import check_url
from service.notifications.outbox import release_held
from service.notifications.signing import check_secret, new_secret
from service.secret_box import SecretBox

# While receivers change to a new secret, messages carry signatures of both.
ROTATION_MS = DAY_MS


@dataclass(frozen=True)
class WebhookChannel:
    """A webhook as its manager gives it. Without a secret the old one stays, or one is made."""

    name: str
    url: str
    events: Sequence[str]
    secret: str | None = None
    rotate: bool = False  # make a new secret


@dataclass(frozen=True)
class SavedChannel:
    """The channel as stored; ``secret`` only when it is new: it is never shown again."""

    channel: Channel
    created: bool
    secret: str | None


@dataclass(frozen=True)
class SigningSecrets:
    """What a webhook is signed with: the current secret, and the one before for a while."""

    current: str
    previous: str | None = None
    previous_until_ms: int = 0

    def at(self, now_ms: int) -> list[str]:
        """The secrets to sign with now."""
        if self.previous is None or now_ms >= self.previous_until_ms:
            return [self.current]
        return [self.current, self.previous]

    def followed_by(self, secret: str, now_ms: int) -> "SigningSecrets":
        """The same with a new current secret."""
        return SigningSecrets(secret, self.current, now_ms + ROTATION_MS)


def save_webhook(
    tx: Connection, box: SecretBox, given: WebhookChannel, now_ms: int
) -> SavedChannel:
    """Create or replace a webhook; a channel that was disabled is tried again."""
    check_url(given.url)
    lock(tx, f"channel {given.name}")
    old = get_channel(tx, given.name)
    secrets_, shown = _secrets(box, old, given, now_ms)
    channel = Channel(
        name=given.name,
        kind="webhook",
        body={"url": given.url},
        secret=box.lock(json.dumps(vars(secrets_))),
        events=list(given.events),
        created_ms=now_ms if old is None else old.created_ms,
        updated_ms=now_ms,
    )
    created = put_channel(tx, channel)
    release_held(tx, given.name, now_ms)
    return SavedChannel(channel, created, shown)


def _secrets(
    box: SecretBox, old: Channel | None, given: WebhookChannel, now_ms: int
) -> tuple[SigningSecrets, str | None]:
    if given.secret is not None:
        wanted = check_secret(given.secret)
    elif old is None or given.rotate:
        wanted = new_secret()
    else:
        return signing_secrets(box, old), None
    shown = None if given.secret is not None else wanted
    if old is None:
        return SigningSecrets(wanted), shown
    before = signing_secrets(box, old)
    return (before if wanted == before.current else before.followed_by(wanted, now_ms)), shown


def signing_secrets(box: SecretBox, channel: Channel) -> SigningSecrets:
    """The secrets of a stored webhook."""
    return SigningSecrets(**json.loads(box.open(channel.secret)))
