"""Collects what a report shows: from the database, the index, and the run's own commits."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from service.database.deliveries import DeliveryFilter, list_deliveries
from service.database.engine import Database
from service.database.runs import Run, RunFilter, list_runs, runs_ahead
from service.database.sources import get_source
from service.report.anomalies import read_ranking
from service.report.curves import read_cards
from service.report.facts import ReportFacts
from service.report.outcomes import count_labels, read_lacking
from service.report.rank import RankedSeries, Ranking
from service.report.shares import shares
from service.report.unstored import unstored_ranking, with_results
from storage.errors import StorageError
from storage.index import Index
from storage.stores import Stores
from workflows.codec import from_plain
from workflows.errors import WorkflowError
from workflows.failure import Failure
from workflows.request import RunRequest
from workflows.status import run_failures

CARDS_PER_PAGE = 20
_CALM_CARDS = 4  # where nothing is abnormal: to see that something was looked at
_MOST_DELIVERIES = 100
_MOST_FAILURES = 10


@dataclass(frozen=True)
class Wanted:
    """Which part of a report, and what its addresses need."""

    page: int = 1
    links: Mapping[str, str] = field(default_factory=dict)
    query: str = ""


def gather(
    database: Database, stores: Stores, run: Run, now_ms: int, wanted: Wanted
) -> ReportFacts:
    """What is known of a run now. StorageError when the index cannot be asked."""
    request = from_plain(RunRequest, run.request)
    with database.read() as tx:
        facts = _of_database(tx, run, request, now_ms, wanted)
    if not run.ended or run.state == "cancelled":
        return replace(facts, failures=_failures(stores, run))
    ranking = _ranking(stores, request)
    pages = max(1, math.ceil(len(ranking.series) / CARDS_PER_PAGE))
    page = min(max(wanted.page, 1), pages)
    first = (page - 1) * CARDS_PER_PAGE
    drawn = list(ranking.series[first : first + CARDS_PER_PAGE]) or _calm(stores.index, request)
    cards = read_cards(stores.index, request, drawn, run.generation)
    if not request.store and cards:
        cards = with_results(stores.objects, request, cards)
    abnormal = [one.labels for one in ranking.standing]
    return replace(
        facts,
        ranking=ranking,
        cards=cards,
        calm=not ranking.series,
        page=page,
        pages=pages,
        lacking=read_lacking(stores.objects, run.id),
        shares=shares(abnormal, *count_labels(stores.objects, run.id)) if abnormal else (),
        failures=_failures(stores, run),
    )


def _of_database(
    tx: Connection, run: Run, request: RunRequest, now_ms: int, wanted: Wanted
) -> ReportFacts:
    source = get_source(tx, run.source, deleted=True)
    body = {} if source is None else source.body
    deliveries = list_deliveries(tx, DeliveryFilter(run=run.id), _MOST_DELIVERIES)
    newest = []
    if run.rule is not None:
        newest = list_runs(tx, RunFilter(source=run.source, rule=run.rule), 1)
    return ReportFacts(
        run=run,
        request=request,
        source_body=body,
        now_ms=now_ms,
        deliveries=deliveries[::-1],
        ahead=runs_ahead(tx, run),
        newer=next((one for one in newest if one.generation > run.generation), None),
        links={**dict(body.get("links") or {}), **wanted.links},
        query=wanted.query,
    )


def _ranking(stores: Stores, request: RunRequest) -> Ranking:
    if request.store and request.rule is not None:
        return read_ranking(stores.index, request)
    try:
        return unstored_ranking(stores.objects, request)
    except (StorageError, WorkflowError):
        return Ranking()


def _calm(index: Index, request: RunRequest) -> list[RankedSeries]:
    page = index.series(request.source.name, request.metrics, request.judged_labels, _CALM_CARDS)
    return [RankedSeries(entry.series, entry.metric, entry.labels) for entry in page.items]


def _failures(stores: Stores, run: Run) -> tuple[Failure, ...]:
    """The last failed tries of its steps; what cannot be read is not worth failing for."""
    try:
        return tuple(run_failures(stores.objects, run.id)[-_MOST_FAILURES:])
    except (StorageError, WorkflowError):
        return ()
