"""Prometheus' Alertmanager, or several that are one cluster."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from service.duration import duration_ms
from service.egress.egress import Egress
from service.errors import RequestError
from service.notifications.kinds.alerts import LABEL_NAME, OURS, Alerting, alerts_of
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
from service.notifications.kinds.webhook import checked_url

PATH = "/api/v2/alerts"
_LEAST_HOLD_MS = 60_000
_ERROR_LENGTH = 200


@dataclass(frozen=True)
class Alertmanager:
    """Every server of a cluster gets every alert: alerts are not passed on between them.

    Sent is what one of them took, as Prometheus counts it: then people are told.
    """

    urls: tuple[str, ...]
    authorization: str = ""
    alerting: Alerting = field(default_factory=Alerting)
    pace_ms: int = 0
    reads_answers: bool = True
    has_threads: bool = False

    @property
    def endpoint(self) -> str:
        """The cluster's."""
        return endpoint_key("alertmanager", *self.urls)

    def render(self, message: Message, now_ms: int) -> Sequence[Outgoing]:
        """The same alerts for each server; none when the message is about no alert."""
        alerts = alerts_of(self.alerting, message, now_ms)
        if not alerts:
            return []
        headers = {"content-type": "application/json"}
        if self.authorization:
            headers["authorization"] = self.authorization
        body = json.dumps(alerts, ensure_ascii=False).encode("utf-8", "replace")
        requests = []
        for base in self.urls:
            url = base.rstrip("/") + PATH
            requests.append(Outgoing(url, headers, body, url, ("authorization",)))
        return requests

    def judge(self, reply: Reply) -> Answer:
        """400 is about the alerts; all else may be put right or goes by."""
        if reply.is_success:
            return Answer("sent", reply.status)
        if reply.status == 400:
            said = " ".join(reply.text.split())[:_ERROR_LENGTH]
            return Answer("refused", 400, f"Alertmanager does not take these alerts: {said}")
        return plain_retry(reply)


@dataclass(frozen=True)
class AlertmanagerKind:
    """``urls``; ``bearer_token``, or ``user`` and ``password``; ``labels`` and ``hold``."""

    egress: Egress | None = None
    name: str = "alertmanager"

    def keep(self, given: Given, before: Kept | None, now_ms: int) -> Kept:
        """Secrets that are left out stay, unless another way to log in is given."""
        settings = dict(given.settings)
        url = settings.pop("url", None)
        settings["urls"] = _checked_urls(url, settings.get("urls"), self.egress)
        _check_labels(settings.get("labels") or {})
        if hold := settings.get("hold"):
            _check_hold(str(hold))
        return Kept(settings, _credentials(settings, given.secrets, before))

    def shown(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Nothing in its settings is secret."""
        return settings

    def open(self, kept: Kept) -> Alertmanager:
        """With its secrets."""
        hold = kept.settings.get("hold")
        return Alertmanager(
            urls=tuple(kept.settings["urls"]),
            authorization=_authorization(kept),
            alerting=Alerting(
                labels=dict(kept.settings.get("labels") or {}),
                hold_ms=None if hold is None else duration_ms(str(hold)),
            ),
        )


def _checked_urls(url: str | None, urls: Sequence[str] | None, egress: Egress | None) -> list[str]:
    if (url is None) == (not urls):
        raise RequestError("give url, or urls of all servers of a cluster", "/url")
    found = [url] if url is not None else list(urls or ())
    for number, one in enumerate(found):
        pointer = "/url" if url is not None else f"/urls/{number}"
        parts = urlsplit(checked_url(one, pointer, egress))
        if parts.query or parts.fragment:
            raise RequestError("url: give https://host/prefix, without ? and #", pointer)
        if parts.path.rstrip("/").endswith(PATH):
            raise RequestError(f"url: {PATH} is added to it, leave that out", pointer)
    return list(dict.fromkeys(found))


def _check_labels(labels: Mapping[str, str]) -> None:
    for name in labels:
        pointer = f"/labels/{name.replace('~', '~0').replace('/', '~1')}"
        if name in OURS or not re.fullmatch(LABEL_NAME, name) or name.startswith("__"):
            raise RequestError(
                f"labels: a name is letters, digits and _, and none of {', '.join(OURS)}", pointer
            )


def _check_hold(text: str) -> None:
    try:
        hold_ms = duration_ms(text)
    except ValueError as error:
        raise RequestError(f"hold: {error}", "/hold") from None
    if hold_ms < _LEAST_HOLD_MS:
        raise RequestError("hold: give a minute (1m) or more", "/hold")


def _credentials(
    settings: Mapping[str, Any], given: Mapping[str, str], before: Kept | None
) -> dict[str, str]:
    """One way to log in, or none."""
    user = settings.get("user")
    if given.get("bearer_token") and (user or given.get("password")):
        raise RequestError("give bearer_token, or user and password", "/bearer_token")
    if given.get("password") and not user:
        raise RequestError("password goes with user", "/user")
    if given:
        return dict(given)
    old = {} if before is None else dict(before.secrets)
    if user:
        if "password" not in old:
            raise RequestError("user goes with password", "/password")
        return {"password": old["password"]}
    return {"bearer_token": old["bearer_token"]} if "bearer_token" in old else {}


def _authorization(kept: Kept) -> str:
    if token := kept.secrets.get("bearer_token"):
        return f"Bearer {token}"
    if password := kept.secrets.get("password"):
        pair = f"{kept.settings['user']}:{password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"
    return ""
