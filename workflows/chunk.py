"""What plan and detect commit: the plan with its chunks, and the record of each chunk.

Sizes: points are counted without tombstones; seconds are core-seconds that the cost model
expects, or took.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from storage.objects import Objects
from workflows.commits import Commit, read_commit, run_root
from workflows.errors import CommitError

PLAN_FORMAT = 1
PLAN = "plan.json"

# The keys file, one row per selected series. `number` is dense: row k of the file is number k.
KEYS_SCHEMA = pa.schema(
    [
        ("number", pa.int32()),
        ("series", pa.string()),  # id
        ("metric", pa.string()),
        ("labels", pa.map_(pa.string(), pa.string())),
        ("points", pa.int32()),  # without tombstones
        ("first", pa.int64()),  # time of the first point; null when all are tombstones
        ("last", pa.int64()),
        ("chunk", pa.int32()),
    ]
)

# One row per checked point, per expected slot without a point, and per tombstone in [start, end).
# Sorted by (number, ts). Floats that are not finite are null. `tombstone`: an explicit null stands
# at exactly this time in a managed source (the reason is then no_data).
CHUNK_RESULT_SCHEMA = pa.schema(
    [
        ("number", pa.int32()),
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
        ("tombstone", pa.bool_()),
        ("change", pa.string()),  # JSON of what a detector of changes says of its anomaly, or null
    ]
)

# One row per series of the chunk. Counts are rows of the results; a failed series has none.
CHUNK_SERIES_SCHEMA = pa.schema(
    [
        ("number", pa.int32()),
        ("points", pa.int32()),  # in [start, end), without tombstones
        ("judged", pa.int32()),
        ("anomalous", pa.int32()),
        ("no_data", pa.int32()),
        ("insufficient_history", pa.int32()),
        ("ready_at", pa.int64()),  # when its newest slot can be judged; null: it could be
        ("error", pa.string()),  # why it failed; null: it did not
        ("chosen", pa.string()),  # what `auto` took and why; null: nothing was to be chosen
    ]
)


@dataclass(frozen=True)
class RowGroups:
    """Consecutive row groups of one input file."""

    file: str  # object name
    first: int
    count: int


@dataclass(frozen=True)
class Chunk:
    """A share of a run's series: consecutive numbers from ``first``, and where their points are.

    Input files hold what the scan streamed (SCAN_SCHEMA): whole series, by number.
    """

    number: int
    first: int
    series: int
    points: int
    seconds: float
    parts: tuple[RowGroups, ...]


@dataclass(frozen=True)
class Plan:
    """What a run will read and do; the body of ``plan.json``. No chunks: nothing matched."""

    run: str
    series: int
    points: int
    seconds: float
    read_start_ms: int  # series with a point from here on are expected
    start_ms: int
    end_ms: int
    chunks: tuple[Chunk, ...]
    keys: str | None  # object name of the keys file; None without series
    steps_ms: Mapping[str, int] = field(default_factory=dict)  # metric -> step, known or seen
    duplicates: int = 0  # rows of an external table that lost to another row
    plan_format: int = PLAN_FORMAT


@dataclass(frozen=True)
class ChunkRecord:
    """What became of one chunk; the body of ``chunk/<i>.json``.

    ``counts``: series, failed and series_without_points count series; judged, anomalous, no_data
    and insufficient_history count rows of the results.
    """

    chunk: int
    results: str  # object name, CHUNK_RESULT_SCHEMA
    series: str  # object name, CHUNK_SERIES_SCHEMA
    counts: Mapping[str, int]
    seconds: float
    peak_memory_mb: float
    attempt: int = 0


CHUNK_COUNTS = (
    "series",
    "judged",
    "anomalous",
    "no_data",
    "insufficient_history",
    "failed",
    "series_without_points",
)


def chunk_marker(number: int) -> str:
    """The marker of a chunk below its run's root."""
    return f"chunk/{number}.json"


def read_plan(objects: Objects, run: str) -> tuple[Plan, Commit] | None:
    """The committed plan of a run with its commit (which verifies its files), or None."""
    commit = read_commit(objects, f"{run_root(run)}/{PLAN}")
    if commit is None:
        return None
    if commit.body.get("plan_format") != PLAN_FORMAT:
        raise CommitError(
            f"the plan of run {run} was made by {commit.image or 'another version'} in a format "
            f"that this version does not read; rerun it"
        )
    return commit.read(Plan), commit


def read_chunk(objects: Objects, run: str, number: int) -> tuple[ChunkRecord, Commit] | None:
    """The committed record of a chunk with its commit, or None."""
    commit = read_commit(objects, f"{run_root(run)}/{chunk_marker(number)}")
    return None if commit is None else (commit.read(ChunkRecord), commit)


def committed_chunks(objects: Objects, run: str) -> frozenset[int]:
    """The numbers of the chunks that are done."""
    prefix = f"{run_root(run)}/chunk/"
    names = (name.removeprefix(prefix).removesuffix(".json") for name in objects.names(prefix))
    return frozenset(int(name) for name in names if name.isdecimal())
