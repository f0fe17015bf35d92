"""ingest: a staged payload into the archive, then into the index; all of it or nothing."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from storage.index import MetricSummary
from storage.objects import Objects
from workflows.codec import dump, load
from workflows.commits import nothing
from workflows.context import StepContext
from workflows.ingest_index import Projection
from workflows.ingest_rejection import RowErrors
from workflows.points_payload import payload, read_payload
from workflows.points_rows import ValidPoints, validate
from workflows.request import REQUEST_FORMAT, IngestRequest

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ingested:
    """What an ingest stored, and what is now known of the metrics that it touched."""

    points: int  # tombstones included
    tombstones: int
    series: int
    days: int  # documents of a series and UTC day that were made again
    first_ms: int | None
    last_ms: int | None
    metrics: Mapping[str, MetricSummary]


@dataclass(frozen=True)
class StagedIngest:
    """What lies in the objects; the request's own ``format`` would hide that of the file."""

    request: IngestRequest


def ingest(
    context: StepContext, request: IngestRequest, on_stored: Callable[[], None] = nothing
) -> Ingested:
    """Validate, store and index one payload; the same request again ends in the same documents.

    ``on_stored`` is called when the points are in the archive and not yet in the index. Ingests
    of one source must not run at the same time: the one that reads the archive's days first
    could write its documents last. The service's queue has one key for a source.

    Raises
    ------
    IngestRejectedError
        With the rows at fault; nothing was stored.
    """
    points = read_points(context, request)
    if len(points):
        table = points.table(request.sequence)
        context.check()
        context.archive.write_points(request.source, request.job, table)
        del table
    on_stored()
    days = Projection(context, request, points).run() if len(points) else 0
    rows = points.rows
    touched = {key.metric for key in points.keys}
    done = Ingested(
        points=len(points),
        tombstones=int(np.isnan(rows.value).sum()),
        series=len(points.keys),
        days=days,
        first_ms=int(rows.ts.min()) if len(points) else None,
        last_ms=int(rows.ts.max()) if len(points) else None,
        metrics={
            metric: summary
            for metric, summary in context.index.metrics(request.source).items()
            if metric in touched
        },
    )
    logger.info("ingest %s: %d points of %d series", request.job, done.points, done.series)
    return done


def ingest_job(context: StepContext, job: str) -> Ingested:
    """The step: the ingest whose request lies in the objects."""
    staged = load(StagedIngest, context.objects.get(ingest_request_name(job)), REQUEST_FORMAT)
    return ingest(context, staged.request)


def write_ingest_request(objects: Objects, request: IngestRequest) -> None:
    """Put the request where the step finds it; the same request again is a no-op."""
    objects.put(ingest_request_name(request.job), dump(StagedIngest(request), REQUEST_FORMAT))


def ingest_request_name(job: str) -> str:
    """Where the request of an ingest lies in the objects."""
    return f"ingest/{job}/request.json"


def read_points(context: StepContext, request: IngestRequest) -> ValidPoints:
    """The points of a staged payload, every row checked; raises when one is wrong."""
    errors = RowErrors()
    with payload(context.objects, request, context.scratch) as path:
        points = read_payload(path, request, errors)
        return validate(request.source, points, errors, context.settings)
