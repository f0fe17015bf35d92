"""One attempt at one delivery, and what follows from it: at least once, same id, same body."""

import logging
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection

from service import measures
from service.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from service.database.channels import Channel, get_channel, update_channel
from service.database.deliveries import Delivery, get_delivery, update_delivery
from service.database.queue import Job, finish, put_back
from service.errors import SecretError
from service.notifications.channels import signing_secrets
from service.notifications.webhook import Answer, post
from service.worker.parts import WorkerParts

# Some four days in all; then the delivery is dead, and can be replayed.
RETRY_MS = (
    5 * SECOND_MS,
    30 * SECOND_MS,
    2 * MINUTE_MS,
    10 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    5 * HOUR_MS,
    10 * HOUR_MS,
    14 * HOUR_MS,
    20 * HOUR_MS,
    24 * HOUR_MS,
    24 * HOUR_MS,
)
_LONGEST_WAIT_MS = DAY_MS
_CIRCUIT_MS = MINUTE_MS  # after a failure the channel's other messages wait so long at most
_JITTER_PERCENT = 20
logger = logging.getLogger(__name__)


def tick_delivery(parts: WorkerParts, job: Job) -> None:
    """Send one message and settle its job."""
    with parts.database.read() as tx:
        delivery = get_delivery(tx, str(job.payload["delivery"]))
        channel = None if delivery is None else get_channel(tx, delivery.channel)
    if delivery is None or delivery.state != "pending":
        with parts.database.write() as tx:
            finish(tx, job)
        return
    _DeliveryTick(parts, job, delivery, parts.clock.now_ms()).go(channel)


@dataclass(frozen=True)
class _DeliveryTick:
    parts: WorkerParts
    job: Job
    delivery: Delivery
    now_ms: int

    def go(self, channel: Channel | None) -> None:
        if channel is None:
            self._end("dead", "the channel was deleted")
        elif channel.disabled_reason:
            self._end("held", f"the channel is disabled: {channel.disabled_reason}")
        elif (wait_ms := self._circuit(channel)) > 0:
            with self.parts.database.write() as tx:
                put_back(tx, self.job, self.now_ms, jittered(wait_ms))
        else:
            self._send(channel)

    def _circuit(self, channel: Channel) -> int:
        """How long the endpoint is left alone; a clock that stepped back does not prolong it."""
        until_ms = channel.failing_until_ms or 0
        wait_ms = until_ms - self.now_ms
        return wait_ms if wait_ms <= _LONGEST_WAIT_MS * 2 else 0

    def _send(self, channel: Channel) -> None:
        try:
            keys = signing_secrets(self.parts.box, channel).at(self.now_ms)
        except SecretError as error:
            self._end("dead", str(error))
            return
        answer = post(
            self.parts.client,
            str(channel.body["url"]),
            keys,
            self.delivery.id,
            self.delivery.body,
            self.now_ms,
        )
        if answer.verdict == "sent":
            self._sent(answer)
        elif answer.verdict == "gone":
            self._end("dead", answer.error, answer.status, disable=answer.error)
        elif answer.verdict == "refused":
            self._end("dead", answer.error)
        else:
            self._failed(answer)

    def _sent(self, answer: Answer) -> None:
        with self.parts.database.write() as tx:
            self._note(tx, state="sent", status_code=answer.status, error="", sent_ms=self.now_ms)
            update_channel(tx, self.delivery.channel, failing_until_ms=None)
            finish(tx, self.job)
        measures.delivery("sent")

    def _end(self, state: str, error: str, status: int | None = None, disable: str = "") -> None:
        logger.warning("delivery %s is %s: %s", self.delivery.id, state, error)
        with self.parts.database.write() as tx:
            self._note(tx, state=state, status_code=status, error=error)
            if disable:
                update_channel(tx, self.delivery.channel, disabled_reason=disable)
            finish(tx, self.job)
        measures.delivery(state)

    def _failed(self, answer: Answer) -> None:
        if self.delivery.attempts >= len(RETRY_MS):
            self._end("dead", f"given up: {answer.error}", answer.status)
            return
        delay_ms = jittered(RETRY_MS[self.delivery.attempts])
        asked_ms = min(answer.retry_after_ms or 0, _LONGEST_WAIT_MS)
        delay_ms = max(delay_ms, jittered(asked_ms))
        circuit_ms = max(min(delay_ms, _CIRCUIT_MS), asked_ms)
        with self.parts.database.write() as tx:
            self._note(
                tx,
                status_code=answer.status,
                error=answer.error,
                next_try_ms=self.now_ms + delay_ms,
            )
            update_channel(tx, self.delivery.channel, failing_until_ms=self.now_ms + circuit_ms)
            put_back(tx, self.job, self.now_ms, delay_ms, error=answer.error)
        measures.delivery("retried")

    def _note(self, tx: Connection, **values: object) -> None:
        attempts = self.delivery.attempts + (values.get("state") != "held")
        update_delivery(
            tx, self.delivery.id, **{"attempts": attempts, "next_try_ms": None, **values}
        )


def jittered(delay_ms: int) -> int:
    """Never earlier, up to a fifth later: receivers that come back are not met by all at once."""
    return delay_ms + secrets.randbelow(delay_ms * _JITTER_PERCENT // 100 + 1)
