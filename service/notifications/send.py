"""One attempt at one message: what a destination renders goes out, what comes back is judged."""

import time
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

import httpx2

from service.errors import EgressError, UnresolvedError
from service.notifications.kinds.kind import Answer, Destination, Message, Outgoing, Reply
from service.version import VERSION
from workflows import tracing

_ERROR_LENGTH = 200
_ANSWER_BYTES = 256 * 1024  # Slack repeats the message in its answer
_ANSWER_SECONDS = 15.0  # in all: a server that answers a byte at a time is not waited for
_BEST_FIRST = ("sent", "retry", "refused", "gone")


def send(client: httpx2.Client, destination: Destination, message: Message, now_ms: int) -> Answer:
    """Every request that the message becomes, once; outside of its thread if that is gone."""
    answer = _send(client, destination, message, now_ms)
    if answer.thread_lost and message.thread is not None:
        return _send(client, destination, replace(message, thread=None), now_ms)
    return answer


def _send(client: httpx2.Client, destination: Destination, message: Message, now_ms: int) -> Answer:
    requests = destination.render(message, now_ms)
    if not requests:  # it is about nothing that this receiver keeps
        return Answer("sent")
    answers = [_attempt(client, destination, request, now_ms) for request in requests]
    return _joined(requests, answers)


def _joined(requests: Sequence[Outgoing], answers: Sequence[Answer]) -> Answer:
    """One that took the message is enough; who did not is told."""
    best = min(answers, key=lambda answer: _BEST_FIRST.index(answer.verdict))
    if len(answers) == 1:
        return best
    failed = [
        f"{urlsplit(request.url).netloc}: {answer.error}"
        for request, answer in zip(requests, answers, strict=True)
        if answer.verdict != "sent"
    ]
    return replace(best, error="; ".join(failed))


def _attempt(
    client: httpx2.Client, destination: Destination, request: Outgoing, now_ms: int
) -> Answer:
    # Without compression a short answer cannot become a long one.
    headers = {"user-agent": f"lupus/{VERSION}", "accept-encoding": "identity", **request.headers}
    if around := tracing.here():
        headers["traceparent"] = around
    try:
        with client.stream("POST", request.url, content=request.body, headers=headers) as response:
            text = _beginning(response) if destination.reads_answers else ""
            answer = destination.judge(Reply(response.status_code, response.headers, text, now_ms))
            if answer.receipt is None:
                return answer
            return replace(answer, receipt={**answer.receipt, **request.receipt})
    except UnresolvedError as error:
        return Answer("retry", error=str(error))
    except EgressError as error:
        return Answer("refused", error=str(error), alive=True)
    except httpx2.InvalidURL:
        return Answer("refused", error="the channel's url is not a URL", alive=True)
    except httpx2.HTTPError as error:
        return Answer("retry", error=_told(error))


def _beginning(response: httpx2.Response) -> str:
    limit = time.monotonic() + _ANSWER_SECONDS
    content = b""
    for piece in response.iter_bytes():
        content += piece
        if len(content) >= _ANSWER_BYTES or time.monotonic() > limit:
            break
    return content[:_ANSWER_BYTES].decode("utf-8", "replace")


def _told(error: Exception) -> str:
    # Neither the URL nor headers: they may hold what is secret.
    kind = type(error).__name__
    if isinstance(error, httpx2.TimeoutException):
        return f"no answer in time ({kind})"
    return f"{kind}: {str(error)[:_ERROR_LENGTH]}"
