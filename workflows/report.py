"""What a run says when it is over: ``report.json``, derived from ``publish.json``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["succeeded", "partial", "failed", "cancelled"]

COUNTS = (
    "series",
    "judged",
    "anomalous",
    "no_data",
    "insufficient_history",
    "failed",
    "unverified",
    "superseded",
    "series_without_points",
    "new",
    "changed",
    "unchanged",
    "withdrawn",
)


@dataclass(frozen=True)
class SeriesFailure:
    """One series that could not be judged, and why."""

    series: str
    name: str  # as written: metric{labels}
    error: str


@dataclass(frozen=True)
class Report:
    """The outcome of a run. ``changes`` names a JSON-lines object of :class:`Change` rows."""

    run: str
    generation: int
    outcome: Outcome
    counts: Mapping[str, int]
    causes: Mapping[str, int] = field(default_factory=dict)  # withdrawn and changed, by cause
    ready_at_ms: int | None = None  # when the last series lacking history can be judged
    failures: Sequence[SeriesFailure] = ()  # the first 100
    error: str = ""  # why the run failed, in plain words
    pointer: str = ""  # JSON pointer of the request's field at fault, if one is
    changes: str | None = None  # object name
    results: str | None = None  # object name prefix of the per-point results of this run
    duplicates: int = 0  # rows of an external table that lost to another row


ChangeKind = Literal["new", "changed", "withdrawn"]


@dataclass(frozen=True)
class Change:
    """One transition of one anomaly by this run: what a notification speaks of."""

    kind: ChangeKind
    anomaly: str
    transition: int
    cause: Literal["data", "rule", "baseline"] | None
    series: str
    metric: str
    labels: Mapping[str, str]
    ts_ms: int
    value: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    score: float | None
    severity: str
    direction: str
    reason: str
    episode_start_ms: int
    previous: Mapping[str, object] | None = None  # value, expected, severity ... before a change
