"""What a run may change: its results against what its rule has said before.

A run finds what it flags, and withdraws what it judged normal at exactly that time or what a
tombstone removed. Everything else that stands is left as it is and counted ``unverified``.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.result import Direction, Reason, Severity
from storage import index
from storage.index import Anomaly, AnomalyWrite, StoredAnomaly
from storage.series_key import anomaly_id, canonical_id
from workflows.episodes import Standing, episode_starts, usual_step
from workflows.report import Change, ChangeKind
from workflows.request import RunRequest

Cause = Literal["data", "rule", "baseline"]

POINT_REMOVED = "point_removed"
TOLERANCE = 1e-9  # relative; a smaller difference is arithmetic, not news

# The reasons of a row that was judged; only they can withdraw.
NORMAL = (Reason.OK, Reason.ZERO_VARIANCE, Reason.BELOW_MIN_CHANGE, Reason.NOT_CONSECUTIVE)

_NUMBERS = ("value", "expected", "lower", "upper", "score")
_SEVERITIES: Mapping[int, index.Severity] = {
    Severity.WARNING: "warning",
    Severity.MAJOR: "major",
    Severity.CRITICAL: "critical",
}
_DIRECTIONS: Mapping[int, index.Direction] = {
    Direction.DOWN: "down",
    Direction.NONE: "none",
    Direction.UP: "up",
}
_PREVIOUS = (*_NUMBERS, "severity", "direction", "reason", "status", "transition")


@dataclass(frozen=True)
class RunFacts:
    """What every statement of a run carries."""

    run: str
    generation: int
    source: str
    rule: str
    detector: str
    detector_hash: str
    start_ms: int
    end_ms: int
    written_at_ms: int
    managed: bool

    @classmethod
    def of(cls, request: RunRequest, written_at_ms: int) -> "RunFacts":
        """The facts of a request."""
        return cls(
            run=request.run,
            generation=request.generation,
            source=request.source.name,
            rule=request.rule or "",
            detector=str(request.detector["type"]),
            detector_hash=canonical_id(dict(request.detector)),
            start_ms=request.start_ms,
            end_ms=request.end_ms,
            written_at_ms=written_at_ms,
            managed=request.source.managed,
        )


@dataclass(frozen=True)
class JudgedSeries:
    """The identity of a series of the run, and its metric's step."""

    id: str
    metric: str
    labels: Mapping[str, str]
    step_ms: int | None = None


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Rows of a chunk's results as arrays, sorted by (number, ts); null floats are NaN."""

    number: npt.NDArray[np.int32]
    ts: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    expected: npt.NDArray[np.float64]
    lower: npt.NDArray[np.float64]
    upper: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]
    is_anomaly: npt.NDArray[np.bool_]
    severity: npt.NDArray[np.int8]
    direction: npt.NDArray[np.int8]
    reason: npt.NDArray[np.int8]
    tombstone: npt.NDArray[np.bool_]
    change: Mapping[int, str] = field(default_factory=dict)  # JSON by row, of the few that have one

    @classmethod
    def of(cls, results: pa.Table) -> "Verdicts":
        """The arrays of a table of CHUNK_RESULT_SCHEMA."""
        arrays = {
            name: results.column(name).to_numpy(zero_copy_only=False)
            for name in cls.__dataclass_fields__
            if name != "change"
        }
        if "change" not in results.column_names:  # of a chunk that an older version committed
            return cls(**arrays)
        column = results.column("change")
        rows = np.flatnonzero(column.is_valid().to_numpy())
        texts = column.take(pa.array(rows)).to_pylist()
        return cls(**arrays, change=dict(zip(rows.tolist(), texts, strict=True)))

    def rows_of(self, number: int) -> slice:
        """Where the rows of one series are."""
        first, last = np.searchsorted(self.number, [number, number + 1])
        return slice(int(first), int(last))

    def row_at(self, rows: slice, ts_ms: int) -> int | None:
        """The row at exactly this time."""
        row = rows.start + int(np.searchsorted(self.ts[rows], ts_ms))
        return row if row < rows.stop and self.ts[row] == ts_ms else None

    def flagged(self) -> dict[int, list[int]]:
        """Anomalous rows by number."""
        rows = np.flatnonzero(self.is_anomaly)
        found: dict[int, list[int]] = defaultdict(list)
        for number, row in zip(self.number[rows].tolist(), rows.tolist(), strict=True):
            found[number].append(row)
        return found

    def number_at(self, name: str, row: int) -> float | None:
        """One of value, expected, bounds and score; None where there is none."""
        number = float(getattr(self, name)[row])
        return number if math.isfinite(number) else None

    def change_at(self, row: int) -> Mapping[str, Any] | None:
        """What a detector of changes says of an anomaly, as in its document."""
        text = self.change.get(row)
        return None if text is None else json.loads(text)


