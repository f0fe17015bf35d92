"""The index's seam: documents that people search and charts draw.

Fields of detection and fields of people are different fields: ``write_anomalies`` never touches
``verdict`` and ``comment``; ``set_verdict`` touches nothing else.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

from storage.selector import LabelCondition

T = TypeVar("T")
Status = Literal["found", "withdrawn"]
Severity = Literal["warning", "major", "critical"]
Direction = Literal["up", "down", "none"]
Verdict = Literal["none", "acknowledged", "expected", "false"]


@dataclass(frozen=True)
class Anomaly:
    """One point judged abnormal, as detection wrote it and people answered it."""

    id: str
    source: str
    rule: str
    series: str  # id
    metric: str
    labels: Mapping[str, str]
    ts_ms: int
    value: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    score: float | None
    severity: Severity
    direction: Direction
    reason: str
    status: Status
    cause: Literal["data", "rule", "baseline"] | None  # of the newest change; None when new
    transition: int  # numbers each change of status, from 1
    episode_start_ms: int
    detector: str  # type
    detector_hash: str  # of its parameters, to tell cause `rule`
    run: str
    generation: int
    written_at_ms: int
    verdict: Verdict = "none"
    comment: str = ""
    verdict_by: str = ""
    verdict_at_ms: int | None = None
    # Of a detector of changes: kind (level or slope), size, confidence, earliest_ms, latest_ms.
    change: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class StoredAnomaly:
    """An anomaly with the version that guards its next update (opaque to callers)."""

    anomaly: Anomaly
    version: str


@dataclass(frozen=True)
class AnomalyWrite:
    """A guarded write: ``version`` None creates, otherwise updates exactly that version."""

    anomaly: Anomaly
    version: str | None


@dataclass(frozen=True)
class WriteOutcome:
    """What became of guarded writes: a newer generation wins and is counted, never undone."""

    written: int
    superseded: int


@dataclass(frozen=True)
class AnomalyQuery:
    """A search; every field given must match."""

    source: str | None = None
    sources: tuple[str, ...] | None = None  # what the caller may see; None = all
    metrics: tuple[str, ...] = ()  # names or globs
    rule: str | None = None
    series: str | None = None
    labels: Mapping[str, LabelCondition] = field(default_factory=dict)
    start_ms: int | None = None
    end_ms: int | None = None
    min_severity: Severity | None = None
    status: Status | None = None
    verdict: Verdict | None = None
    run: str | None = None


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some documents, newest first, and the opaque cursor of the next page."""

    items: Sequence[T]
    cursor: str | None


@dataclass(frozen=True)
class PointsDay:
    """What a chart draws of one series in one UTC day; version = its highest sequence."""

    source: str
    series: str
    day: str  # YYYY-MM-DD
    ts_ms: Sequence[int]
    values: Sequence[float | None]
    sequence: int


@dataclass(frozen=True)
class Band:
    """Expected values and bounds of one series by one run; version = its generation."""

    source: str
    rule: str
    series: str
    run: str
    generation: int
    ts_ms: Sequence[int]
    expected: Sequence[float | None]
    lower: Sequence[float | None]
    upper: Sequence[float | None]


@dataclass(frozen=True)
class SeriesEntry:
    """The catalog's row of one series; version = its highest sequence."""

    source: str
    series: str
    metric: str
    labels: Mapping[str, str]
    step_ms: int | None
    first_ms: int
    last_ms: int
    sequence: int


class Index(Protocol):
    """Search and charts."""

    def refresh(self) -> None:
        """Make what was written before visible to searches."""
        ...

    def known_anomalies(
        self, source: str, rule: str, series: Sequence[str], start_ms: int, end_ms: int
    ) -> Iterator[StoredAnomaly]:
        """What is stored of a rule for these series in [start, end), found and withdrawn."""
        ...

    def write_anomalies(self, writes: Iterable[AnomalyWrite]) -> WriteOutcome:
        """Create or update, guarded; on a conflict read again: a lower generation is replaced
        (people's fields kept), my own generation counts as written, a higher is superseded."""
        ...

    def search_anomalies(
        self, query: AnomalyQuery, limit: int, cursor: str | None = None
    ) -> Page[Anomaly]:
        """Newest first: ts desc, then id."""
        ...

    def anomaly(self, id_: str) -> Anomaly | None:
        """One by id."""
        ...

    def set_verdict(
        self, id_: str, verdict: Verdict, comment: str, by: str, at_ms: int
    ) -> Anomaly | None:
        """What people say; survives every run."""
        ...

    def put_points(self, days: Iterable[PointsDay]) -> None:
        """Replace documents of days whose stored sequence is not higher."""
        ...

    def put_bands(self, bands: Iterable[Band]) -> None:
        """Replace bands whose stored generation is not higher."""
        ...

    def put_series(self, entries: Iterable[SeriesEntry]) -> None:
        """Widen first/last, learn the step; a higher sequence wins."""
        ...

    def points(
        self, source: str, series: Sequence[str], start_ms: int, end_ms: int
    ) -> Iterator[PointsDay]:
        """Stored days that touch the range, by series then day."""
        ...

    def bands(self, source: str, series: Sequence[str], rule: str | None) -> Iterator[Band]:
        """Stored bands, newest generation last."""
        ...

    def series(
        self,
        source: str,
        metrics: tuple[str, ...] = (),
        labels: Mapping[str, LabelCondition] | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> Page[SeriesEntry]:
        """The catalog, ordered by metric then series id."""
        ...

    def metrics(self, source: str) -> Mapping[str, "MetricSummary"]:
        """Metric names of a source with their coarsest known step and series count."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Documents by kind: anomalies, points, bands, series."""
        ...

    def purge(self, source: str) -> None:
        """Remove every document of a source."""
        ...

    def expire(self, before_ms: int, dry_run: bool = False) -> "Sequence[ExpiredMonth]":
        """Remove whole UTC months of anomalies, points and bands that ended by then; the catalog
        stays. Says what was there, by month then kind; a dry run removes nothing."""
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


@dataclass(frozen=True)
class ExpiredMonth:
    """Documents of one kind in a UTC month that is past its time."""

    month: str  # YYYY-MM
    kind: str
    documents: int


@dataclass(frozen=True)
class MetricSummary:
    """What the catalog knows of a metric."""

    series: int
    step_ms: int | None
    first_ms: int
    last_ms: int
