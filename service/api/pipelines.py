"""Events of a pipeline's own runs: started, succeeded, failed. Each becomes points, and a message.

The same run and state is one event, however often it is told within a week.
"""

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import AfterValidator, Field
from starlette.concurrency import run_in_threadpool

from service.accept_ingest import AcceptedIngest
from service.api.access import Asking, check_source
from service.api.body import Body, StrictRoute, check_kept
from service.api.detection_body import ChannelName
from service.api.ingest_source import check_ingest_source
from service.api.ingests import IngestOut
from service.api.payload import Payload
from service.api.problems import Problem
from service.api.resources import Opened, Resources
from service.api.take import answer, store_now, take
from service.api.times import body_ms, rfc3339
from service.auth.caller import Caller
from service.database.channels import get_channel
from service.database.idempotency import RequestKey, find_replay
from service.database.ingests import get_ingest
from service.database.sources import get_source
from service.errors import RequestError
from service.notifications.events import JobEvent
from service.notifications.job_message import JobSaid, JobState
from service.notifications.job_speak import speak_of_job
from storage.errors import InvalidError, StorageError
from storage.series_key import SeriesKey, canonical_id
from workflows.points_rows import FIRST_MS, LAST_MS, check_limits

router = APIRouter(prefix="/v1/sources", tags=["sources"], route_class=StrictRoute)

Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(check_kept)]
Url = Annotated[str, Field(max_length=1000, pattern=r"^https?://")]
Label = Annotated[str, Field(max_length=256)]


_ON: tuple[JobEvent, ...] = ("job_failed", "job_succeeded")


class JobNotify(Body):
    """Whom to tell."""

    channels: list[ChannelName] = Field(min_length=1, max_length=20)
    on: list[JobEvent] = Field(
        default_factory=lambda: list(_ON),
        description="An event goes out only if the channel names it too: name one channel that "
        "wants `job_failed` and another that wants `job_succeeded`.",
    )


class PipelineBody(Body):
    """What a pipeline says of one of its runs."""

    pipeline: Name = Field(max_length=100, examples=["nightly-train"])
    run: Name = Field(
        description="What the pipeline calls this run, the same at each attempt to tell it.",
        examples=["2026-11-08"],
    )
    state: Literal["started", "succeeded", "failed"]
    time: str | None = Field(
        default=None, description="RFC 3339 with an offset. Default: now.", max_length=64
    )
    duration_seconds: float | None = Field(
        default=None,
        ge=0,
        description="How long it took. Default: since the same run was told to have started.",
    )
    labels: dict[Name, Label] = Field(default_factory=dict, max_length=20)
    message: str = Field(default="", max_length=10_000, description="Why it failed, for people.")
    links: dict[Name, Url] = Field(default_factory=dict, max_length=10)
    notify: JobNotify | None = None


@router.post(
    "/{source}/pipelines",
    operation_id="postPipelineEvent",
    response_model=IngestOut,
    responses={
        202: {"model": IngestOut, "description": "Accepted: watch the ingest."},
        422: {"model": Problem, "description": "What was wrong."},
    },
)
async def post_event(opened: Opened, caller: Asking, source: str, body: PipelineBody) -> Response:
    """Tell that a run of a pipeline started, succeeded or failed.

    It becomes points of `pipeline.started`, or of `pipeline.succeeded` (0 or 1) and
    `pipeline.duration_seconds`, with the label `pipeline`; and a message to each channel. With
    `notify` the caller also needs the verb detect.
    """
    return answer(await run_in_threadpool(_take, opened, caller, source, body))


def _take(opened: Resources, caller: Caller, source: str, body: PipelineBody) -> AcceptedIngest:
    check_ingest_source(opened, caller, source)
    if body.notify is not None:
        check_source(caller, "detect", source)
        _check_channels(opened, body.notify)
    _check_labels(opened, source, body)
    said = _said(opened, source, body)
    taken = _store(opened, caller, source, said)
    if taken.ingest.state != "failed" and body.notify is not None:
        _speak(opened, source, said, body.notify, taken.ingest.id)
    return taken


