"""Asks for a run once more: the same absolute range, a new generation, the source as it is now.

What the source answers (steps, zone, good direction, clip) is answered anew; what was asked for
stays. The request is not validated as a new one would be: a field that only older versions took
does not matter, as long as this one knows what it asks for.
"""

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from detectors.catalog import detector_from_stored
from detectors.errors import ParameterError
from service.accept import (
    Accepted,
    Limits,
    check_source,
    deadline_ms_of,
    enqueue,
    existing_run,
    with_learned_steps,
)
from service.accept_defaults import detector_with_defaults, selected_metrics
from service.database.engine import Database
from service.database.idempotency import RequestKey, find_replay
from service.database.metrics import metrics_of
from service.database.runs import Run
from service.errors import ConflictError, RequestError
from service.identifier import new_id
from service.releases import known_releases
from storage.source import SourceSpec
from workflows.codec import from_plain, to_plain
from workflows.errors import CommitError
from workflows.request import RunRequest


@dataclass(frozen=True)
class AskedAgain:
    """Which run, and its source as PUT."""

    run: str
    source: SourceSpec
    traceparent: str = ""


def rerun_detection(
    database: Database,
    again: AskedAgain,
    caller: str,
    now_ms: int,
    limits: Limits,
    key: RequestKey | None = None,
) -> Accepted:
    """Store a new run and its job; twins that race with one key make one run.

    It waits for no ingest: those that the old run named are over, or were why it is asked again.
    """
    with database.write() as tx:
        if key is not None and (earlier := find_replay(tx, key, now_ms)) is not None:
            return Accepted(existing_run(tx, earlier), replayed=True)
        old = existing_run(tx, again.run)
        check_source(tx, old.source)
        before = _asked_before(tx, old, again.source)
        request = replace(
            before,
            run=new_id(now_ms),
            accepted_ms=now_ms,
            deadline_ms=deadline_ms_of(now_ms, limits),
            max_series=limits.max_series,
            traceparent=again.traceparent,
            releases=known_releases(tx, old.source, before.start_ms, before.end_ms),
        )
        run = Run(
            id=request.run,
            source=old.source,
            rule=old.rule,
            generation=0,
            state="queued",
            detector=old.detector,
            body=old.body,
            request={},  # with its generation, once it has one
            notify=old.notify,
            after=[],
            accepted_ms=now_ms,
            deadline_ms=request.deadline_ms,
            caller=caller,
            rerun_of=old.id,
        )
        return enqueue(tx, run, request, now_ms, limits, key)


def _asked_before(tx: Connection, old: Run, as_put: SourceSpec) -> RunRequest:
    learned = metrics_of(tx, as_put.name)
    source = with_learned_steps(as_put, learned)
    try:
        request = from_plain(RunRequest, {**old.request, "source": to_plain(source)})
    except CommitError as error:
        raise ConflictError(
            f"run {old.id} was accepted by another version, whose request this one cannot read "
            f"({error}): send the request anew"
        ) from None
    known = {metric.metric for metric in learned} | set(source.metrics)
    selected = selected_metrics(request.metrics, known)
    given = old.body.get("detector", old.request["detector"])
    detector = detector_with_defaults(given, request.metrics, selected, source)
    try:
        detector_from_stored(detector)
    except ParameterError as error:
        raise RequestError(
            f"the detector of run {old.id} is not valid any more: {error}",
            f"/detector/{error.field}",
        ) from None
    return replace(request, detector=detector)
