"""Collects the explanation of one point of a run."""

import math
import re
from dataclasses import dataclass, replace

import numpy as np

from detectors import DetectorError
from detectors.catalog import detector_from_stored
from detectors.errors import PointError
from detectors.explain import Explanation
from detectors.explain.words import utc
from service.database.engine import Database
from service.database.runs import Run
from service.errors import ConflictError, RequestError, UnknownError
from service.explain.step import Fact, Step
from service.explain.stored import StoredVerdict, stored_step
from service.explain.told import told_steps
from storage.errors import InvalidError, NotFoundError
from storage.index import Anomaly, Index
from storage.series_key import SeriesKey, anomaly_id
from storage.stores import Stores
from workflows.codec import from_plain
from workflows.errors import CommitError
from workflows.judged_point import CommittedRow, KeptRun, ReadPoints, points_of_now
from workflows.published import PlannedSeries
from workflows.readiness import Readiness
from workflows.releases import Stretch, restarts, stretches
from workflows.report import Change, Report, find_change
from workflows.request import RunRequest

MOST_POINTS = 2_000_000  # of one series: the answer is made while the caller waits
_ID = re.compile(r"[0-9a-f]{32}")
_CATALOG_PAGE = 1_000


class TimeError(RequestError):
    """The time names no row of the run."""


@dataclass(frozen=True)
class ExplainedPoint:
    """The whole way from a value to who was told."""

    explanation: Explanation
    series: SeriesKey
    as_read: bool  # by the very points that the run read
    steps: tuple[Step, ...]
    agrees: bool | None


@dataclass(frozen=True)
class Question:
    """Which point of which run; ``series`` is an id, or a name with labels."""

    run: Run
    series: str
    time_ms: int

    @property
    def request(self) -> RunRequest:
        """What the run was asked."""
        return from_plain(RunRequest, self.run.request)


def explain_point(database: Database, stores: Stores, question: Question) -> ExplainedPoint:
    """Explain a point of a run that is over; the error says what cannot be answered."""
    run, request = question.run, question.request
    if not run.ended:
        raise ConflictError(f"run {run.id} is not over yet: it is {run.state}")
    if run.state == "cancelled":
        raise ConflictError(f"run {run.id} was cancelled: it judged nothing")
    _check_range(request, question.time_ms)
    found = _Found.of(stores, request, question.series)
    row = found.kept_row(question.time_ms)
    explanation = _explained(found, question)
    anomaly = _anomaly(stores.index, request, found.key.id, question.time_ms)
    stored = stored_step(explanation, _stored(row, anomaly, run), found.as_read)
    change, changes_kept = _change(stores, run, anomaly)
    id_ = None if anomaly is None else anomaly.id
    with database.read() as tx:
        told = tuple(told_steps(tx, run, request, found.key.id, id_, change, changes_kept))
    own = tuple(Step(one.kind, one.says, one.facts) for one in explanation.steps)
    agrees = next((one.value for one in stored.facts if one.name == "agrees"), None)
    return ExplainedPoint(
        explanation=explanation,
        series=found.key,
        as_read=found.as_read,
        steps=(found.step(run, question), *own, stored, *told),
        agrees=None if agrees is None else bool(agrees),
    )


def _check_range(request: RunRequest, time_ms: int) -> None:
    if not request.start_ms <= time_ms < request.end_ms:
        raise TimeError(
            f"{utc(time_ms)} is outside of the run's range, from {utc(request.start_ms)} to before "
            f"{utc(request.end_ms)}"
        )


@dataclass(frozen=True)
class _Found:
    """The series of the question, and its points."""

    key: SeriesKey
    points: ReadPoints
    kept: KeptRun | None = None
    planned: PlannedSeries | None = None

    @classmethod
    def of(cls, stores: Stores, request: RunRequest, text: str) -> "_Found":
        """By the run's own inputs while they are kept, else by the archive as it is now."""
        key = _written(request, text)
        kept = _kept(stores, request)
        if kept is not None:
            planned = kept.series(text) or (kept.series(key.id) if key else None)
            if planned is None:
                raise _unknown(request, text)
            return cls(
                SeriesKey.of(request.source.name, planned.metric, planned.labels),
                kept.points(planned),
                kept,
                planned,
            )
        known = _by_id(stores.index, request, text) if _ID.fullmatch(text) else None
        key = known or key
        points = None if key is None else points_of_now(stores.archive, request, key)
        if key is None or points is None:
            raise _unknown(request, text)
        return cls(key, points)

    @property
    def as_read(self) -> bool:
        return self.kept is not None

    def kept_row(self, time_ms: int) -> CommittedRow | None:
        """The row of the run's results; ConflictError where the series failed."""
        if self.kept is None or self.planned is None:
            return None
        error = self.kept.error(self.planned)
        if error is not None:
            raise ConflictError(
                f"series {self.key} failed in this run, so it says nothing: {error}"
            )
        return self.kept.row(self.planned, time_ms)

    def stretch(self, request: RunRequest, time_ms: int) -> Stretch:
        """The time around a point whose points judge each other."""
        times = restarts(request.releases, self.key.metric, dict(self.key.labels))
        return next(one for one in stretches(times) if one.begin <= time_ms < one.end)

    def step(self, run: Run, question: Question) -> Step:
        """Which points were judged here."""
        time_ms, restarted = question.time_ms, self.stretch(question.request, question.time_ms)
        count = len(self.points.series)
        says = f"Judged here are the {count:,} points that run {run.id} itself read of {self.key}."
        if not self.as_read:
            says = (
                f"Nothing is kept of what run {run.id} read of {self.key}: judged here are the "
                f"{count:,} points that the archive has of it now."
            )
        removed = bool(np.isin(time_ms, self.points.gone_ms))
        if removed:
            says += " An explicit null removed the point."
        if math.isfinite(restarted.begin):
            says += (
                f" A release restarted the baseline at {utc(int(restarted.begin))}: no point "
                "before it counts."
            )
        facts: tuple[Fact, ...] = (
            Fact("removed", removed),
            Fact("from", "run" if self.as_read else "archive"),
            Fact("points", count, "points"),
        )
        if math.isfinite(restarted.begin):
            facts = (*facts, Fact("restarted", int(restarted.begin), "epoch ms"))
        return Step("points", says, facts)