def _check_channels(opened: Resources, notify: JobNotify) -> None:
    with opened.database.read() as tx:
        for number, name in enumerate(notify.channels):
            if get_channel(tx, name) is None:
                raise RequestError(
                    f"notify: there is no channel {name}", f"/notify/channels/{number}"
                )


def _check_labels(opened: Resources, source: str, body: PipelineBody) -> None:
    """Now: a refusal later would stand for the run's state for a week."""
    if "pipeline" in body.labels:
        raise RequestError("labels: pipeline is the name's own", "/labels/pipeline")
    labels = {**body.labels, "pipeline": body.pipeline}
    try:
        key = SeriesKey.of(source, "pipeline.duration_seconds", labels)
        check_limits(opened.settings.steps, key)
    except InvalidError as error:
        raise RequestError(str(error), "/labels") from None


def _said(opened: Resources, source: str, body: PipelineBody) -> JobSaid:
    time_ms = opened.clock.now_ms() if body.time is None else body_ms("/time", body.time)
    if not FIRST_MS <= time_ms < LAST_MS:
        raise RequestError("time: allowed are the years 1900 to 2199", "/time")
    duration = body.duration_seconds
    if duration is None and body.state != "started":
        started_ms = _started_ms(opened, source, body)
        duration = None if started_ms is None else max(0, time_ms - started_ms) / 1000
    return JobSaid(
        body.pipeline, body.run, body.state, time_ms, body.labels, body.message, body.links,
        duration,
    )  # fmt: skip


def _key(source: str, pipeline: str, run: str, state: JobState) -> RequestKey:
    # Of whoever tells it, and whatever else is said: a run starts, succeeds or fails once.
    return RequestKey("", f"pipeline:{source}", canonical_id(pipeline, run, state), "")


def _started_ms(opened: Resources, source: str, body: PipelineBody) -> int | None:
    """When the run was told to have started: its point is in the payload, which is kept a week."""
    key = _key(source, body.pipeline, body.run, "started")
    with opened.database.read() as tx:
        id_ = find_replay(tx, key, opened.clock.now_ms())
        ingest = None if id_ is None else get_ingest(tx, id_)
    if ingest is None:
        return None
    try:
        kept: dict[str, Any] = json.loads(opened.stores.objects.get(ingest.request["payload"]))
    except (StorageError, ValueError):
        return None
    return body_ms("/time", str(kept["points"][0]["time"]))


def _store(opened: Resources, caller: Caller, source: str, said: JobSaid) -> AcceptedIngest:
    content = json.dumps({"points": _points(said)}).encode()
    folder = opened.settings.scratch_folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="told-", dir=folder) as place:
        path = Path(place) / "payload"
        path.write_bytes(content)
        payload = Payload(path, False, "", len(content), "json")
        key = _key(source, said.pipeline, said.run, said.state)
        taken = take(opened, caller, source, payload, key)
    return taken if taken.replayed else store_now(opened, taken)


def _points(said: JobSaid) -> list[dict[str, Any]]:
    values: dict[str, float] = {}
    if said.state == "started":
        values["started"] = 1.0
    else:
        values["succeeded"] = float(said.state == "succeeded")
        if said.duration_seconds is not None:
            values["duration_seconds"] = said.duration_seconds
    labels = {**said.labels, "pipeline": said.pipeline}
    time = rfc3339(said.time_ms)
    return [
        {"metric": f"pipeline.{name}", "labels": labels, "time": time, "value": value}
        for name, value in values.items()
    ]


def _speak(opened: Resources, source: str, said: JobSaid, notify: JobNotify, ingest: str) -> None:
    with opened.database.write() as tx:
        row = get_source(tx, source)
        if row is not None and f"job_{said.state}" in notify.on:
            speak_of_job(tx, row, said, notify.channels, ingest, opened.clock.now_ms())
