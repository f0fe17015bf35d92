"""What a scan shows to somebody who looks: the first points, and the steps of each metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from storage.archive import Scan
from storage.local_time import DAY_MS
from storage.source import ExternalMapping

POINTS_SHOWN = 5


@dataclass(frozen=True)
class Observed:
    """The first points, and the most frequent distance of neighbours for each metric."""

    points: tuple[tuple[str, int, float | None], ...]  # (series as written, ts, value)
    steps_ms: dict[str, int]


def observe(scan: Scan, mapping: ExternalMapping) -> Observed:
    """Read a scan to its end."""
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
    if mapping.time.kind == "date":
        # A partition often holds one day only, so that no two points of a series are seen.
        steps = {key.metric: DAY_MS for key in scan.keys} | steps
    return Observed(tuple(points), steps)


def _most_frequent(times_of: Mapping[int, int]) -> int:
    """The step seen most often; of equals the shortest."""
    return min(times_of, key=lambda step: (-times_of[step], step))