@dataclass
class Reconciled:
    """What a run writes, what people are told, and how many of each kind."""

    writes: list[AnomalyWrite] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)  # of changed and withdrawn


@dataclass(frozen=True)
class _Statement:
    """What stands of one anomaly after the run; ``kind`` None: nothing that people are told."""

    anomaly: Anomaly
    stored: StoredAnomaly | None
    kind: ChangeKind | None
    verified: bool = True


def reconcile(
    facts: RunFacts,
    series: Mapping[int, JudgedSeries],
    verdicts: Verdicts,
    known: Iterable[StoredAnomaly],
) -> Reconciled:
    """Compare results with what is known of the rule, for the series given by number.

    ``known`` may reach back before the range: what stands there begins episodes and is never
    changed. Anomalies of series that are not given are not looked at.
    """
    known_of: dict[str, list[StoredAnomaly]] = defaultdict(list)
    for stored in known:
        known_of[stored.anomaly.series].append(stored)
    flagged = verdicts.flagged()
    outcome = Reconciled()
    for number, key in series.items():
        said, rows = known_of.get(key.id, []), flagged.get(number, [])
        if said or rows:
            for statement in _statements(facts, key, verdicts, number, rows, said):
                _record(facts, outcome, statement)
    return outcome


def _statements(
    facts: RunFacts,
    key: JudgedSeries,
    verdicts: Verdicts,
    number: int,
    flagged: Sequence[int],
    known: Sequence[StoredAnomaly],
) -> list[_Statement]:
    within = {
        stored.anomaly.ts_ms: stored
        for stored in known
        if facts.start_ms <= stored.anomaly.ts_ms < facts.end_ms
    }
    statements = [
        _found(facts, key, verdicts, row, within.pop(int(verdicts.ts[row]), None))
        for row in flagged
    ]
    rows = verdicts.rows_of(number)
    for ts_ms, stored in within.items():
        if stored.anomaly.status == "found":
            row = verdicts.row_at(rows, ts_ms)
            statements.append(_not_flagged(facts, verdicts, row, stored))
    statements.sort(key=lambda statement: statement.anomaly.ts_ms)
    step_ms = usual_step(verdicts.ts[rows], key.step_ms)
    return _with_episodes(statements, step_ms, _last_before(facts, known))


def _found(
    facts: RunFacts,
    key: JudgedSeries,
    verdicts: Verdicts,
    row: int,
    stored: StoredAnomaly | None,
) -> _Statement:
    ts_ms = int(verdicts.ts[row])
    anomaly = Anomaly(
        id=anomaly_id(facts.source, facts.rule, key.id, ts_ms),
        source=facts.source,
        rule=facts.rule,
        series=key.id,
        metric=key.metric,
        labels=key.labels,
        ts_ms=ts_ms,
        value=verdicts.number_at("value", row),
        expected=verdicts.number_at("expected", row),
        lower=verdicts.number_at("lower", row),
        upper=verdicts.number_at("upper", row),
        score=verdicts.number_at("score", row),
        severity=_SEVERITIES.get(int(verdicts.severity[row]), "warning"),
        direction=_DIRECTIONS[int(verdicts.direction[row])],
        reason=_reason(verdicts, row),
        status="found",
        cause=None,
        transition=1,
        episode_start_ms=ts_ms,
        detector=facts.detector,
        detector_hash=facts.detector_hash,
        run=facts.run,
        generation=facts.generation,
        written_at_ms=facts.written_at_ms,
        change=verdicts.change_at(row),
    )
    if stored is None:
        return _Statement(anomaly, None, "new")
    old = stored.anomaly
    cause = _cause(facts, old, anomaly.value)
    if old.status == "withdrawn":
        again = replace(anomaly, cause=cause, transition=old.transition + 1)
        return _Statement(again, stored, "new")
    if _is_changed(old, anomaly):
        changed = replace(anomaly, cause=cause, transition=old.transition)
        return _Statement(changed, stored, "changed")
    same = replace(
        old,
        reason=anomaly.reason,
        direction=anomaly.direction,
        detector=facts.detector,
        detector_hash=facts.detector_hash,
        change=anomaly.change,
    )
    return _Statement(same, stored, None)


