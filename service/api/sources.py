"""Sources: named owners of metrics, and what is known of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection, func, select

from service.api.access import Asking, check_source, source_or_404, visible
from service.api.body import StrictRoute
from service.api.label_query import query_conditions
from service.api.page import Cursor, Limit, PageOut
from service.api.resources import Opened, Resources
from service.api.source_body import AnySource, spec_of
from service.api.times import rfc3339, rfc3339_or_none
from service.database import tables
from service.database.audit import record_change
from service.database.ingests import ACTIVE
from service.database.metrics import Metric, metrics_of
from service.database.runs import count_active
from service.database.sources import (
    Source,
    delete_source,
    get_source,
    list_sources,
    purge_source,
    put_source,
)
from service.duration import written
from service.errors import ConflictError, UnknownError
from storage.archive import SourceProbe
from storage.series_key import SOURCE_PATTERN, SeriesKey

router = APIRouter(prefix="/v1/sources", tags=["sources"], route_class=StrictRoute)

SourceName = Annotated[
    str, Path(pattern=f"^{SOURCE_PATTERN.pattern}$", description="1 to 63 of a-z 0-9 . _ -")
]


class SourceOut(BaseModel):
    """A source as it was PUT."""

    name: str
    kind: str
    timezone: str
    created_at: str
    updated_at: str
    body: dict[str, Any] = Field(description="What was PUT.")


class ProbedPoint(BaseModel):
    """One point that the mapping yields."""

    series: str
    time: str
    value: float | None


class ProbeOut(BaseModel):
    """What a mapping means; nothing was stored."""

    source: str
    sql: str = Field(description="What a detection would send; empty for managed sources.")
    partitions: list[str] = Field(description="The partitions it prunes to.")
    points: list[ProbedPoint]
    series: int
    steps: dict[str, str] = Field(description="Step of each metric, seen in one partition.")


class MetricOut(BaseModel):
    """One metric, as ingests learned it and as PUT described it."""

    metric: str
    series: int
    step: str | None
    first: str | None
    last: str | None
    shown: dict[str, Any] = Field(description="Display name, unit, format, good direction.")


class SeriesEntryOut(BaseModel):
    """One series of the catalog."""

    series: str
    name: str
    metric: str
    labels: dict[str, str]
    step: str | None
    first: str
    last: str


class DeletedOut(BaseModel):
    """What went, or would go."""

    source: str
    purged: bool
    metrics: int
    series: int
    note: str


def shown(source: Source) -> SourceOut:
    """A source as the API shows it."""
    return SourceOut(
        name=source.name,
        kind=source.kind,
        timezone=source.timezone,
        created_at=rfc3339(source.created_ms),
        updated_at=rfc3339(source.updated_ms),
        body=dict(source.body),
    )


@router.put(
    "/{source}",
    operation_id="putSource",
    responses={201: {"model": SourceOut, "description": "Created."}},
)
def put(
    opened: Opened,
    caller: Asking,
    response: Response,
    source: SourceName,
    body: AnySource,
    dry_run: Annotated[bool, Query(description="Only say what the mapping yields.")] = False,
) -> SourceOut | ProbeOut:
    """Create or replace a source."""
    check_source(caller, "manage", source)
    if dry_run:
        spec = body.spec(source)
        if spec.managed:
            return ProbeOut(source=source, sql="", partitions=[], points=[], series=0, steps={})
        return _probed(source, opened.stores.archive.probe(spec))
    now_ms = opened.clock.now_ms()
    content = body.model_dump(exclude_unset=True, mode="json") | {"kind": body.kind}
    with opened.database.write() as tx:
        created = put_source(tx, source, body.kind, body.timezone, content, now_ms)
        record_change(tx, now_ms, caller.name, "source.put", source, content)
        stored = source_or_404(tx, caller, "manage", source)
    response.status_code = 201 if created else 200
    return shown(stored)


def _probed(source: str, probe: SourceProbe) -> ProbeOut:
    points = [
        ProbedPoint(series=name, time=rfc3339(ts), value=value) for name, ts, value in probe.points
    ]
    return ProbeOut(
        source=source,
        sql=probe.sql,
        partitions=list(probe.partitions),
        points=points,
        series=probe.series,
        steps={metric: written(step) for metric, step in probe.steps_ms.items()},
    )


@router.get("", operation_id="listSources")
def get_list(
    opened: Opened, caller: Asking, cursor: Cursor = None, limit: Limit = 100
) -> PageOut[SourceOut]:
    """Sources that you may read, by name."""
    with opened.database.read() as tx:
        names = visible(tx, caller, "read")
        found = list_sources(tx, names, limit, cursor or "")
    last = found[-1].name if len(found) == limit else None
    return PageOut(items=[shown(source) for source in found], cursor=last)


@router.get("/{source}", operation_id="getSource")
def get_one(opened: Opened, caller: Asking, source: str) -> SourceOut:
    """One source."""
    with opened.database.read() as tx:
        return shown(source_or_404(tx, caller, "read", source))


@router.get("/{source}/metrics", operation_id="listMetrics")
def get_metrics(opened: Opened, caller: Asking, source: str) -> PageOut[MetricOut]:
    """Metrics that were sent or described, by name."""
    with opened.database.read() as tx:
        spec = spec_of(source_or_404(tx, caller, "read", source))
        learned = {metric.metric: metric for metric in metrics_of(tx, source)}
    items = [
        _metric(name, learned.get(name), spec.steps_ms.get(name), dict(spec.metrics.get(name, {})))
        for name in sorted({*learned, *spec.metrics})
    ]
    return PageOut(items=items, cursor=None)


def _metric(
    name: str, learned: Metric | None, declared_step_ms: int | None, shown_as: dict[str, Any]
) -> MetricOut:
    step_ms = declared_step_ms or (learned.step_ms if learned else None)
    return MetricOut(
        metric=name,
        series=learned.series if learned else 0,
        step=written(step_ms) if step_ms else None,
        first=rfc3339_or_none(learned.first_ms if learned else None),
        last=rfc3339_or_none(learned.last_ms if learned else None),
        shown=shown_as,
    )


@router.get("/{source}/series", operation_id="listSeries")
def get_series(
    opened: Opened,
    caller: Asking,
    source: str,
    metric: Annotated[list[str] | None, Query(description="Names or globs.")] = None,
    labels: Annotated[list[str] | None, Query(description="`region=jp`, or JSON.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[SeriesEntryOut]:
    """The catalog, by metric and series."""
    with opened.database.read() as tx:
        source_or_404(tx, caller, "read", source)
    conditions = query_conditions("labels", labels or ())
    page = opened.stores.index.series(source, tuple(metric or ()), conditions, limit, cursor)
    items = [
        SeriesEntryOut(
            series=entry.series,
            name=str(SeriesKey.stored(source, entry.metric, entry.labels)),
            metric=entry.metric,
            labels=dict(entry.labels),
            step=written(entry.step_ms) if entry.step_ms else None,
            first=rfc3339(entry.first_ms),
            last=rfc3339(entry.last_ms),
        )
        for entry in page.items
    ]
    return PageOut(items=items, cursor=page.cursor)


@router.delete("/{source}", operation_id="deleteSource")
def delete(
    opened: Opened,
    caller: Asking,
    source: str,
    purge: Annotated[
        bool, Query(description="Remove its points and results too, and free its name.")
    ] = False,
    dry_run: Annotated[bool, Query(description="Only say what would go.")] = False,
) -> DeletedOut:
    """Take a source away; its name stays reserved until it is purged."""
    check_source(caller, "manage", source)
    now_ms = opened.clock.now_ms()
    with opened.database.write() as tx:
        found = get_source(tx, source, deleted=purge)
        if found is None:
            raise UnknownError(f"source {source} does not exist, or you may not see it")
        known = metrics_of(tx, source)
        if purge:
            _refuse_busy(tx, source)
        if not dry_run:
            delete_source(tx, source, now_ms)
            action = "source.purge" if purge else "source.delete"
            record_change(tx, now_ms, caller.name, action, source)
    if purge and not dry_run:
        _purge(opened, found)
    return DeletedOut(
        source=source,
        purged=purge and not dry_run,
        metrics=len(known),
        series=sum(metric.series for metric in known),
        note=_note(found, purge),
    )


def _refuse_busy(tx: Connection, source: str) -> None:
    runs = count_active(tx, source)
    query = select(func.count()).where(
        tables.ingests.c.source == source, tables.ingests.c.state.in_(ACTIVE)
    )
    ingests = int(tx.execute(query).scalar_one())
    if runs or ingests:
        raise ConflictError(
            f"source {source} has {runs} runs and {ingests} ingests that are not over: cancel "
            "them or wait, then purge"
        )


def _purge(opened: Resources, source: Source) -> None:
    # The row goes last: until then a purge that was interrupted can be asked for again.
    opened.stores.archive.purge(source.name)
    opened.stores.index.purge(source.name)
    with opened.database.write() as tx:
        purge_source(tx, source.name)


def _note(source: Source, purge: bool) -> str:
    kept = " The table that it maps is never touched." if source.kind == "external" else ""
    if purge:
        return f"Points, results, charts and anomalies are removed; the name is free again.{kept}"
    return f"Points and results stay; the name stays reserved. ?purge=true removes both.{kept}"
