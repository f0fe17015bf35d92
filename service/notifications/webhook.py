"""Sends one message to a webhook and says what became of it."""

import email.utils
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import httpx2

from service.errors import EgressError, UnresolvedError
from service.notifications.signing import headers

Verdict = Literal["sent", "gone", "refused", "retry"]
_GONE = 410
_ERROR_TEXT_LENGTH = 200


@dataclass(frozen=True)
class Answer:
    """What became of one attempt. ``retry_after_ms`` is what the receiver asked for."""

    verdict: Verdict
    status: int | None = None
    error: str = ""
    retry_after_ms: int | None = None


def post(
    client: httpx2.Client,
    url: str,
    secrets: Sequence[str],
    message_id: str,
    body: str,
    now_ms: int,
) -> Answer:
    """One attempt. A redirect, a wrong path or a wrong credential may be put right: retried."""
    content = body.encode()
    sent_headers = {
        "content-type": "application/json",
        "user-agent": "lupus",
        **headers(secrets, message_id, now_ms // 1000, content),
    }
    try:
        # The answer's body is of no use, so it is not read: it may be endless.
        with client.stream("POST", url, content=content, headers=sent_headers) as response:
            return _judge(response, now_ms)
    except UnresolvedError as error:
        return Answer("retry", error=str(error))
    except EgressError as error:
        return Answer("refused", error=str(error))
    except httpx2.InvalidURL:
        return Answer("refused", error="the channel's url is not a URL")
    except httpx2.HTTPError as error:
        return Answer("retry", error=_told(error))


def _judge(response: httpx2.Response, now_ms: int) -> Answer:
    status = response.status_code
    if response.is_success:
        return Answer("sent", status)
    if status == _GONE:
        return Answer("gone", status, "410: the receiver wants no more messages")
    after = _retry_after_ms(response.headers.get("retry-after"), now_ms)
    return Answer("retry", status, f"the receiver answered {status}", after)


def _retry_after_ms(text: str | None, now_ms: int) -> int | None:
    """Seconds or an HTTP date; nonsense counts as nothing."""
    if not text:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return int(text.strip()[:9]) * 1000
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    wait = aware - datetime.fromtimestamp(now_ms / 1000, UTC)
    return max(0, int(wait.total_seconds() * 1000))


def _told(error: Exception) -> str:
    # Neither the URL nor headers: they may hold what is secret.
    kind = type(error).__name__
    if isinstance(error, httpx2.TimeoutException):
        return f"no answer in time ({kind})"
    return f"{kind}: {str(error)[:_ERROR_TEXT_LENGTH]}"
