"""The seam: what every kind of channel can do, and what goes in and comes out."""

import email.utils
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, Protocol

Verdict = Literal["sent", "gone", "refused", "retry"]


@dataclass(frozen=True)
class Given:
    """A channel as its manager gives it: settings, and those secrets that are new."""

    settings: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict)
    rotate: bool = False  # make a new secret


@dataclass(frozen=True)
class Kept:
    """What is stored of it; ``made`` is a secret that was made here, to be shown once."""

    settings: Mapping[str, Any]
    secrets: Mapping[str, Any]
    made: str | None = None


@dataclass(frozen=True)
class Message:
    """What is to be told: ``body`` is the envelope as stored, ``thread`` an earlier receipt."""

    id: str
    body: str
    thread: Mapping[str, Any] | None = None

    @cached_property
    def content(self) -> Mapping[str, Any]:
        """The envelope."""
        found: Mapping[str, Any] = json.loads(self.body)
        return found

    @property
    def data(self) -> Mapping[str, Any]:
        """What the envelope says."""
        found: Mapping[str, Any] = self.content["data"]
        return found

    @property
    def event(self) -> str:
        """Of ``lupus.<event>.v1``; also ``test``."""
        return str(self.content["type"]).split(".")[1]


@dataclass(frozen=True)
class Outgoing:
    """One POST. ``shown_url`` and the headers that are not secret may be shown to people."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    shown_url: str
    secret_headers: Collection[str] = ()
    receipt: Mapping[str, Any] = field(default_factory=dict)  # joins what the receiver answers

    def shown(self) -> dict[str, Any]:
        """The request without its secrets."""
        headers = {
            name: "..." if name in self.secret_headers else value
            for name, value in self.headers.items()
        }
        return {"url": self.shown_url, "headers": headers, "body": json.loads(self.body)}


@dataclass(frozen=True)
class Reply:
    """What came back; ``text`` is the beginning of the body, if the destination reads it."""

    status: int
    headers: Mapping[str, str]
    text: str
    now_ms: int

    @property
    def is_success(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300

    @property
    def retry_after_ms(self) -> int | None:
        """What the receiver asked for: seconds or an HTTP date; nonsense counts as nothing."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return int(text[:9]) * 1000
        try:
            at = email.utils.parsedate_to_datetime(text)
        except (TypeError, ValueError):
            return None
        aware = at if at.tzinfo else at.replace(tzinfo=UTC)
        wait = aware - datetime.fromtimestamp(self.now_ms / 1000, UTC)
        return max(0, int(wait.total_seconds() * 1000))


@dataclass(frozen=True)
class Answer:
    """What became of one attempt.

    ``gone``: nothing that is sent here will ever be taken, until people change the channel.
    ``refused``: this message will never be taken. ``alive``: the endpoint works, whatever became
    of this message, so others need not wait.
    """

    verdict: Verdict
    status: int | None = None
    error: str = ""
    retry_after_ms: int | None = None
    receipt: Mapping[str, Any] | None = None  # how the receiver names the message
    alive: bool = False
    thread_lost: bool = False  # it would be taken outside of its thread


class Destination(Protocol):
    """A channel that is open."""

    @property
    def endpoint(self) -> str:
        """Whom it reaches: channels with the same share their circuit and pace."""
        ...

    @property
    def pace_ms(self) -> int:
        """Least time between two messages to the endpoint; 0: none."""
        ...

    @property
    def reads_answers(self) -> bool:
        """Whether the body of an answer says anything."""
        ...

    @property
    def has_threads(self) -> bool:
        """Whether what follows an earlier message can be put below it."""
        ...

    def render(self, message: Message, now_ms: int) -> Sequence[Outgoing]:
        """The requests: one, or one for each of several servers that all get the message."""
        ...

    def judge(self, reply: Reply) -> Answer:
        """What an answer means."""
        ...


class Kind(Protocol):
    """What is the same for all channels of a kind."""

    @property
    def name(self) -> str:
        """As people write it."""
        ...

    def keep(self, given: Given, before: Kept | None, now_ms: int) -> Kept:
        """Check what people give, and join it with the secrets that are there.

        Raises
        ------
        RequestError
            Something is missing or not allowed; names the field.
        """
        ...

    def shown(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Its settings without secrets."""
        ...

    def open(self, kept: Kept) -> Destination:
        """A stored channel, ready to be sent to."""
        ...


def endpoint_key(kind: str, *parts: str) -> str:
    """Names an endpoint without saying what it is: a URL or a token may be secret."""
    return hashlib.sha256("\n".join((kind, *parts)).encode()).hexdigest()


def plain_retry(reply: Reply) -> Answer:
    """What anybody's answer means that is no success: it may be put right, or goes by."""
    alive = reply.status in (400, 409, 413, 415, 422)  # it is this message that it does not like
    error = f"the receiver answered {reply.status}"
    return Answer("retry", reply.status, error, reply.retry_after_ms, alive=alive)
