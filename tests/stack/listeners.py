"""Who is told of the story: a webhook, a Slack that holds every message against its limits, and
the real Alertmanager where there is one."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tests.real import own_name
from tests.service.receiver import Receiver, receiving
from tests.service.served import Served
from tests.service.slack_server import CHANNEL, TOKEN, FakeSlack, Posted, slack

Episodes = dict[tuple[str, str], str]  # region and start: severity


@dataclass
class Listeners:
    """Their addresses, and what each has heard."""

    receiver: Receiver
    slack: FakeSlack
    alertmanager: str = ""  # none on the embedded parts
    mark: str = field(default_factory=lambda: own_name("story-"))
    secret: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What the service must be told to reach them."""
        inside = [f"{urlsplit(self.alertmanager).hostname}/32"] if self.alertmanager else []
        return {
            "LUPUS_SLACK_API": self.slack.api,
            **({"LUPUS_EGRESS_ALLOW": ",".join(inside)} if inside else {}),
        }

    @property
    def channels(self) -> list[str]:
        """As a detection names them."""
        return ["hook", "slack", *(["alerts"] if self.alertmanager else [])]

    def join(self, service: Served) -> None:
        """Become channels of a service."""
        hook = {"kind": "webhook", "url": self.receiver.url}
        chat = {"kind": "slack", "bot_token": TOKEN, "channel": CHANNEL}
        self.secret = str(_put(service, "hook", {**hook, "events": _EVENTS})["new_secret"])
        _put(service, "slack", {**chat, "events": _EVENTS})
        if self.alertmanager:
            labels = {"test": self.mark}
            alerts = {"kind": "alertmanager", "url": self.alertmanager, "labels": labels}
            _put(service, "alerts", {**alerts, "events": _EVENTS})

    def heard(self, messages: int, seconds: float = 120) -> None:
        """Wait until the webhook and Slack have got so many."""
        give_up = time.monotonic() + seconds
        while min(len(self.receiver.got), len(self.slack.posted)) < messages:
            got = (len(self.receiver.got), len(self.slack.posted), self.slack.refused)
            assert time.monotonic() < give_up, f"{got} of {messages} messages"
            time.sleep(0.05)

    def believed(self) -> Episodes:
        """What stands after all messages that the webhook has got, in their order."""
        standing: Episodes = {}
        for got in sorted(self.receiver.got, key=lambda got: int(got.content["counter"])):
            for episode in got.content["data"]["episodes"]:
                key = (episode["labels"]["region"], episode["since"])
                was = standing.pop(key, None)
                assert episode["was"] == was, episode
                if episode["now"] is not None:
                    standing[key] = episode["now"]
        return standing

    def alerts_are(self, expected: set[tuple[str, str]], seconds: float = 120) -> None:
        """Wait until exactly these (region, severity) are active alerts of this story."""
        give_up = time.monotonic() + seconds
        while (active := self._active()) != expected:
            assert time.monotonic() < give_up, (active - expected, expected - active)
            time.sleep(0.2)

    def _active(self) -> set[tuple[str, str]]:
        query = {"filter": f'test="{self.mark}"'}
        answer = httpx2.get(
            f"{self.alertmanager}/api/v2/alerts", params=query, trust_env=False, timeout=60
        )
        found: list[dict[str, Any]] = answer.json()
        return {(one["labels"]["region"], one["labels"]["severity"]) for one in found}

    def posted(self, word: str) -> Posted:
        """The one message of Slack whose title begins with a word."""
        (found,) = [one for one in self.slack.posted if one.text.startswith(word)]
        return found


_EVENTS = ["anomaly", "withdrawn", "partial"]


def _put(service: Served, name: str, channel: dict[str, Any]) -> dict[str, Any]:
    answer = service.http.put(f"/v1/channels/{name}", json=channel)
    assert answer.is_success, answer.text
    return dict(answer.json())


@contextmanager
def listening(alertmanager: str = "") -> Iterator[Listeners]:
    """All of them, waiting."""
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving())
        chat = stack.enter_context(slack(lambda: int(time.time() * 1000)))
        yield Listeners(receiver, chat, alertmanager.rstrip("/"))
