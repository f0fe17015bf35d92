"""The archive's seam: long-term points and results.

Point tables have the columns ``metric`` string, ``labels`` map<string, string>, ``ts`` int64
(epoch ms), ``value`` double (null is a tombstone), ``sequence`` int64.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import pyarrow as pa

from storage.selector import Selector
from storage.series_key import SeriesKey
from storage.source import SourceSpec

POINT_SCHEMA = pa.schema(
    [
        ("metric", pa.string()),
        ("labels", pa.map_(pa.string(), pa.string())),
        ("ts", pa.int64()),
        ("value", pa.float64()),
        ("sequence", pa.int64()),
    ]
)

# One row per checked point of a run, or a row of status withdrawn. `series` is the id.
RESULT_SCHEMA = pa.schema(
    [
        ("rule", pa.string()),
        ("series", pa.string()),
        ("ts", pa.int64()),
        ("value", pa.float64()),
        ("expected", pa.float64()),
        ("lower", pa.float64()),
        ("upper", pa.float64()),
        ("score", pa.float64()),
        ("is_anomaly", pa.bool_()),
        ("severity", pa.int8()),
        ("direction", pa.int8()),
        ("reason", pa.int8()),
        ("run", pa.string()),
        ("generation", pa.int64()),
        ("status", pa.string()),  # found, withdrawn or null
        ("change", pa.string()),  # JSON of what a detector of changes found, or null
    ]
)
# What tables and files of an earlier version do not have: null there. Always the last ones.
ADDED_TO_RESULTS = ("change",)

# One row per document that a run told the index, as the run said it. Rows of one `key` tell its
# story in the order of their generations; `ts` decides the day.
DOCUMENT_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),  # anomaly, band, points or series
        ("key", pa.string()),
        ("ts", pa.int64()),
        ("generation", pa.int64()),
        ("run", pa.string()),
        ("document", pa.string()),  # JSON
    ]
)

# What is stored of a series in a UTC day, all versions of its points together; `known` is the
# highest sequence of points with a value, `first` and `last` are their times.
POINT_DAY_SCHEMA = pa.schema(
    [
        ("series", pa.string()),
        ("dt", pa.string()),
        ("sequence", pa.int64()),
        ("known", pa.int64()),
        ("first", pa.int64()),
        ("last", pa.int64()),
    ]
)

Kind = Literal["points", "results", "documents"]

# What a scan streams: `number` is dense, in the order (metric, series id); value null = tombstone.
SCAN_SCHEMA = pa.schema([("number", pa.int32()), ("ts", pa.int64()), ("value", pa.float64())])


@dataclass(frozen=True)
class Scan:
    """One ordered read: keys by dense number, and batches sorted by (number, ts).

    For one (series, ts) there is one row: the newest version. ``duplicates`` counts the rows of
    an external table that lost; it is final when the batches are exhausted.
    """

    keys: Sequence[SeriesKey]
    counts: Sequence[int]  # rows of each series before versions are resolved: an upper bound
    batches: Iterator[pa.RecordBatch]  # SCAN_SCHEMA
    duplicates: "DuplicateCount"


@dataclass
class DuplicateCount:
    """Rows dropped because another row of the same series and time won."""

    rows: int = 0


class Archive(Protocol):
    """Long-term points and results, partitioned by source and UTC day."""

    def write_points(self, source: str, job: str, points: pa.Table) -> int:
        """Store POINT_SCHEMA rows of one ingest; the same job again overwrites itself."""
        ...

    def scan(self, source: SourceSpec, selector: Selector) -> Scan:
        """Read the selected series once, ordered, newest versions only."""
        ...

    def series(self, source: SourceSpec, selector: Selector) -> Sequence[SeriesKey]:
        """The series that have a point in the range."""
        ...

    def write_results(self, source: str, run: str, results: pa.Table) -> int:
        """Store RESULT_SCHEMA rows of one run; the same run again overwrites itself."""
        ...

    def read_results(self, source: str, rule: str, start_ms: int, end_ms: int) -> pa.Table:
        """The newest generation per (rule, series, ts) in the range (``results_current``)."""
        ...

    def write_documents(self, source: str, job: str, documents: pa.Table) -> int:
        """Store DOCUMENT_SCHEMA rows of one run; the same job again overwrites itself."""
        ...

    def documents(self, source: str, start_ms: int, end_ms: int) -> Iterator[pa.RecordBatch]:
        """Documents with a time in the range, ordered by kind, key and generation."""
        ...

    def point_days(self, source: str, start_ms: int, end_ms: int) -> Iterator[pa.RecordBatch]:
        """POINT_DAY_SCHEMA of a managed source for whole UTC days, in no order."""
        ...

    def days(self, kind: Kind, source: str) -> Sequence[str]:
        """The UTC days (YYYY-MM-DD) that may hold something, oldest first."""
        ...

    def probe(self, source: SourceSpec) -> "SourceProbe":
        """Check an external mapping against its table; the SQL, partitions and five points."""
        ...

    def compact(self, source: str) -> int:
        """Fold partitions of more than 16 files; returns files removed from reading."""
        ...

    def tidy(self, before_ms: int) -> int:
        """Remove what killed processes left beside the tables before then; returns how many."""
        ...

    def purge(self, source: str) -> None:
        """Remove what is stored of a managed source; a user's table is never touched."""
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


@dataclass(frozen=True)
class SourceProbe:
    """What a mapping means, before anybody relies on it."""

    sql: str
    partitions: tuple[str, ...]
    points: tuple[tuple[str, int, float | None], ...]  # (series as written, ts, value), up to five
    series: int
    steps_ms: dict[str, int]  # metric -> step seen in one recent partition
