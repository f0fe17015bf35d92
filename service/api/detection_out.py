"""Detections as the API shows them."""

from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Connection

from service.api.notified_out import NotifiedOut, notified_out
from service.api.times import rfc3339, rfc3339_or_none
from service.database.runs import Run, runs_ahead
from service.dry_run import Estimate
from service.settings import Settings
from workflows.failure import Failure
from workflows.request import RunRequest
from workflows.series_outcomes import SeriesOutcome


class ResolvedRange(BaseModel):
    """Half-open: end is not included."""

    start: str
    end: str


class QueueOut(BaseModel):
    """Where the run stands in the queue."""

    ahead: int = Field(description="Runs accepted earlier that are not over.")


class DetectionOut(BaseModel):
    """One run: what was asked, how far it is, what came out."""

    id: str
    source: str
    rule: str | None
    state: str = Field(
        description="queued, running, publishing, succeeded, partial, failed or cancelled."
    )
    generation: int
    range: ResolvedRange
    detector: dict[str, Any] = Field(description="With the defaults that it got.")
    request: dict[str, Any] = Field(description="What was sent.")
    after: list[str]
    queue: QueueOut
    progress: dict[str, Any] | None
    counts: dict[str, int] | None = Field(description="Series and verdicts, once it is over.")
    causes: dict[str, int] | None = Field(description="Changed and withdrawn, by cause.")
    chosen: dict[str, int] | None = Field(
        description="Series by the detector that `auto` took for them, and why."
    )
    ready_at: str | None = Field(
        description="When the last series that lacks history can be judged."
    )
    failures: list[dict[str, Any]] = Field(description="The first series that failed.")
    error: str
    pointer: str = Field(description="JSON pointer of the request's field at fault.")
    notified: dict[str, NotifiedOut] | None = Field(
        description="Per channel: what was sent, what was held back, and why."
    )
    attempt: int
    rerun_of: str | None
    caller: str
    accepted_at: str
    started_at: str | None
    ended_at: str | None
    deadline_at: str
    links: dict[str, str]


class DryRunOut(BaseModel):
    """What a detection would do."""

    range: ResolvedRange
    detector: dict[str, Any]
    series: int
    points: int = Field(description="At most: rows with the same time count once each.")
    chunks: int
    core_seconds: float

    @classmethod
    def of(cls, request: RunRequest, found: Estimate) -> "DryRunOut":
        """From the resolved request and its estimate."""
        return cls(
            range=ResolvedRange(start=rfc3339(request.start_ms), end=rfc3339(request.end_ms)),
            detector=dict(request.detector),
            series=found.series,
            points=found.points,
            chunks=found.chunks,
            core_seconds=round(found.core_seconds, 6),
        )


class StepFailureOut(BaseModel):
    """One try of a step that failed, and the last lines that it logged."""

    step: str = Field(description="plan, detect, publish, or exit: the workflow as a whole.")
    chunk: int | None
    attempt: int = Field(description="Tries of the step before this one.")
    kind: str
    message: str
    transient: bool = Field(description="Whether another try may help.")
    pointer: str = Field(description="JSON pointer of the request's field at fault.")
    at: str
    log: list[str]

    @classmethod
    def of(cls, failure: Failure) -> "StepFailureOut":
        """From what was kept beside the run."""
        return cls(
            step=failure.step,
            chunk=failure.chunk,
            attempt=failure.attempt,
            kind=failure.kind,
            message=failure.message,
            transient=failure.transient,
            pointer=failure.pointer,
            at=rfc3339(failure.at_ms),
            log=list(failure.log),
        )


class SeriesOut(BaseModel):
    """What became of one series."""

    series: str
    name: str
    metric: str
    labels: dict[str, str]
    points: int
    judged: int
    anomalous: int
    no_data: int
    insufficient_history: int
    ready_at: str | None
    error: str | None
    done: bool


def shown(tx: Connection, run: Run, settings: Settings) -> DetectionOut:
    """A run as the API shows it."""
    return _shown(run, runs_ahead(tx, run), notified_out(tx, run), settings)


def shown_new(run: Run, ahead: int, settings: Settings) -> DetectionOut:
    """A run that was accepted a moment ago: the database has no more to say."""
    return _shown(run, ahead, None, settings)


def _shown(
    run: Run, ahead: int, notified: dict[str, NotifiedOut] | None, settings: Settings
) -> DetectionOut:
    request, report = run.request, run.report or {}
    return DetectionOut(
        id=run.id,
        source=run.source,
        rule=run.rule,
        state=run.state,
        generation=run.generation,
        range=ResolvedRange(start=rfc3339(request["start_ms"]), end=rfc3339(request["end_ms"])),
        detector=dict(request["detector"]),
        request=dict(run.body),
        after=list(run.after),
        queue=QueueOut(ahead=ahead),
        progress=_progress(run),
        counts=report.get("counts"),
        causes=report.get("causes"),
        chosen=report.get("chosen"),
        ready_at=rfc3339_or_none(report.get("ready_at_ms")),
        failures=list(report.get("failures", ())),
        error=run.error,
        pointer=run.pointer,
        notified=notified,
        attempt=run.attempt,
        rerun_of=run.rerun_of,
        caller=run.caller,
        accepted_at=rfc3339(run.accepted_ms),
        started_at=rfc3339_or_none(run.started_ms),
        ended_at=rfc3339_or_none(run.ended_ms),
        deadline_at=rfc3339(run.deadline_ms),
        links=_links(run, settings.public_url.rstrip("/")),
    )


def _progress(run: Run) -> dict[str, Any] | None:
    if run.progress is None:
        return None
    return {name: value for name, value in run.progress.items() if name != "link"}


def _links(run: Run, base: str) -> dict[str, str]:
    here = f"{base}/v1/detections/{run.id}"
    workflow = (run.progress or {}).get("link")
    return ({"workflow": workflow} if workflow else {}) | {
        "self": here,
        "series": f"{here}/series",
        "failures": f"{here}/failures",
        "anomalies": f"{base}/v1/anomalies?run={run.id}",
        "source": f"{base}/v1/sources/{run.source}",
    }


def shown_series(outcome: SeriesOutcome) -> SeriesOut:
    """The outcome of a series as the API shows it."""
    return SeriesOut(
        series=outcome.series,
        name=outcome.name,
        metric=outcome.metric,
        labels=dict(outcome.labels),
        points=outcome.points,
        judged=outcome.judged,
        anomalous=outcome.anomalous,
        no_data=outcome.no_data,
        insufficient_history=outcome.insufficient_history,
        ready_at=rfc3339_or_none(outcome.ready_at_ms),
        error=outcome.error,
        done=outcome.done,
    )
