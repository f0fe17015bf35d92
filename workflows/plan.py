"""plan: read the selected series once, write them as inputs, cut them into chunks."""

import logging
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from detectors.catalog import detector_from_stored
from storage.archive import Scan
from storage.series_key import SeriesKey
from workflows.chunk import KEYS_SCHEMA, PLAN, Chunk, Plan, read_plan
from workflows.context import StepContext
from workflows.cores import usable_processes
from workflows.detect import detect
from workflows.errors import BadRequestError
from workflows.inputs import InputWriter, Ints, SeriesBlock, blocks, open_writer
from workflows.joining import read_series
from workflows.packing import RowGroup, pack
from workflows.request import RunRequest
from workflows.settings import WorkflowSettings
from workflows.spacing import Spacing, known_steps, read_start_ms

CHUNKS_PER_PROCESS = 2
logger = logging.getLogger(__name__)


def plan(context: StepContext, run: str, attempt: int = 0) -> Plan:
    """Commit the run's plan; a run of one chunk is detected here too, which saves a pod."""
    found = read_plan(context.objects, run)
    committed = found[0] if found else _make(context, run)
    if len(committed.chunks) == 1:
        detect(context, run, 0, attempt)
    return committed


def chunks_to_launch(committed: Plan) -> int:
    """How many detect steps are left to start."""
    return len(committed.chunks) if len(committed.chunks) > 1 else 0


def _make(context: StepContext, run: str) -> Plan:
    request = context.request(run)
    detector = detector_from_stored(request.detector)
    known = known_steps(context.archive, request)
    read_start = read_start_ms(detector, request, known)
    attempt = context.attempt(run, "plan")
    with tempfile.TemporaryDirectory(dir=context.scratch) as scratch:
        group = context.settings.group_points
        scan = read_series(context.archive, request, read_start, Path(scratch), group)
        _check_limits(scan, request, context.settings)
        spacing = Spacing(scan.keys, request.source.timezone, dict(known))
        facts = _KeyFacts.of(len(scan.keys))
        with InputWriter(attempt, Path(scratch)) as writer:
            for block in blocks(scan.batches, group):
                context.check()
                facts.note(block)
                writer.write(block, spacing.seconds(detector, block))
        chunks = _cut(writer.groups, context.settings)
        keys = None
        if scan.keys:
            path = Path(scratch) / "keys.parquet"
            _write_keys(path, scan.keys, facts, chunks)
            keys = attempt.put_file("keys.parquet", path)
    made = Plan(
        run=run,
        series=len(scan.keys),
        points=int(facts.points.sum()),
        seconds=sum(chunk.seconds for chunk in chunks),
        read_start_ms=read_start,
        start_ms=request.start_ms,
        end_ms=request.end_ms,
        chunks=chunks,
        keys=keys,
        steps_ms=spacing.of({key.metric for key in scan.keys}),
        duplicates=scan.duplicates.rows,
    )
    logger.info(
        "run %s: %d series, %d points, %d chunks", run, made.series, made.points, len(chunks)
    )
    return attempt.commit(PLAN, made).read(Plan)


def _widest_label(keys: Sequence[SeriesKey]) -> str:
    """The label to blame: usually one that names each user or request."""
    values: dict[str, set[str]] = {}
    for key in keys:
        for name, value in key.labels:
            values.setdefault(name, set()).add(value)
    if not values:
        return ""
    name = max(values, key=lambda one: len(values[one]))
    return f"; the label {name} alone has {len(values[name]):,} values"


def _check_limits(scan: Scan, request: RunRequest, settings: WorkflowSettings) -> None:
    if len(scan.keys) > request.max_series:
        raise BadRequestError(
            f"{len(scan.keys):,} series match, allowed are {request.max_series:,}: choose fewer "
            f"metrics or labels, or raise LUPUS_MAX_SERIES{_widest_label(scan.keys)}",
            "/max_series",
        )
    points = sum(scan.counts)
    if points > settings.max_points:
        raise BadRequestError(
            f"{points:,} points match, allowed are {settings.max_points:,}: ask for fewer series "
            "or a shorter range in several requests",
            "/range",
        )
    longest = max(scan.counts, default=0)
    if longest > settings.max_chunk_points:
        key = scan.keys[list(scan.counts).index(longest)]
        raise BadRequestError(
            f"series {key} has {longest:,} points, allowed are {settings.max_chunk_points:,} in "
            "one series: ask for a shorter range or a detector with a shorter history",
            "/range",
        )


def _cut(groups: list[RowGroup], settings: WorkflowSettings) -> tuple[Chunk, ...]:
    total = sum(group.seconds for group in groups)
    wanted = math.ceil(total / settings.chunk_seconds)
    if settings.executor == "local":
        processes = settings.processes or usable_processes()
        worth = int(total / settings.local_chunk_seconds)
        wanted = max(wanted, min(worth, CHUNKS_PER_PROCESS * processes))
    return pack(groups, wanted, settings.max_chunks, settings.max_chunk_points)


@dataclass(frozen=True)
class _KeyFacts:
    """Points, first and last time of each series, by number."""

    points: Ints
    first: Ints
    last: Ints

    @classmethod
    def of(cls, series: int) -> "_KeyFacts":
        return cls(*(np.zeros(series, np.int64) for _ in range(3)))

    def note(self, block: SeriesBlock) -> None:
        self.points[block.numbers] = block.points
        self.first[block.numbers] = block.first
        self.last[block.numbers] = block.last


def _write_keys(
    path: Path, keys: Sequence[SeriesKey], facts: _KeyFacts, chunks: Sequence[Chunk]
) -> None:
    numbers = np.arange(len(keys), dtype=np.int32)
    absent = facts.points == 0
    firsts = np.array([chunk.first for chunk in chunks], np.int64)
    table = pa.table(
        [
            numbers,
            [key.id for key in keys],
            [key.metric for key in keys],
            pa.array([key.labels for key in keys], KEYS_SCHEMA.field("labels").type),
            facts.points.astype(np.int32),
            pa.array(facts.first, mask=absent),
            pa.array(facts.last, mask=absent),
            # A series without any row lies between chunks; the one before it counts as its own.
            np.maximum(np.searchsorted(firsts, numbers, side="right") - 1, 0).astype(np.int32),
        ],
        schema=KEYS_SCHEMA,
    )
    with open_writer(path, KEYS_SCHEMA) as writer:
        writer.write_table(table)
