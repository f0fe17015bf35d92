"""Everything that a report shows of one run, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.database.deliveries import Delivery
from service.database.runs import Run
from service.notifications.wording import metric_facts
from service.report.rank import RankedSeries, Ranking
from storage.source import SourceSpec
from workflows.codec import from_plain
from workflows.failure import Failure
from workflows.releases import Release
from workflows.report import Report
from workflows.request import RunRequest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Curve:
    """Points of one series by time; none is without a value."""

    ts_ms: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    values: Floats = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class BandCurve:
    """What was expected; NaN where there was no expectation, or no bound."""

    ts_ms: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    expected: Floats = field(default_factory=lambda: np.empty(0))
    lower: Floats = field(default_factory=lambda: np.empty(0))
    upper: Floats = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class MetricLook:
    """How values of a metric are written."""

    name: str
    pattern: str = ""
    unit: str = ""
    step_ms: int | None = None

    @classmethod
    def of(cls, source: SourceSpec, metric: str, step_ms: int | None = None) -> "MetricLook":
        """As the source describes it."""
        return cls(*metric_facts(source.metrics, metric), source.steps_ms.get(metric, step_ms))


@dataclass(frozen=True)
class Card:
    """One series to draw: its points from ``from_ms`` on, its band, its anomalies."""

    series: RankedSeries
    look: MetricLook
    from_ms: int
    points: Curve
    band: BandCurve
    releases: tuple[Release, ...] = ()


@dataclass(frozen=True)
class LackingSeries:
    """A series that was not judged, or not everywhere."""

    name: str
    points: int
    missing: int
    too_early: int
    ready_at_ms: int | None
    error: str | None


@dataclass(frozen=True)
class Lack:
    """How many series lack one thing, and the first of them."""

    count: int = 0
    series: Sequence[LackingSeries] = ()


@dataclass(frozen=True)
class Lacking:
    """What was not judged, by why."""

    short: Lack = Lack()  # history
    absent: Lack = Lack()  # every point
    gaps: Lack = Lack()  # some points
    failed: Lack = Lack()
    unread: str = ""  # why no more than the run's own numbers is known


@dataclass(frozen=True)
class Share:
    """How many of the series with one value of a label are abnormal."""

    label: str
    value: str
    abnormal: int
    total: int | None


@dataclass(frozen=True)
class ReportFacts:
    """One run, as of now."""

    run: Run
    request: RunRequest
    source_body: Mapping[str, Any]
    now_ms: int
    ranking: Ranking = field(default_factory=Ranking)
    cards: Sequence[Card] = ()
    page: int = 1
    pages: int = 1
    calm: bool = False  # whether the cards show series without anomalies
    lacking: Lacking = field(default_factory=Lacking)
    shares: Sequence[Share] = ()
    deliveries: Sequence[Delivery] = ()
    failures: Sequence[Failure] = ()
    ahead: int = 0
    newer: Run | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    query: str = ""  # what pages of this report need beside their number, such as a key

    @property
    def report(self) -> Report | None:
        """What the run said when it ended."""
        return None if self.run.report is None else from_plain(Report, self.run.report)

    @property
    def timezone(self) -> str:
        """The source's clock."""
        return self.request.source.timezone

    @property
    def source_name(self) -> str:
        """As people call it."""
        return str(self.source_body.get("display_name") or self.run.source)

    def look(self, metric: str) -> MetricLook:
        """How a metric is written."""
        return MetricLook.of(self.request.source, metric)
