"""What a run and an ingest are asked to do, fixed when they are accepted.

Times are absolute: the service reads the clock once and writes it here; steps read no clock to
decide anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from storage.selector import LabelCondition
from storage.source import SourceSpec
from workflows.codec import LEFT_OUT
from workflows.releases import Release

REQUEST_FORMAT = 1

RequirePoints = Literal["fail", "partial", "ignore"]


@dataclass(frozen=True)
class RunRequest:
    """One detection: which series, which range, which detector, and what to do with the answer."""

    run: str
    generation: int
    source: SourceSpec
    metrics: tuple[str, ...]  # names or globs
    start_ms: int
    end_ms: int
    detector: Mapping[str, Any]  # validated, as detector_from_dict takes it
    accepted_ms: int
    deadline_ms: int
    rule: str | None = None  # required when results are stored
    labels: Mapping[str, LabelCondition] = field(default_factory=dict)
    store: bool = True
    require_points: RequirePoints = "partial"
    max_series: int = 100_000
    # Of the request that asked, for who follows traces; steps do without it.
    traceparent: str = field(default="", metadata=LEFT_OUT)
    # Names of labels over which a series goes on (workflows/joining.py).
    join: tuple[str, ...] = field(default=(), metadata=LEFT_OUT)
    # Those before the end that were known when it was accepted, oldest first.
    releases: tuple[Release, ...] = field(default=(), metadata=LEFT_OUT)

    @property
    def judged_labels(self) -> Mapping[str, LabelCondition]:
        """Conditions on the series that are judged: those of ``labels`` are on what is read."""
        return {name: one for name, one in self.labels.items() if name not in self.join}


PointsFormat = Literal["json", "ndjson", "csv", "parquet", "arrow"]


@dataclass(frozen=True)
class IngestRequest:
    """One ingest: a staged payload and the sequence that its points get."""

    job: str
    source: str
    timezone: str
    sequence: int
    payload: str  # object name
    format: PointsFormat
    accepted_ms: int
    gzip: bool = False
    # What the payload is as text, about; how much work it is.
    text_bytes: int = field(default=0, metadata=LEFT_OUT)
    # Of a large one: which launch this is.
    attempt: int = field(default=1, metadata=LEFT_OUT)


def request_name(run: str) -> str:
    """Where the request of a run lies in the objects."""
    return f"runs/{run}/request.json"
