"""Slack: an incoming webhook, or a bot that posts to a channel and answers in threads."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.clock import SECOND_MS
from service.egress.egress import Egress
from service.errors import RequestError
from service.notifications.kinds.kind import (
    Answer,
    Given,
    Kept,
    Message,
    Outgoing,
    Reply,
    endpoint_key,
)
from service.notifications.kinds.slack_answers import judge_post, judge_webhook
from service.notifications.kinds.slack_blocks import blocks_of, fallback
from service.notifications.kinds.webhook import checked_url, shown_url

SLACK_API = "https://slack.com/api"
PACE_MS = SECOND_MS  # what Slack takes; short bursts above it may be refused
_TOKEN = re.compile(r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,500}")
_ALONE = "give webhook_url, or bot_token and channel"


@dataclass(frozen=True)
class _Slack:
    pace_ms: int = PACE_MS
    reads_answers: bool = True


@dataclass(frozen=True)
class SlackWebhook(_Slack):
    """An incoming webhook: its URL is all there is, and it is the secret."""

    url: str = ""
    has_threads: bool = False

    @property
    def endpoint(self) -> str:
        """Its URL's."""
        return endpoint_key("slack", self.url)

    def render(self, message: Message, now_ms: int) -> Sequence[Outgoing]:
        """Blocks and the text for notifications."""
        headers = {"content-type": "application/json; charset=utf-8"}
        body = _encoded(_content(message))
        return [Outgoing(self.url, headers, body, shown_url(self.url))]

    def judge(self, reply: Reply) -> Answer:
        """As incoming webhooks answer."""
        return judge_webhook(reply)


@dataclass(frozen=True)
class SlackBot(_Slack):
    """A bot's token and the channel it posts to."""

    api: str = SLACK_API
    token: str = ""
    channel: str = ""
    has_threads: bool = True

    @property
    def endpoint(self) -> str:
        """Slack, as this bot."""
        return endpoint_key("slack", self.api, self.token)

    def render(self, message: Message, now_ms: int) -> Sequence[Outgoing]:
        """The same, below an earlier message if it follows one."""
        url = f"{self.api}/chat.postMessage"
        headers = {
            "content-type": "application/json; charset=utf-8",
            "authorization": f"Bearer {self.token}",
        }
        # Whoever reads messages by machine can tell a repetition: Slack itself does not.
        said = {"id": message.id, "run": str(message.data.get("run", ""))}
        thread = self._thread(message)
        content = {
            "channel": self.channel,
            **_content(message),
            **thread,
            "metadata": {"event_type": f"lupus_{message.event}", "event_payload": said},
        }
        receipt = {"to": self.channel, "thread": thread.get("thread_ts")}
        return [Outgoing(url, headers, _encoded(content), url, ("authorization",), receipt)]

    def _thread(self, message: Message) -> dict[str, Any]:
        """Below the message that told it first; what became worse is shown to everybody too."""
        before = message.thread
        if before is None or before.get("to") != self.channel or not before.get("ts"):
            return {}
        rows = message.data.get("rows") or ()
        worse = any(row.get("phase") == "worse" for row in rows)
        return {
            "thread_ts": str(before.get("thread") or before["ts"]),
            **({"reply_broadcast": True} if worse else {}),
        }

    def judge(self, reply: Reply) -> Answer:
        """As the Web API answers."""
        return judge_post(reply)


def _content(message: Message) -> dict[str, Any]:
    return {
        "text": fallback(message.data),
        "blocks": blocks_of(message.event, message.data),
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _encoded(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


@dataclass(frozen=True)
class SlackKind:
    """``webhook_url``, or ``bot_token`` and ``channel``."""

    api: str = SLACK_API
    egress: Egress | None = None
    name: str = "slack"

    def keep(self, given: Given, before: Kept | None, now_ms: int) -> Kept:
        """One way or the other; what is left out stays."""
        url, token = given.secrets.get("webhook_url"), given.secrets.get("bot_token")
        channel = given.settings.get("channel")
        old = {} if before is None else before.secrets
        if url is None and token is None:
            url = None if channel else old.get("webhook_url")
            token = old.get("bot_token")
        if url is not None and (given.secrets.get("bot_token") or channel):
            said = f"webhook_url posts to a channel of its own: {_ALONE}"
            raise RequestError(said, "/webhook_url")
        if url is not None:
            checked_url(url, "/webhook_url", self.egress)
            return Kept({"webhook_url": shown_url(url)}, {"webhook_url": url})
        if token is None:
            raise RequestError(f"nothing says where to post: {_ALONE}", "/webhook_url")
        if not _TOKEN.fullmatch(token):
            raise RequestError("bot_token: give the bot's token, xoxb-...", "/bot_token")
        channel = channel or (before.settings.get("channel") if before is not None else None)
        if not channel:
            raise RequestError("channel: give the Slack channel, #name or C0123456789", "/channel")
        return Kept({"bot_token": f"{token[:5]}...", "channel": channel}, {"bot_token": token})

    def shown(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """As stored: secrets were masked when they were kept."""
        return settings

    def open(self, kept: Kept) -> SlackWebhook | SlackBot:
        """With its secrets."""
        if "webhook_url" in kept.secrets:
            return SlackWebhook(url=str(kept.secrets["webhook_url"]))
        return SlackBot(
            api=self.api,
            token=str(kept.secrets["bot_token"]),
            channel=str(kept.settings["channel"]),
        )
