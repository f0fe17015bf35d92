"""Puts a pipeline's events into the outbox, once for each channel that wants them."""

from collections.abc import Sequence

from sqlalchemy import Connection

from service.database.channels import get_channel
from service.database.deliveries import Delivery
from service.database.sources import Source
from service.notifications.job_message import JobSaid, job_data
from service.notifications.message import envelope
from service.notifications.outbox import message_id, next_counter, queue_delivery, was_queued


def speak_of_job(
    tx: Connection, source: Source, said: JobSaid, channels: Sequence[str], run: str, now_ms: int
) -> None:
    """Queue what was said; again is a no-op. ``run`` is the ingest that holds its points."""
    event = f"job_{said.state}"
    subject = f"{source.name} {said.pipeline} {said.run}"
    for name in dict.fromkeys(channels):
        channel = get_channel(tx, name)
        if channel is None or event not in channel.events or was_queued(tx, subject, name, event):
            continue
        id_ = message_id(subject, name, event)
        counter = next_counter(tx, name, source.name, f"pipeline {said.pipeline}")
        data = job_data(source.name, source.timezone, source.body, said)
        body = envelope(event, id_, counter, now_ms, lambda _, data=data: data)  # type: ignore[misc]
        delivery = Delivery(
            id=id_,
            run=run,
            source=source.name,
            channel=name,
            event=event,
            counter=counter,
            body=body,
            state="pending",
            created_ms=now_ms,
            next_try_ms=now_ms,
        )
        queue_delivery(tx, delivery, now_ms)
