"""What a run says when it is over: ``report.json``, derived from ``publish.json``."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from storage.objects import Objects
from workflows.codec import LEFT_OUT
from workflows.commits import PUBLISH, read_commit, run_root
from workflows.errors import CommitError

REPORT = "report.json"
MAX_FAILURES = 100

Outcome = Literal["succeeded", "partial", "failed", "cancelled"]

# series, failed and series_without_points count series; judged, anomalous, no_data and
# insufficient_history rows; the others anomalies.
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
    error: str = ""  # why the run failed, or judged nothing, in plain words
    pointer: str = ""  # JSON pointer of the request's field at fault, if one is
    changes: str | None = None  # object name
    results: str | None = None  # object name prefix of the per-point results of this run
    duplicates: int = 0  # rows of an external table that lost to another row
    # Series that could not be judged because they begin too late, and when the first one can be.
    short_series: int = field(default=0, metadata=LEFT_OUT)
    first_ready_at_ms: int | None = field(default=None, metadata=LEFT_OUT)
    # Series by what the detector `auto` took for them, and why.
    chosen: Mapping[str, int] | None = field(default=None, metadata=LEFT_OUT)


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
    change: Mapping[str, Any] | None = None  # as of `Anomaly`


def change_line(change: Change) -> bytes:
    """One line of the changes object."""
    return json.dumps(vars(change), ensure_ascii=False, allow_nan=False).encode() + b"\n"


def read_report(objects: Objects, run: str) -> Report | None:
    """The report of a run, or None while it is not over."""
    commit = read_commit(objects, f"{run_root(run)}/{REPORT}")
    return None if commit is None else commit.read(Report)


def read_changes(objects: Objects, report: Report) -> Iterator[Change]:
    """The changes of a run, by metric, series and time, one at a time."""
    for line in _change_lines(objects, report):
        yield Change(**json.loads(line))


def find_change(objects: Objects, report: Report, anomaly: str) -> Change | None:
    """What a run changed of one anomaly, if it did."""
    for line in _change_lines(objects, report):
        if anomaly.encode() in line:
            change = Change(**json.loads(line))
            if change.anomaly == anomaly:
                return change
    return None


def _change_lines(objects: Objects, report: Report) -> Iterator[bytes]:
    if report.changes is None:
        return
    commit = read_commit(objects, f"{run_root(report.run)}/{PUBLISH}")
    if commit is None:
        raise CommitError(f"run {report.run} has a report and no {PUBLISH}")
    with commit.path(objects, report.changes).open("rb") as lines:
        yield from lines
