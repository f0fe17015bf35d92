"""A small world for steps: real stores in a folder, series with known shapes, a request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from storage.archive import POINT_SCHEMA
from storage.series_key import SeriesKey
from storage.settings import StorageSettings
from storage.source import SourceSpec
from storage.stores import Stores
from workflows.context import StepContext, write_request
from workflows.request import RunRequest
from workflows.settings import WorkflowSettings

DAY = 86_400_000
HOUR = DAY // 24
SOURCE = "job.service1"
END = 20_000 * DAY
START = END - 7 * DAY
THRESHOLD = {"type": "threshold", "lower": -3.0, "upper": 3.0}
ONE_AT_A_TIME = WorkflowSettings(processes=1)


def storage_settings(root: Path) -> StorageSettings:
    (root / "scratch").mkdir(parents=True, exist_ok=True)
    return StorageSettings(
        archive=f"file://{root}/archive",
        index=f"sqlite:///{root}/index.db",
        objects=f"file://{root}/objects",
        scratch=root / "scratch",
    )


def points(
    metric: str,
    labels: Mapping[str, str],
    times: ArrayLike,
    values: Sequence[float | None] | ArrayLike,
    sequence: int = 1,
) -> pa.Table:
    """Points of one series; None is a tombstone."""
    ts = np.asarray(times, np.int64)
    rows = len(ts)
    return pa.table(
        [
            pa.array([metric] * rows, pa.string()),
            pa.array([list(labels.items())] * rows, POINT_SCHEMA.field("labels").type),
            ts,
            pa.array(np.asarray(values, object), pa.float64()),
            np.full(rows, sequence, np.int64),
        ],
        schema=POINT_SCHEMA,
    )


def noise(seed: int, rows: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Normal noise with one planted spike among its last seven values."""
    random = np.random.default_rng(seed)
    values = random.normal(0.0, 1.0, rows).clip(-2.9, 2.9)
    values[-1 - seed % 7] = 9.0
    return values


def daily(rows: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The days before END."""
    return END - np.arange(rows, 0, -1, dtype=np.int64) * DAY


def key(number: int, metric: str = "ndcg") -> SeriesKey:
    return SeriesKey.of(SOURCE, metric, {"k": f"{number:05d}"})


def write_daily(stores: Stores, series: int, rows: int = 40, metric: str = "ndcg") -> None:
    """``series`` daily series, each with one spike in the last week."""
    tables = [
        points(metric, dict(key(n).labels), daily(rows), noise(n, rows)) for n in range(series)
    ]
    stores.archive.write_points(SOURCE, f"{metric}-{series}", pa.concat_tables(tables))


def request(run: str = "r1", **changes: Any) -> RunRequest:
    asked = RunRequest(
        run=run,
        generation=1,
        source=SourceSpec(SOURCE),
        metrics=("ndcg",),
        start_ms=START,
        end_ms=END,
        detector=THRESHOLD,
        accepted_ms=END,
        deadline_ms=END + DAY,
        rule="ndcg-daily",
    )
    return replace(asked, **changes)


@dataclass(frozen=True)
class World:
    """Stores, and the context that steps get."""

    root: Path
    stores: Stores

    def context(self, **settings: Any) -> StepContext:
        return StepContext(
            objects=self.stores.objects,
            settings=replace(ONE_AT_A_TIME, **settings),
            now_ms=lambda: END,
            stores=self.stores,
            scratch=self.root / "scratch",
        )

    def ask(self, run: str = "r1", **changes: Any) -> RunRequest:
        asked = request(run, **changes)
        write_request(self.stores.objects, asked)
        return asked
