"""Accepting a detection: one transaction turns a request into a run, or refuses it.

Nothing leaves the database here: what needs the source itself is checked by plan.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from detectors import detector_from_dict
from service import measures
from service.accept_defaults import (
    check_steps,
    coarsest_step,
    detector_with_defaults,
    selected_metrics,
)
from service.clock import DAY_MS, HOUR_MS
from service.database.audit import record_change
from service.database.channels import get_channel
from service.database.counters import next_generation
from service.database.engine import Database
from service.database.idempotency import RequestKey, find_replay, remember
from service.database.ingests import states_of
from service.database.metrics import Metric, metrics_of
from service.database.queue import NewJob, add_job
from service.database.runs import Run, count_active_in_all, get_run, insert_run
from service.database.sources import get_source
from service.errors import LimitError, RequestError, UnknownError
from service.identifier import new_id
from service.ranges import AskedRange, resolve_range
from service.releases import known_releases
from storage.selector import LabelCondition
from storage.source import SourceSpec
from workflows.codec import to_plain
from workflows.request import RequirePoints, RunRequest

_RETRY_AFTER_SECONDS = 60


@dataclass(frozen=True)
class Limits:
    """How much one request may ask for; from the settings."""

    max_range_days: int = 3700
    max_series: int = 100_000
    max_runs_in_flight: int = 200
    run_deadline_hours: float = 24.0


@dataclass(frozen=True)
class AskedDetection:
    """A detection as a caller asked for it, its schema checked."""

    source: SourceSpec  # as PUT; steps that ingests learned are added here
    metrics: tuple[str, ...]
    range: AskedRange
    detector: Mapping[str, Any]
    body: Mapping[str, Any]  # what was sent, for people
    rule: str | None = None
    labels: Mapping[str, LabelCondition] = field(default_factory=dict)
    join: tuple[str, ...] = ()
    store: bool = True
    require_points: RequirePoints = "partial"
    after: tuple[str, ...] = ()
    notify: Mapping[str, Any] = field(default_factory=dict)
    traceparent: str = ""  # as W3C Trace Context writes it


@dataclass(frozen=True)
class Accepted:
    """The run of a request; ``replayed`` when an earlier request with the same key made it."""

    run: Run
    replayed: bool = False
    ahead: int | None = None  # runs before it in the queue; None: not counted


def accept_detection(
    database: Database,
    asked: AskedDetection,
    caller: str,
    now_ms: int,
    limits: Limits,
    key: RequestKey | None = None,
) -> Accepted:
    """Store a run and its job; twins that race with one key make one run."""
    with database.write() as tx:
        if key is not None and (earlier := find_replay(tx, key, now_ms)) is not None:
            return Accepted(existing_run(tx, earlier), replayed=True)
        check_source(tx, asked.source.name)
        _check_references(tx, asked)
        request = resolve_request(tx, asked, now_ms, limits)
        run = Run(
            id=request.run,
            source=request.source.name,
            rule=request.rule,
            generation=0,
            state="queued",
            detector=str(request.detector["type"]),
            body=dict(asked.body),
            request={},  # with its generation, once it has one
            notify=dict(asked.notify) if asked.store else {},
            after=list(asked.after),
            accepted_ms=now_ms,
            deadline_ms=request.deadline_ms,
            caller=caller,
        )
        return enqueue(tx, run, request, now_ms, limits, key)


def resolve_request(
    tx: Connection, asked: AskedDetection, now_ms: int, limits: Limits
) -> RunRequest:
    """What the steps would be told, without accepting it: generation 0."""
    if asked.store and not asked.rule:
        raise RequestError(
            "rule: name the check, unique in its source, or send store false to judge without "
            "storing",
            "/rule",
        )
    learned = metrics_of(tx, asked.source.name)
    source = with_learned_steps(asked.source, learned)
    known = {metric.metric for metric in learned} | set(source.metrics)
    selected = selected_metrics(asked.metrics, known)
    start_ms, end_ms = resolve_range(
        asked.range, source.timezone, coarsest_step(selected, source), now_ms
    )
    if end_ms - start_ms > limits.max_range_days * DAY_MS:
        raise RequestError(
            f"range: {(end_ms - start_ms) // DAY_MS} days, allowed are {limits.max_range_days}: "
            "ask for a shorter range",
            "/range",
        )
    detector = detector_with_defaults(asked.detector, asked.metrics, selected, source)
    check_steps(detector_from_dict(detector), selected, source)
    return RunRequest(
        run=new_id(now_ms),
        generation=0,
        source=source,
        metrics=asked.metrics,
        start_ms=start_ms,
        end_ms=end_ms,
        detector=detector,
        accepted_ms=now_ms,
        deadline_ms=deadline_ms_of(now_ms, limits),
        rule=asked.rule,
        labels=asked.labels,
        join=asked.join,
        releases=known_releases(tx, asked.source.name, start_ms, end_ms),
        store=asked.store,
        require_points=asked.require_points,
        max_series=limits.max_series,
        traceparent=asked.traceparent,
    )


def lane_of(source: str, rule: str | None) -> str | None:
    """Runs of one rule go one after the other; those that store nothing need no order."""
    return None if rule is None else f"rule:{source}/{rule}"


def enqueue(
    tx: Connection,
    run: Run,
    request: RunRequest,
    now_ms: int,
    limits: Limits,
    key: RequestKey | None,
) -> Accepted:
    """Number a run and store it with its job and its key."""
    generation = next_generation(tx, now_ms)  # first: accepting goes one by one from here on
    active, ahead = count_active_in_all(tx, run.source)
    if active >= limits.max_runs_in_flight:
        raise LimitError(
            f"source {run.source} has {active} runs that wait or run, allowed are "
            f"{limits.max_runs_in_flight}: try again later",
            _RETRY_AFTER_SECONDS,
        )
    numbered = replace(
        run,
        generation=generation,
        request=to_plain(replace(request, generation=generation)),
    )
    insert_run(tx, numbered)
    record_run(tx, numbered)
    lane = lane_of(run.source, run.rule if request.store else None)
    add_job(
        tx,
        NewJob(f"run:{run.id}", "run", run.source, {"run": run.id}, lane, generation),
        now_ms,
    )
    if key is not None:
        remember(tx, key, "run", run.id, now_ms)
    measures.run_accepted(run.detector)
    return Accepted(numbered, ahead=ahead)


def record_run(tx: Connection, run: Run) -> None:
    """Log who asked for the run, and again."""
    detail = {"source": run.source, "rule": run.rule}
    if run.rerun_of is None:
        record_change(tx, run.accepted_ms, run.caller, "run.accept", run.id, detail)
    else:
        again = {**detail, "of": run.rerun_of}
        record_change(tx, run.accepted_ms, run.caller, "run.rerun", run.id, again)


def existing_run(tx: Connection, id_: str) -> Run:
    """The run, or UnknownError."""
    run = get_run(tx, id_)
    if run is None:
        raise UnknownError(f"run {id_} does not exist, or you may not see it")
    return run


def check_source(tx: Connection, name: str) -> None:
    """Refuse a source that is not there, or not any more."""
    if get_source(tx, name) is None:
        raise UnknownError(f"source {name} does not exist, or you may not see it")


def _check_references(tx: Connection, asked: AskedDetection) -> None:
    known = states_of(tx, asked.after)
    for number, ingest in enumerate(asked.after):
        if ingest not in known:
            raise RequestError(f"after: there is no ingest {ingest}", f"/after/{number}")
    for number, name in enumerate(asked.notify.get("channels", ())):
        if get_channel(tx, name) is None:
            raise RequestError(f"notify: there is no channel {name}", f"/notify/channels/{number}")


def with_learned_steps(source: SourceSpec, learned: Sequence[Metric]) -> SourceSpec:
    """The source with the steps that ingests learned; what it declares itself wins."""
    steps = {metric.metric: metric.step_ms for metric in learned if metric.step_ms}
    return replace(source, steps_ms={**steps, **source.steps_ms})


def deadline_ms_of(now_ms: int, limits: Limits) -> int:
    """When a run accepted now must be over."""
    return now_ms + int(limits.run_deadline_hours * HOUR_MS)
