"""ingest: staged payloads into the archive, then into the index; each wholly or not at all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from storage.index import MetricSummary
from workflows.context import StepContext
from workflows.errors import IngestRejectedError
from workflows.ingest_index import Projection
from workflows.ingest_rejection import RowErrors
from workflows.points_payload import payload, read_payload
from workflows.points_rows import ValidPoints, newest, validate
from workflows.request import IngestRequest
from workflows.uncollected import uncollected

# As columns of an archive points take ten times the memory that they take as numbers.
ROWS_PER_WRITE = 1_000_000


@dataclass(frozen=True)
class Ingested:
    """What an ingest stored, and what is now known of the metrics that it touched."""

    points: int  # tombstones included
    tombstones: int
    series: int
    days: int  # documents of a series and UTC day that were made again, for all done together
    first_ms: int | None
    last_ms: int | None
    metrics: Mapping[str, MetricSummary]


Stored = Callable[[Sequence[str]], None]


def _unheard(_: Sequence[str]) -> None:
    """Nobody wants to know."""


def ingest(context: StepContext, request: IngestRequest, on_stored: Stored = _unheard) -> Ingested:
    """Validate, store and index one payload; the same request again ends in the same documents.

    Raises
    ------
    IngestRejectedError
        With the rows at fault; nothing was stored.
    """
    (done,) = ingest_together(context, [request], on_stored)
    if isinstance(done, IngestRejectedError):
        raise done
    return done


def ingest_together(
    context: StepContext, requests: Sequence[IngestRequest], on_stored: Stored = _unheard
) -> list[Ingested | IngestRejectedError]:
    """The same for ingests of one source that follow one another: one write of the archive, and
    one of the index, for all of them. What is wrong with one refuses that one alone.

    ``on_stored`` is called with those jobs whose points are in the archive and not yet in the
    index. Ingests of one source must not run at the same time: the one that reads the archive's
    days first could write its documents last. The service's queue has one lane for a source.
    """
    with uncollected():
        return _ingest_together(context, requests, on_stored)


def _ingest_together(
    context: StepContext, requests: Sequence[IngestRequest], on_stored: Stored
) -> list[Ingested | IngestRejectedError]:
    read = [_read(context, request) for request in requests]
    sound = [
        (request, points)
        for request, points in zip(requests, read, strict=True)
        if isinstance(points, ValidPoints)
    ]
    filled = [(request, points) for request, points in sound if len(points)]
    if filled:
        # Who is killed now comes again, one by one: this file is then written again without the
        # others, whose own hold the same rows once more, of the same sequence.
        first = filled[0][0]
        for table in _tables(filled):
            context.check()
            context.archive.write_points(first.source, first.job, table)
    if sound:
        on_stored([request.job for request, _ in sound])
    days = _project(context, filled)
    metrics = context.index.metrics(requests[0].source) if sound else {}
    return [
        points if isinstance(points, IngestRejectedError) else _ingested(points, days, metrics)
        for points in read
    ]


def _read(context: StepContext, request: IngestRequest) -> ValidPoints | IngestRejectedError:
    try:
        return read_points(context, request)
    except IngestRejectedError as error:
        return error


def _tables(filled: Sequence[tuple[IngestRequest, ValidPoints]]) -> Iterator[pa.Table]:
    """The points in the archive's columns; many of them in parts, each of days of its own."""
    if sum(len(points) for _, points in filled) <= ROWS_PER_WRITE:
        yield pa.concat_tables(points.table(request.sequence) for request, points in filled)
        return
    every = np.concatenate([points.rows.day for _, points in filled])
    days, counts = np.unique(every, return_counts=True)
    part = np.cumsum(counts) // ROWS_PER_WRITE
    cuts = np.flatnonzero(np.diff(part)) + 1
    for some in np.split(days, cuts):
        parts = [
            points.between(int(some[0]), int(some[-1])).table(request.sequence)
            for request, points in filled
        ]
        yield pa.concat_tables(parts)


def _project(context: StepContext, filled: Sequence[tuple[IngestRequest, ValidPoints]]) -> int:
    if not filled:
        return 0
    last = max((request for request, _ in filled), key=lambda request: request.sequence)
    points = newest([(request.sequence, points) for request, points in filled])
    return Projection(context, last, points).run()


def _ingested(points: ValidPoints, days: int, metrics: Mapping[str, MetricSummary]) -> Ingested:
    rows = points.rows
    touched = {key.metric for key in points.keys}
    return Ingested(
        points=len(points),
        tombstones=int(np.isnan(rows.value).sum()),
        series=len(points.keys),
        days=days,
        first_ms=int(rows.ts.min()) if len(points) else None,
        last_ms=int(rows.ts.max()) if len(points) else None,
        metrics={metric: one for metric, one in metrics.items() if metric in touched},
    )


def read_points(context: StepContext, request: IngestRequest) -> ValidPoints:
    """The points of a staged payload, every row checked; raises when one is wrong."""
    errors = RowErrors()
    with payload(context.objects, request, context.scratch) as path:
        points = read_payload(path, request, errors)
        return validate(request.source, points, errors, context.settings)
