"""Webhooks: the envelope as it is, signed by the Standard Webhooks specification."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from service.clock import DAY_MS
from service.egress.egress import Egress
from service.egress.url import check_url, host_of
from service.errors import EgressError, RequestError
from service.notifications.kinds.kind import (
    Answer,
    Given,
    Kept,
    Message,
    Outgoing,
    Reply,
    endpoint_key,
    plain_retry,
)
from service.notifications.signing import SIGNATURE, check_secret, headers, new_secret

# While receivers change to a new secret, messages carry signatures of both.
ROTATION_MS = DAY_MS
_GONE = 410


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
        if secret == self.current:
            return self
        return SigningSecrets(secret, self.current, now_ms + ROTATION_MS)


@dataclass(frozen=True)
class Webhook:
    """An open webhook."""

    url: str
    secrets: SigningSecrets
    pace_ms: int = 0
    reads_answers: bool = False  # it is of no use, and may be endless
    has_threads: bool = False

    @property
    def endpoint(self) -> str:
        """Its URL's."""
        return endpoint_key("webhook", self.url)

    def render(self, message: Message, now_ms: int) -> Sequence[Outgoing]:
        """The stored text, byte for byte; only the time that is signed differs."""
        body = message.body.encode()
        signed = headers(self.secrets.at(now_ms), message.id, now_ms // 1000, body)
        sent = {"content-type": "application/json", **signed}
        return [Outgoing(self.url, sent, body, shown_url(self.url), (SIGNATURE,))]

    def judge(self, reply: Reply) -> Answer:
        """A redirect, a wrong path or a wrong credential may be put right: tried again."""
        if reply.is_success:
            return Answer("sent", reply.status)
        if reply.status == _GONE:
            return Answer("gone", reply.status, "410: the receiver wants no more messages")
        return plain_retry(reply)


@dataclass(frozen=True)
class WebhookKind:
    """``url``; the secret ``secret``, which is made when none is given."""

    egress: Egress | None = None
    name: str = "webhook"

    def keep(self, given: Given, before: Kept | None, now_ms: int) -> Kept:
        """Without a secret the old one stays, or one is made."""
        url = checked_url(str(given.settings["url"]), "/url", self.egress)
        secret = given.secrets.get("secret")
        wanted = None if secret is None else check_secret(secret)
        if wanted is None and before is not None and not given.rotate:
            return Kept({"url": url}, before.secrets)
        made = new_secret() if wanted is None else None
        current = wanted or made or ""
        if before is None:
            secrets = SigningSecrets(current)
        else:
            secrets = SigningSecrets(**before.secrets).followed_by(current, now_ms)
        return Kept({"url": url}, vars(secrets), made)

    def shown(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Of the URL only what is no secret."""
        return {"url": shown_url(str(settings["url"])), "secret": "whsec_..."}

    def open(self, kept: Kept) -> Webhook:
        """With its secrets."""
        return Webhook(str(kept.settings["url"]), SigningSecrets(**kept.secrets))


def checked_url(url: str, pointer: str, egress: Egress | None = None) -> str:
    """A URL that a channel may have; RequestError names the field otherwise."""
    try:
        if egress is not None:
            egress.check_host(host_of(url))
        return check_url(url)
    except EgressError as error:
        raise RequestError(str(error), pointer) from None


def shown_url(url: str) -> str:
    """A URL of which the path is a secret."""
    parts = urlsplit(url)
    hidden = "/..." if parts.path.strip("/") or parts.query else parts.path
    return f"{parts.scheme}://{parts.netloc}{hidden}"
