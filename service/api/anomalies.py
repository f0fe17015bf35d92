"""Anomalies: search, one, and what people say about it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, Field

from service.api.access import Asking, check
from service.api.anomaly_search import Searched
from service.api.body import Body, StrictRoute, check_kept
from service.api.page import Cursor, Limit, PageOut
from service.api.resources import Opened, Resources
from service.api.times import rfc3339, rfc3339_or_none
from service.auth.caller import Caller, Verb
from service.database.audit import record_change
from service.database.verdicts import say_verdict
from service.errors import UnknownError
from service.verdicts import tell_verdict
from storage.index import Anomaly, Severity, Status, Verdict
from storage.series_key import SeriesKey

router = APIRouter(prefix="/v1/anomalies", tags=["anomalies"], route_class=StrictRoute)


class ChangeOut(BaseModel):
    """A lasting change of a series; the anomaly's time is its date."""

    kind: Literal["level", "slope"]
    size: float = Field(description="In units of the value; of a slope, a day.")
    confidence: float = Field(description="From 0 to 1.")
    earliest: str = Field(description="The date lies between these two, 95 % sure.")
    latest: str


class AnomalyOut(BaseModel):
    """One point judged abnormal: what detection says, and what people say."""

    id: str
    source: str
    rule: str
    series: str = Field(description="Id of the series.")
    name: str = Field(description='The series as written: `ndcg@10{region="jp"}`.')
    metric: str
    labels: dict[str, str]
    time: str
    value: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    score: float | None = Field(description="Above 1 is abnormal; the bound is 1.")
    severity: Severity
    direction: str
    reason: str
    status: Status
    cause: str | None = Field(description="Why it last changed: data, rule or baseline.")
    transition: int
    episode_start: str
    detector: str
    run: str
    generation: int
    written_at: str
    verdict: Verdict
    comment: str
    verdict_by: str
    verdict_at: str | None
    change: ChangeOut | None = Field(
        default=None, description="Of a detector of changes: which change the point begins."
    )


class VerdictBody(Body):
    """What people say; a field that is left out stays as it is."""

    verdict: Verdict | None = None
    comment: Annotated[str, Field(max_length=4000), AfterValidator(check_kept)] | None = None


def shown(anomaly: Anomaly) -> AnomalyOut:
    """A document as the API shows it."""
    key = SeriesKey.stored(anomaly.source, anomaly.metric, anomaly.labels)
    return AnomalyOut(
        id=anomaly.id,
        source=anomaly.source,
        rule=anomaly.rule,
        series=anomaly.series,
        name=str(key),
        metric=anomaly.metric,
        labels=dict(anomaly.labels),
        time=rfc3339(anomaly.ts_ms),
        value=anomaly.value,
        expected=anomaly.expected,
        lower=anomaly.lower,
        upper=anomaly.upper,
        score=anomaly.score,
        severity=anomaly.severity,
        direction=anomaly.direction,
        reason=anomaly.reason,
        status=anomaly.status,
        cause=anomaly.cause,
        transition=anomaly.transition,
        episode_start=rfc3339(anomaly.episode_start_ms),
        detector=anomaly.detector,
        run=anomaly.run,
        generation=anomaly.generation,
        written_at=rfc3339(anomaly.written_at_ms),
        verdict=anomaly.verdict,
        comment=anomaly.comment,
        verdict_by=anomaly.verdict_by,
        verdict_at=rfc3339_or_none(anomaly.verdict_at_ms),
        change=None if anomaly.change is None else _change(anomaly.change),
    )


def _change(change: Mapping[str, Any]) -> ChangeOut:
    return ChangeOut(
        kind=change["kind"],
        size=change["size"],
        confidence=change["confidence"],
        earliest=rfc3339(change["earliest_ms"]),
        latest=rfc3339(change["latest_ms"]),
    )


@router.get("", operation_id="searchAnomalies")
def search_anomalies(
    opened: Opened, query: Searched, cursor: Cursor = None, limit: Limit = 100
) -> PageOut[AnomalyOut]:
    """Newest first."""
    page = opened.stores.index.search_anomalies(query, limit, cursor)
    return PageOut(items=[shown(anomaly) for anomaly in page.items], cursor=page.cursor)


@router.get("/{anomaly}", operation_id="getAnomaly")
def get_anomaly(opened: Opened, caller: Asking, anomaly: str) -> AnomalyOut:
    """One anomaly."""
    return shown(_found(opened, caller, "read", anomaly))


@router.patch("/{anomaly}", operation_id="setVerdict")
def set_verdict(opened: Opened, caller: Asking, anomaly: str, body: VerdictBody) -> AnomalyOut:
    """Say what you think of it; detection never overwrites that."""
    old = _found(opened, caller, "manage", anomaly)
    now_ms = opened.clock.now_ms()
    with opened.database.write() as tx:
        said = say_verdict(tx, old, body.verdict, body.comment, caller.name, now_ms)
        detail = {"verdict": said.verdict, "comment": said.comment}
        record_change(tx, now_ms, caller.name, "anomaly.verdict", anomaly, detail)
    changed = tell_verdict(opened.database, opened.stores.index, anomaly)
    if changed is None:
        raise _unknown(anomaly)
    return shown(changed)


def _found(opened: Resources, caller: Caller, verb: Verb, id_: str) -> Anomaly:
    anomaly = opened.stores.index.anomaly(id_)
    if anomaly is None:
        raise _unknown(id_)
    check(caller, verb, anomaly.source, f"anomaly {id_}")
    return anomaly


def _unknown(id_: str) -> UnknownError:
    return UnknownError(f"anomaly {id_} does not exist, or you may not see it")
