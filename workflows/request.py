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


def request_name(run: str) -> str:
    """Where the request of a run lies in the objects."""
    return f"runs/{run}/request.json"