def _written(request: RunRequest, text: str) -> SeriesKey | None:
    try:
        return SeriesKey.parse(request.source.name, text)
    except InvalidError:
        return None  # no such name can be in the run


def _unknown(request: RunRequest, text: str) -> UnknownError:
    return UnknownError(
        f"run {request.run} read no series {text}: give an id, or a name with its labels as in "
        'ndcg@10{region="jp"}'
    )


def _kept(stores: Stores, request: RunRequest) -> KeptRun | None:
    try:
        return KeptRun.of(stores.objects, request)
    except NotFoundError:
        return None  # the janitor is at it


def _by_id(index: Index, request: RunRequest, id_: str) -> SeriesKey | None:
    """Look for an id in the catalog: nothing else knows what it stands for."""
    cursor: str | None = None
    while True:
        page = index.series(
            request.source.name, request.metrics, request.judged_labels, _CATALOG_PAGE, cursor
        )
        for entry in page.items:
            if entry.series == id_:
                return SeriesKey.of(request.source.name, entry.metric, entry.labels)
        cursor = page.cursor
        if cursor is None:
            return None


def _explained(found: _Found, question: Question) -> Explanation:
    request, time_ms = question.request, question.time_ms
    stretch = found.stretch(request, time_ms)
    detector, points = detector_from_stored(request.detector), found.points
    if len(points.series) > MOST_POINTS:
        raise RequestError(
            f"series {found.key} has {len(points.series):,} points, explained are up to "
            f"{MOST_POINTS:,}"
        )
    try:
        explanation = detector.explain(
            stretch.of(points.series),
            time_ms,
            int(max(request.start_ms, stretch.begin)),
            int(min(request.end_ms, stretch.end)),
            step=points.step,
        )
    except PointError as error:
        if time_ms in points.gone_ms:
            raise TimeError(
                f"the point at {utc(time_ms)} was removed by an explicit null before the run: "
                "there was nothing to judge"
            ) from None
        raise TimeError(str(error)) from None
    except DetectorError as error:
        raise ConflictError(f"series {found.key} cannot be judged: {error}") from None
    if explanation.step("verdict").fact("reason") == "insufficient_history":
        return _with_readiness(explanation, Readiness(detector), points)
    return explanation


def _with_readiness(
    explanation: Explanation, readiness: Readiness, points: ReadPoints
) -> Explanation:
    """When it will be judged, where the detector itself does not know."""
    missing = explanation.step("missing")
    if missing.fact("ready_at") is not None:
        return explanation
    series = points.series
    ready_ms = readiness.ready_at(series.epoch_ms, series.values, explanation.time_ms)
    if ready_ms is None:
        return explanation
    have = int(np.isfinite(series.values[series.epoch_ms < explanation.time_ms]).sum())
    says = f"{missing.says} There are {have:,} points before it; if they keep arriving as they "
    fuller = replace(
        missing,
        says=f"{says}did, there will be enough from {utc(ready_ms)} on.",
        facts=(*missing.facts, Fact("ready_at", utc(ready_ms), "time")),
    )
    steps = tuple(fuller if one is missing else one for one in explanation.steps)
    return replace(explanation, steps=steps)


def _anomaly(index: Index, request: RunRequest, series: str, time_ms: int) -> Anomaly | None:
    if not request.store:
        return None
    return index.anomaly(anomaly_id(request.source.name, request.rule or "", series, time_ms))


def _stored(row: CommittedRow | None, anomaly: Anomaly | None, run: Run) -> StoredVerdict | None:
    if row is not None:
        return StoredVerdict.of_row(row)
    return None if anomaly is None else StoredVerdict.of_anomaly(anomaly, run.id)


def _change(stores: Stores, run: Run, anomaly: Anomaly | None) -> tuple[Change | None, bool]:
    """What the run changed of the anomaly, and whether its changes are kept."""
    if run.report is None or anomaly is None:
        return None, True
    try:
        report = from_plain(Report, run.report)
        return find_change(stores.objects, report, anomaly.id), True
    except (CommitError, NotFoundError):
        return None, False
