"""Why a run said what it said of one point."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from service.api.access import Asking, check
from service.api.body import StrictRoute
from service.api.errors import QueryError
from service.api.resources import Opened
from service.api.times import query_ms, rfc3339
from service.database.runs import get_run
from service.errors import UnknownError
from service.explain.point import ExplainedPoint, Question, TimeError, explain_point

router = APIRouter(prefix="/v1/detections", tags=["detections"], route_class=StrictRoute)

_LONGEST = 4_000


class FactOut(BaseModel):
    """One number, word or yes-or-no behind a step's sentence."""

    name: str
    value: float | str | bool | None = Field(description='Infinite numbers are "inf" and "-inf".')
    unit: str = Field(
        description="value (the series' own), points, steps, ms, time, share, percent, or empty."
    )


class StepOut(BaseModel):
    """One step of the way from the value to who was told."""

    kind: str = Field(
        description="In this order: points, value, baseline, bound, direction, minimum_change, "
        "consecutive, exclusion, missing, verdict, stored, and told once per channel."
    )
    says: str
    facts: list[FactOut]


class ExplanationOut(BaseModel):
    """An ordered trace; the steps value to verdict give the verdict again."""

    run: str
    source: str
    rule: str | None
    series: str = Field(description="Id of the series.")
    name: str = Field(description='The series as written: `ndcg@10{region="jp"}`.')
    time: str
    time_ms: int
    detector: dict[str, object]
    points: str = Field(
        description="run: the very points that the run read; archive: as they are now, for the "
        "run's own are kept for a week."
    )
    agrees: bool | None = Field(
        description="Whether the run stored the same verdict; null when none is kept."
    )
    steps: list[StepOut]


@router.get("/{detection}/explain", operation_id="explainDetection")
def explain(
    opened: Opened,
    caller: Asking,
    detection: str,
    series: Annotated[
        str,
        Query(
            description='Id of a series, or its name with labels: `ndcg@10{region="jp"}`.',
            min_length=1,
            max_length=_LONGEST,
        ),
    ],
    time: Annotated[
        str, Query(description="Of the point: RFC 3339, or a date in the source's zone.")
    ],
) -> ExplanationOut:
    """Why a point was, was not, or could not be judged an anomaly, and who was told.

    409 before the run is over, and for a series that failed in it.
    """
    with opened.database.read() as tx:
        run = get_run(tx, detection)
    if run is None:
        raise UnknownError(f"detection {detection} does not exist, or you may not see it")
    check(caller, "read", run.source, f"detection {detection}")
    timezone = str(run.request["source"].get("timezone", "UTC"))
    time_ms = query_ms("time", time, timezone)
    assert time_ms is not None
    try:
        found = explain_point(opened.database, opened.stores, Question(run, series, time_ms))
    except TimeError as error:
        raise QueryError("time", str(error)) from None
    return _shown(run.id, run.rule, found)


def _shown(run: str, rule: str | None, found: ExplainedPoint) -> ExplanationOut:
    return ExplanationOut(
        run=run,
        source=found.series.source,
        rule=rule,
        series=found.series.id,
        name=str(found.series),
        time=rfc3339(found.explanation.time_ms),
        time_ms=found.explanation.time_ms,
        detector=dict(found.explanation.detector),
        points="run" if found.as_read else "archive",
        agrees=found.agrees,
        steps=[
            StepOut(
                kind=step.kind,
                says=step.says,
                facts=[
                    FactOut(name=one.name, value=one.written, unit=one.unit) for one in step.facts
                ],
            )
            for step in found.steps
        ],
    )
