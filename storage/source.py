"""What the stores need to know of a data source."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class TimeColumns:
    """How a table's rows tell their time.

    ``kind`` is ``epoch_s``, ``epoch_ms``, ``timestamp`` (UTC), ``date`` (a local midnight) or
    ``string`` (``format`` in strptime's letters; local time unless the format has an offset).
    Several columns are joined with one space before they are parsed.
    """

    columns: tuple[str, ...]
    kind: Literal["epoch_s", "epoch_ms", "timestamp", "date", "string"] = "timestamp"
    format: str | None = None


@dataclass(frozen=True)
class PartitionColumn:
    """A partition column whose values are local dates written with ``format``."""

    column: str
    format: str = "%Y-%m-%d"


@dataclass(frozen=True)
class ExternalMapping:
    """Somebody's own table read as points: nothing is ever written to it.

    Long tables name ``metric_column`` and ``value_column``; wide ones ``value_columns``, each a
    metric. ``ordering_column`` decides between rows of one series and time (the largest wins);
    without it the row with the larger value wins.
    """

    connection: str
    table: str
    time: TimeColumns
    value_column: str | None = None
    metric_column: str | None = None
    metric: str | None = None
    value_columns: tuple[str, ...] = ()
    label_columns: tuple[str, ...] = ()
    partitions: tuple[PartitionColumn, ...] = ()
    ordering_column: str | None = None
    where: str | None = None


@dataclass(frozen=True)
class SourceSpec:
    """A data source as steps see it: fixed in the run's request when it is accepted."""

    name: str
    timezone: str = "UTC"
    mapping: ExternalMapping | None = None  # None: managed, Lupus stores its points
    steps_ms: Mapping[str, int] = field(default_factory=dict)  # metric -> known step
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # display facts

    @property
    def managed(self) -> bool:
        """Whether Lupus stores the points itself."""
        return self.mapping is None
