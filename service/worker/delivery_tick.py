"""One attempt at one delivery, and what follows from it: at least once, same id, same body."""

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import Connection

from service import measures
from service.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from service.database.audit import SERVICE, record_change
from service.database.channels import Channel, get_channel, update_channel
from service.database.deliveries import Delivery, get_delivery, update_delivery
from service.database.endpoints import Endpoint, get_endpoint, hold_endpoint, write_endpoint
from service.database.queue import Job, finish, put_back
from service.database.runs import get_run
from service.errors import SecretError
from service.notifications.channels import open_channel
from service.notifications.kinds.kind import Answer, Destination, Message
from service.notifications.send import send
from service.notifications.threads import thread_of
from service.notifications.turns import after_failure, after_success, is_free, jittered, take_turn
from service.worker.parts import WorkerParts
from workflows import tracing

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
# So long a message waits in all for an endpoint that fails, also when others are tried before it.
GIVE_UP_MS = 5 * DAY_MS
_LONGEST_WAIT_MS = DAY_MS
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
        else:
            try:
                destination = open_channel(self.parts.kinds, self.parts.box, channel)
            except SecretError as error:
                self._end("dead", str(error))
                return
            endpoint = self._turn(destination)
            if endpoint is not None:
                self._send(destination, endpoint)

    def _span(self) -> AbstractContextManager[None]:
        """In the trace of its run, which is looked up only where somebody follows traces."""
        run = None
        if tracing.provider() is not None:
            with self.parts.database.read() as tx:
                run = get_run(tx, self.delivery.run)
        trace = "" if run is None else str(run.request.get("traceparent") or "")
        told = {
            "run": self.delivery.run,
            "channel": self.delivery.channel,
            "event": self.delivery.event,
        }
        return tracing.span("deliver", trace, told, client=True)

    def _turn(self, destination: Destination) -> Endpoint | None:
        """The endpoint as it is when the message may go; None when it waits."""
        with self.parts.database.read() as tx:
            endpoint = get_endpoint(tx, destination.endpoint)
        if is_free(endpoint, destination.pace_ms):
            return endpoint
        with self.parts.database.write() as tx:
            endpoint = hold_endpoint(tx, destination.endpoint)
            turn = take_turn(endpoint, destination.pace_ms, self.delivery.slot_ms, self.now_ms)
            given_up = turn.resting and self._too_late()
            if not given_up:
                write_endpoint(tx, turn.endpoint)
                if turn.wait_ms == 0:
                    return turn.endpoint
                again_ms = self.now_ms + turn.wait_ms
                update_delivery(tx, self.delivery.id, slot_ms=turn.slot_ms, next_try_ms=again_ms)
                put_back(tx, self.job, self.now_ms, turn.wait_ms)
        if given_up:
            self._end("dead", f"given up: its receiver does not answer. {self.delivery.error}")
        return None

    def _too_late(self) -> bool:
        return self.now_ms - self.delivery.tried_since_ms > GIVE_UP_MS

    def _send(self, destination: Destination, endpoint: Endpoint) -> None:
        thread = None
        if destination.has_threads:
            with self.parts.database.read() as tx:
                thread = thread_of(tx, self.delivery)
        message = Message(self.delivery.id, self.delivery.body, thread)
        with self._span():
            answer = send(self.parts.client, destination, message, self.now_ms)
        if answer.verdict == "sent":
            self._sent(endpoint, answer)
        elif answer.verdict == "gone":
            self._end("dead", answer.error, answer, endpoint, disable=answer.error)
        elif answer.verdict == "refused":
            self._end("dead", answer.error, answer, endpoint)
        elif self.delivery.attempts >= len(RETRY_MS) or self._too_late():
            self._end("dead", f"given up: {answer.error}", answer, endpoint)
        else:
            self._failed(endpoint, answer)

    def _sent(self, endpoint: Endpoint, answer: Answer) -> None:
        with self.parts.database.write() as tx:
            self._note_endpoint(tx, endpoint, answer)
            self._note(
                tx,
                state="sent",
                status_code=answer.status,
                error=answer.error,  # who of several did not take it
                sent_ms=self.now_ms,
                receipt=answer.receipt,
            )
            finish(tx, self.job)
        measures.delivery("sent")

    def _end(
        self,
        state: str,
        error: str,
        answer: Answer | None = None,
        endpoint: Endpoint | None = None,
        disable: str = "",
    ) -> None:
        logger.warning("delivery %s is %s: %s", self.delivery.id, state, error)
        with self.parts.database.write() as tx:
            if answer is not None and endpoint is not None:
                self._note_endpoint(tx, endpoint, answer)
            status = None if answer is None else answer.status
            self._note(tx, tried=answer is not None, state=state, status_code=status, error=error)
            if disable:
                update_channel(tx, self.delivery.channel, disabled_reason=disable)
                why = {"reason": disable, "delivery": self.delivery.id}
                name = self.delivery.channel
                record_change(tx, self.now_ms, SERVICE, "channel.disable", name, why)
            finish(tx, self.job)
        measures.delivery(state)

    def _failed(self, endpoint: Endpoint, answer: Answer) -> None:
        asked_ms = min(answer.retry_after_ms or 0, _LONGEST_WAIT_MS)
        delay_ms = max(jittered(RETRY_MS[self.delivery.attempts]), jittered(asked_ms))
        with self.parts.database.write() as tx:
            self._note_endpoint(tx, endpoint, answer)
            self._note(
                tx,
                status_code=answer.status,
                error=answer.error,
                next_try_ms=self.now_ms + delay_ms,
            )
            put_back(tx, self.job, self.now_ms, delay_ms, error=answer.error)
        measures.delivery("retried")

    def _note_endpoint(self, tx: Connection, seen: Endpoint, answer: Answer) -> None:
        """What the answer says of the endpoint; nothing is written of one that is and was well."""
        if answer.verdict == "retry" and not answer.alive:
            held = hold_endpoint(tx, seen.key)
            asked_ms = min(answer.retry_after_ms or 0, _LONGEST_WAIT_MS)
            write_endpoint(tx, after_failure(held, seen.failures, asked_ms, self.now_ms))
        elif seen.failing_until_ms is not None:
            write_endpoint(tx, after_success(hold_endpoint(tx, seen.key)))

    def _note(self, tx: Connection, tried: bool = True, **values: object) -> None:
        attempts = self.delivery.attempts + tried
        update_delivery(
            tx,
            self.delivery.id,
            **{"attempts": attempts, "next_try_ms": None, "slot_ms": None, **values},
        )
