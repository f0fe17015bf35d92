"""What publish commits: which chunks it used, what it counted, and where its writes lie."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.index import Anomaly, AnomalyWrite
from storage.objects import Objects
from storage.series_key import SeriesKey
from workflows.chunk import KEYS_SCHEMA, Plan
from workflows.codec import LEFT_OUT
from workflows.commits import Commit
from workflows.inputs import blocks
from workflows.reconcile import JudgedSeries, Verdicts
from workflows.report import Outcome, SeriesFailure

# Rows of results in memory at a time: whole series, some 25 MB with their arrays.
ROWS_PER_PIECE = 250_000

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class UsedChunk:
    """A chunk that publish looked at: the attempt that had committed it, and its writes."""

    chunk: int
    nonce: str
    writes: str | None  # object name


@dataclass(frozen=True)
class Published:
    """The body of ``publish.json``: from here on the run's outcome is fixed."""

    run: str
    generation: int
    outcome: Outcome
    counts: Mapping[str, int]
    chunks: tuple[UsedChunk, ...] = ()
    causes: Mapping[str, int] = field(default_factory=dict)
    ready_at_ms: int | None = None
    failures: tuple[SeriesFailure, ...] = ()
    error: str = ""
    pointer: str = ""
    changes: str | None = None
    duplicates: int = 0
    short_series: int = field(default=0, metadata=LEFT_OUT)
    first_ready_at_ms: int | None = field(default=None, metadata=LEFT_OUT)
    chosen: Mapping[str, int] | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True)
class PlannedSeries:
    """One series of a plan: a row of its keys file."""

    number: int
    id: str
    metric: str
    labels: Mapping[str, str]
    first_ms: int | None
    last_ms: int | None
    chunk: int
    step_ms: int | None  # of its metric

    @property
    def name(self) -> str:
        """As written: metric{labels}."""
        return str(SeriesKey.stored("", self.metric, self.labels))

    @property
    def judged(self) -> JudgedSeries:
        """As reconcile takes it."""
        return JudgedSeries(self.id, self.metric, self.labels, self.step_ms)


class PlannedKeys:
    """The keys of a plan by number; objects are made only of those that are asked for."""

    def __init__(self, objects: Objects, plan: Plan, commit: Commit) -> None:
        self._table = KEYS_SCHEMA.empty_table()
        if plan.keys is not None:
            self._table = pq.read_table(commit.path(objects, plan.keys))
        self._steps_ms = plan.steps_ms

    def __len__(self) -> int:
        return len(self._table)

    def ids(self, numbers: npt.NDArray[Any]) -> pa.ChunkedArray:
        """Series ids of numbers."""
        return self._table.column("series").take(pa.array(numbers))

    def id_of(self, numbers: npt.NDArray[Any]) -> dict[int, str]:
        """Series ids by number."""
        return dict(zip(numbers.tolist(), self.ids(numbers).to_pylist(), strict=True))

    def chunks_of(self, ids: Collection[str]) -> list[tuple[int, int]]:
        """Number and chunk of those series that are in the plan, by number."""
        wanted = pa.array(list(ids), pa.string())
        found = self._table.filter(pc.is_in(self._table.column("series"), value_set=wanted))
        numbers, chunks = (found.column(name).to_pylist() for name in ("number", "chunk"))
        return list(zip(numbers, chunks, strict=True))

    def series(self, numbers: Iterable[int]) -> list[PlannedSeries]:
        """Series of numbers, in their order."""
        rows = self._table.take(pa.array(list(numbers), pa.int64())).to_pylist()
        return [
            PlannedSeries(
                number=row["number"],
                id=row["series"],
                metric=row["metric"],
                labels=dict(row["labels"]),
                first_ms=row["first"],
                last_ms=row["last"],
                chunk=row["chunk"],
                step_ms=self._steps_ms.get(row["metric"]),
            )
            for row in rows
        ]


@dataclass(frozen=True)
class Piece:
    """Some whole series of a chunk's results."""

    rows: pa.Table  # CHUNK_RESULT_SCHEMA
    numbers: Numbers  # of the series that have rows
    verdicts: Verdicts


def pieces(path: Path) -> Iterator[Piece]:
    """A results file in pieces of bounded size (a longer series is a piece of its own)."""
    with pq.ParquetFile(path) as file:
        for block in blocks(file.iter_batches(batch_size=ROWS_PER_PIECE), ROWS_PER_PIECE):
            yield Piece(block.rows, block.numbers, Verdicts.of(block.rows))


def write_line(write: AnomalyWrite) -> bytes:
    """One line of a chunk's writes."""
    line = {"version": write.version, "anomaly": vars(write.anomaly)}
    return json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def read_writes(path: Path) -> Iterator[AnomalyWrite]:
    """The writes of a chunk, one at a time."""
    with path.open("rb") as lines:
        for line in lines:
            content = json.loads(line)
            yield AnomalyWrite(Anomaly(**content["anomaly"]), content["version"])
