"""Shows what a mapping means before anybody relies on it."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from storage.archive import Scan, SourceProbe
from storage.errors import InvalidError
from storage.local_time import DAY_MS
from storage.parquet import external
from storage.parquet.engine import Engine
from storage.selector import Selector
from storage.source import SourceSpec

POINTS_SHOWN = 5
PARTITIONS_READ = 3
# The years 1900 to 2100: a probe asks for whatever is there.
EVERYTHING = Selector(("*",), -2_208_988_800_000, 4_102_444_800_000)


def probe(engine: Engine, connections: Mapping[str, Path], source: SourceSpec) -> SourceProbe:
    """Check a mapping; read its newest partitions, or all of a table without partitions."""
    if source.mapping is None:
        raise InvalidError(f"source {source.name}: is managed, there is no table to probe")
    table = external.open_table(engine, connections, source, EVERYTHING)
    partitions = sorted({file.written for file in table.files if file.partition})
    newest = set(partitions[-PARTITIONS_READ:])
    recent = tuple(file for file in table.files if file.written in newest or not partitions)
    scan = external.scan_table(engine, replace(table, files=recent), EVERYTHING)
    points, steps = _observed(scan)
    if source.mapping.time.kind == "date":
        # A partition often holds one day only, so that no two points of a series are seen.
        steps = {key.metric: DAY_MS for key in scan.keys} | steps
    return SourceProbe(
        sql=table.query(EVERYTHING).sql(dialect="duckdb", pretty=True),
        partitions=tuple(partitions),
        points=points,
        series=len(scan.keys),
        steps_ms=steps,
    )


def _observed(
    scan: Scan,
) -> tuple[tuple[tuple[str, int, float | None], ...], dict[str, int]]:
    """The first points, and the most frequent distance of neighbours for each metric."""
    points: list[tuple[str, int, float | None]] = []
    distances: dict[str, dict[int, int]] = {}
    for batch in scan.batches:
        for row in batch.slice(0, POINTS_SHOWN - len(points)).to_pylist():
            points.append((str(scan.keys[row["number"]]), row["ts"], row["value"]))
        numbers, ts = batch.column("number").to_numpy(), batch.column("ts").to_numpy()
        cuts = np.flatnonzero(np.diff(numbers)) + 1
        for first, last in pairwise([0, *cuts.tolist(), len(numbers)]):
            seen = distances.setdefault(scan.keys[numbers[first]].metric, {})
            for step, times in zip(
                *np.unique(np.diff(ts[first:last]), return_counts=True), strict=True
            ):
                seen[int(step)] = seen.get(int(step), 0) + int(times)
    steps = {metric: _most_frequent(seen) for metric, seen in distances.items() if seen}
    return tuple(points), steps


def _most_frequent(times_of: Mapping[int, int]) -> int:
    """The step seen most often; of equals the shortest."""
    return min(times_of, key=lambda step: (-times_of[step], step))
