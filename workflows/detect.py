"""detect: judge the series of one chunk, and commit what was found."""

import resource
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors.catalog import detector_from_stored
from storage.objects import Objects
from workflows.chunk import (
    CHUNK_COUNTS,
    CHUNK_RESULT_SCHEMA,
    CHUNK_SERIES_SCHEMA,
    Chunk,
    ChunkRecord,
    Plan,
    chunk_marker,
    read_chunk,
    read_plan,
)
from workflows.commits import Commit, check_cancelled
from workflows.context import StepContext
from workflows.errors import CommitError
from workflows.inputs import Ints, SeriesBlock, open_writer, split
from workflows.pool import judged
from workflows.readiness import Readiness
from workflows.releases import Release, restarts
from workflows.request import RunRequest
from workflows.verdicts import Judge


def detect(context: StepContext, run: str, number: int, attempt: int = 0) -> ChunkRecord:
    """Commit the record of a chunk; what is committed already is not done again.

    ``attempt`` counts the tries before this one, which may have ended for want of memory: each
    halves the processes and the blocks that they judge at once.
    """
    found = read_chunk(context.objects, run, number)
    if found:
        return found[0]
    check_cancelled(context.objects, run)
    inputs = ChunkInputs.of(context.objects, run, number)
    began = time.monotonic()
    tried = context.attempt(run, "detect")
    with tempfile.TemporaryDirectory(dir=context.scratch) as scratch:
        results, series = Path(scratch) / "results.parquet", Path(scratch) / "series.parquet"
        counts = _judge(context, inputs, context.request(run), attempt, results, series)
        record = ChunkRecord(
            chunk=number,
            results=tried.put_file(results.name, results),
            series=tried.put_file(series.name, series),
            counts=counts,
            seconds=time.monotonic() - began,
            peak_memory_mb=peak_memory_mb(),
            attempt=attempt,
        )
    return tried.commit(chunk_marker(number), record).read(ChunkRecord)


def _judge(
    context: StepContext,
    inputs: "ChunkInputs",
    request: RunRequest,
    attempt: int,
    results: Path,
    series: Path,
) -> Mapping[str, int]:
    detector = detector_from_stored(request.detector)
    judge = Judge(
        detector,
        request.start_ms,
        request.end_ms,
        Readiness(detector),
        inputs.restarts(request.releases),
    )
    declared = {} if request.source.managed else request.source.steps_ms
    rows = max(1, context.settings.group_points >> attempt)
    counts = dict.fromkeys(CHUNK_COUNTS, 0)
    with (
        open_writer(results, CHUNK_RESULT_SCHEMA) as result_rows,
        open_writer(series, CHUNK_SERIES_SCHEMA) as series_rows,
    ):
        blocks = inputs.blocks(rows, declared)
        for found, told in judged(judge, blocks, context.processes >> attempt):
            context.check()
            check_cancelled(context.objects, request.run)
            result_rows.write_table(found)
            series_rows.write_table(told)
            for name, count in _counts(told).items():
                counts[name] += count
    return counts


def _counts(series: pa.Table) -> Mapping[str, int]:
    failed = len(series) - series.column("error").null_count
    counts = {"series": len(series), "failed": failed}
    for name in ("judged", "anomalous", "no_data", "insufficient_history"):
        counts[name] = pc.sum(series.column(name)).as_py() or 0
    counts["series_without_points"] = pc.sum(pc.equal(series.column("points"), 0)).as_py() or 0
    return counts


def peak_memory_mb() -> float:
    """The most memory that this process has had in use."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@dataclass(frozen=True)
class ChunkInputs:
    """The inputs of one chunk, verified against the plan's commit."""

    objects: Objects
    plan: Plan
    commit: Commit
    chunk: Chunk

    @classmethod
    def of(cls, objects: Objects, run: str, number: int) -> "ChunkInputs":
        """The inputs of a run's chunk; CommitError where plan has committed no such chunk."""
        planned = read_plan(objects, run)
        if planned is None:
            raise CommitError(f"run {run} has no plan yet: chunk {number} cannot be detected")
        plan, commit = planned
        if not 0 <= number < len(plan.chunks):
            raise CommitError(f"run {run} has {len(plan.chunks)} chunks, none is number {number}")
        return cls(objects, plan, commit, plan.chunks[number])

    def blocks(
        self, rows: int, declared: Mapping[str, int]
    ) -> Iterator[tuple[SeriesBlock, int | None]]:
        """Blocks of about ``rows`` rows in order, each with the step where it is declared."""
        steps = self._steps(declared) if declared else None
        for part in self.chunk.parts:
            file = pq.ParquetFile(self.commit.path(self.objects, part.file), memory_map=True)
            with file:
                for index in range(part.first, part.first + part.count):
                    for block in split(file.read_row_group(index), rows):
                        yield from _by_step(block, steps, self.chunk.first)

    def restarts(self, releases: Sequence[Release]) -> Mapping[int, tuple[int, ...]]:
        """When baselines were restarted, by number of those series that had it happen."""
        if self.plan.keys is None or not any(one.restarted for one in releases):
            return {}
        table = pq.read_table(
            self.commit.path(self.objects, self.plan.keys), columns=["metric", "labels"]
        )
        rows = table.slice(self.chunk.first, self._span).to_pylist()
        found = (restarts(releases, row["metric"], dict(row["labels"])) for row in rows)
        return {self.chunk.first + at: times for at, times in enumerate(found) if times}

    def _steps(self, declared: Mapping[str, int]) -> Ints:
        """The declared step of each series of the chunk; 0 where none is."""
        assert self.plan.keys is not None
        table = pq.read_table(self.commit.path(self.objects, self.plan.keys), columns=["metric"])
        metrics = table.column("metric").slice(self.chunk.first, self._span)
        codes = metrics.combine_chunks().dictionary_encode()
        steps = np.array([declared.get(name, 0) for name in codes.dictionary.to_pylist()], np.int64)
        found: Ints = steps[codes.indices.to_numpy()]
        return found

    @property
    def _span(self) -> int:
        """Numbers from the chunk's first to the next chunk's, series without any row included."""
        following = self.chunk.number + 1
        if following < len(self.plan.chunks):
            return self.plan.chunks[following].first - self.chunk.first
        return self.plan.series - self.chunk.first


def _by_step(
    block: SeriesBlock, steps: Ints | None, first: int
) -> Iterator[tuple[SeriesBlock, int | None]]:
    if steps is None:
        yield block, None
        return
    own = steps[block.numbers - first]
    cuts = [0, *(np.flatnonzero(np.diff(own)) + 1).tolist(), len(own)]
    for begin, end in pairwise(cuts):
        yield block.part(begin, end), int(own[begin]) or None