def _not_flagged(
    facts: RunFacts, verdicts: Verdicts, row: int | None, stored: StoredAnomaly
) -> _Statement:
    removed = row is not None and facts.managed and bool(verdicts.tombstone[row])
    if row is None or not (removed or verdicts.reason[row] in NORMAL):
        return _Statement(stored.anomaly, stored, None, verified=False)
    old = stored.anomaly
    numbers = {name: None if removed else verdicts.number_at(name, row) for name in _NUMBERS}
    withdrawn = replace(
        old,
        value=numbers["value"],
        expected=numbers["expected"],
        lower=numbers["lower"],
        upper=numbers["upper"],
        score=numbers["score"],
        reason=POINT_REMOVED if removed else _reason(verdicts, row),
        status="withdrawn",
        cause="data" if removed else _cause(facts, old, numbers["value"]),
        transition=old.transition + 1,
        detector=facts.detector,
        detector_hash=facts.detector_hash,
    )
    return _Statement(withdrawn, stored, "withdrawn")


def _with_episodes(
    statements: Sequence[_Statement], step_ms: int | None, before: Standing | None
) -> list[_Statement]:
    standing = [s.anomaly for s in statements if s.anomaly.status == "found"]
    starts = episode_starts([(a.ts_ms, a.direction) for a in standing], step_ms, before)
    start_of = {a.ts_ms: start for a, start in zip(standing, starts, strict=True)}
    return [
        replace(s, anomaly=replace(s.anomaly, episode_start_ms=start_of[s.anomaly.ts_ms]))
        if s.anomaly.ts_ms in start_of
        else s
        for s in statements
    ]


def _last_before(facts: RunFacts, known: Iterable[StoredAnomaly]) -> Standing | None:
    earlier = [
        stored.anomaly
        for stored in known
        if stored.anomaly.ts_ms < facts.start_ms and stored.anomaly.status == "found"
    ]
    last = max(earlier, key=lambda anomaly: anomaly.ts_ms, default=None)
    if last is None:
        return None
    return Standing(last.ts_ms, last.direction, last.episode_start_ms)


def _record(facts: RunFacts, outcome: Reconciled, statement: _Statement) -> None:
    stored, kind = statement.stored, statement.kind
    outcome.counts[kind or ("unchanged" if statement.verified else "unverified")] += 1
    if kind is None and stored is not None and statement.anomaly == stored.anomaly:
        return
    # Of an unchanged one only facts beside the verdict are written: hash, episode.
    anomaly = replace(
        statement.anomaly,
        run=facts.run,
        generation=facts.generation,
        written_at_ms=facts.written_at_ms,
    )
    outcome.writes.append(AnomalyWrite(anomaly, stored.version if stored else None))
    if kind is not None:
        outcome.changes.append(_change(kind, anomaly, stored.anomaly if stored else None))
    if kind in ("changed", "withdrawn") and anomaly.cause is not None:
        outcome.causes[anomaly.cause] += 1


def _change(kind: ChangeKind, anomaly: Anomaly, old: Anomaly | None) -> Change:
    return Change(
        kind=kind,
        anomaly=anomaly.id,
        transition=anomaly.transition,
        cause=anomaly.cause,
        series=anomaly.series,
        metric=anomaly.metric,
        labels=anomaly.labels,
        ts_ms=anomaly.ts_ms,
        value=anomaly.value,
        expected=anomaly.expected,
        lower=anomaly.lower,
        upper=anomaly.upper,
        score=anomaly.score,
        severity=anomaly.severity,
        direction=anomaly.direction,
        reason=anomaly.reason,
        episode_start_ms=anomaly.episode_start_ms,
        previous={name: getattr(old, name) for name in _PREVIOUS} if old else None,
        change=anomaly.change,
    )


def _cause(facts: RunFacts, old: Anomaly, value: float | None) -> Cause:
    if differs(old.value, value):
        return "data"
    return "rule" if old.detector_hash != facts.detector_hash else "baseline"


def _is_changed(old: Anomaly, new: Anomaly) -> bool:
    return old.severity != new.severity or any(
        differs(getattr(old, name), getattr(new, name)) for name in _NUMBERS
    )


def differs(a: float | None, b: float | None) -> bool:
    """Whether two numbers are apart by more than arithmetic can explain."""
    if a is None or b is None:
        return a is not b
    return abs(a - b) > TOLERANCE * max(abs(a), abs(b))


def _reason(verdicts: Verdicts, row: int) -> str:
    return Reason(int(verdicts.reason[row])).name.lower()
