"""One request over many series, against reading and judging the same points without Lupus.

    python -m benchmarks.scale [--series 10000] [--days 730] [--json FILE]

Both sides in one run. The bare side is what nobody can avoid: DuckDB reads and sorts the same rows,
and one process calls the detector on series that are in memory already. Lupus's side is the whole
run on the local launcher: plan, detect, publish, with its commits, its index and its archive. The
growth table then runs `threshold` over 1,000 to 100,000 series.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from rich.console import Console

from benchmarks.memory import peak_memory
from detectors import Series, detector_from_dict
from storage.archive import POINT_SCHEMA
from storage.settings import StorageSettings
from storage.source import SourceSpec
from storage.stores import open_stores
from workflows.local import LocalLauncher
from workflows.request import RunRequest
from workflows.settings import WorkflowSettings
from workflows.status import read_status

ROOT = Path(__file__).resolve().parent.parent
DAY_MS = 86_400_000
END_MS = 1_760_000_000_000 // DAY_MS * DAY_MS
SOURCE = "bench.scale"
SERIES_PER_INGEST = 10_000
DETECTORS: Mapping[str, Mapping[str, Any]] = {
    "threshold": {"type": "threshold", "lower": 90.0, "upper": 110.0},
    "window": {"type": "window"},
    "seasonal_esd": {"type": "seasonal_esd"},
    "prophet": {"type": "prophet", "engine": "direct"},
}
GROWTH = (1_000, 10_000, 100_000)
GROWTH_DAYS = 35


@dataclass(frozen=True)
class Row:
    """Seconds and bytes of one detector."""

    detector: str
    series: int
    read: float
    loop: float
    lupus: float
    memory: int
    anomalies: int

    @property
    def ratio(self) -> float:
        """Whole run over reading, sorting and the bare loop."""
        return self.lupus / (self.read + self.loop)


def values_of(series: int, days: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A level, a week, noise, and a spike in one of a hundred series; shape (series, days)."""
    rng = np.random.default_rng(11)
    week = 2 * np.sin(2 * np.pi * np.arange(days) / 7)
    values = 100 + week + rng.normal(0, 1, (series, days))
    values[::100, -3] += 15
    return values


@contextmanager
def archive_of(series: int, days: int) -> Iterator[tuple[StorageSettings, Path]]:
    """Settings of stores whose archive holds the series."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        settings = StorageSettings(
            archive=(root / "archive").as_uri(),
            index=f"sqlite:///{root / 'index.db'}",
            objects=(root / "objects").as_uri(),
        )
        values = values_of(series, days)
        times = END_MS - DAY_MS * np.arange(days, 0, -1)
        with open_stores(settings) as stores:
            for first in range(0, series, SERIES_PER_INGEST):
                part = values[first : first + SERIES_PER_INGEST]
                stores.archive.write_points(SOURCE, f"job-{first}", _points(first, part, times))
        yield settings, root / "archive"


def _points(
    first: int,
    values: np.ndarray[Any, np.dtype[np.float64]],
    times: np.ndarray[Any, np.dtype[np.int64]],
) -> pa.Table:
    count, days = values.shape
    labels = pa.array(
        [[("model", str((first + i) % 7)), ("region", str(first + i))] for i in range(count)],
        POINT_SCHEMA.field("labels").type,
    )
    rows = pa.array(np.repeat(np.arange(count), days))
    columns = [
        pa.array(["prediction_mean"]).take(pa.array(np.zeros(count * days, np.int64))),
        labels.take(rows),
        pa.array(np.tile(times, count)),
        pa.array(values.ravel()),
        pa.array(np.full(count * days, 1 << 20, np.int64)),
    ]
    return pa.Table.from_arrays(columns, schema=POINT_SCHEMA)


def read_and_sort(archive: Path, start_ms: int) -> float:
    """Seconds for DuckDB to read and sort the rows of the range, streamed to nowhere."""
    files = str(archive / "points" / "**" / "*.parquet")
    began = time.perf_counter()
    connection = duckdb.connect()
    query = "SELECT series, ts, value FROM read_parquet($1) WHERE ts >= $2 ORDER BY series, ts"
    relation: Any = connection.sql(query, params=[files, start_ms])
    for _ in relation.to_arrow_reader():
        pass
    connection.close()
    return time.perf_counter() - began


def bare_loop(detector: Mapping[str, Any], series: int, days: int) -> float:
    """Seconds of the detector alone, one process, series in memory, kernels compiled."""
    judge = detector_from_dict(dict(detector))
    times = END_MS - DAY_MS * np.arange(days, 0, -1)
    many = [Series(times, row) for row in values_of(series, days)]
    start, end = (np.datetime64(ms, "ms") for ms in (END_MS - 7 * DAY_MS, END_MS))
    judge.detect_many(many[:10], start, end)
    began = time.perf_counter()
    judge.detect_many(many, start, end)
    return time.perf_counter() - began


def whole_run(
    launcher: LocalLauncher, settings: StorageSettings, name: str, detector: Mapping[str, Any]
) -> tuple[float, Mapping[str, int]]:
    """Seconds from launch to report, and the report's counts."""
    request = RunRequest(
        run=name,
        generation=time.time_ns(),
        source=SourceSpec(SOURCE),
        metrics=("prediction_mean",),
        start_ms=END_MS - 7 * DAY_MS,
        end_ms=END_MS,
        detector=detector_from_dict(dict(detector)).to_dict(),
        accepted_ms=END_MS,
        deadline_ms=END_MS + 365_000 * DAY_MS,
        rule=f"bench-{name}",
        max_series=1_000_000,
    )
    began = time.perf_counter()
    launcher.launch(request, 1)
    while (looked := launcher.look(name, 1)).state != "ended":
        launcher.wait(0.2)
    seconds = time.perf_counter() - began
    with open_stores(settings) as stores:
        report = read_status(stores.objects, name).report
    if report is None or report.outcome != "succeeded":
        raise SystemExit(f"the run of {name} did not succeed: {looked.error or report}")
    return seconds, report.counts


def measure(series: int, days: int, names: tuple[str, ...], console: Console) -> list[Row]:
    """Rows of one archive."""
    console.print(f"writing {series:,} series x {days} points …")
    rows = []
    with archive_of(series, days) as (settings, archive):
        launcher = LocalLauncher(settings, WorkflowSettings())
        try:
            whole_run(launcher, settings, "warm", {**DETECTORS["threshold"]})
            for name in names:
                detector = DETECTORS[name]
                with peak_memory() as peak:
                    lupus, counts = whole_run(launcher, settings, f"{name}-{series}", detector)
                history = detector_from_dict(dict(detector)).history(
                    np.datetime64(END_MS - 7 * DAY_MS, "ms"),
                    np.datetime64(END_MS, "ms"),
                    timedelta(days=1),
                )
                reach = max(history.total_seconds() * 1000, 28 * DAY_MS)
                read = read_and_sort(archive, int(END_MS - 7 * DAY_MS - reach))
                loop = bare_loop(detector, series, days)
                rows.append(Row(name, series, read, loop, lupus, peak.tree, counts["anomalous"]))
                console.print(_line(rows[-1]))
        finally:
            launcher.close()
    return rows


def _line(row: Row) -> str:
    return (
        f"| {row.detector} | {row.series:,} | {row.read:.2f} | {row.loop:.2f} | {row.lupus:.2f} "
        f"| **{row.ratio:.2f}** | {row.memory / 2**20:,.0f} | {row.anomalies:,} |"
    )


HEAD = (
    "| detector | series | DuckDB read + sort, s | bare detector loop, s | whole run, s | ratio "
    "| peak memory of the pool, MiB | anomalous |\n|---|---|---|---|---|---|---|---|"
)


def main() -> int:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--growth", type=int, nargs="*", default=GROWTH)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    console = Console()
    rows = measure(options.series, options.days, tuple(DETECTORS), console)
    growth = [
        row
        for count in options.growth
        for row in measure(count, GROWTH_DAYS, ("threshold",), console)
    ]
    title = f"{options.series:,} daily series x {options.days} points, the last 7 days judged"
    print(f"\n{title}; {os.cpu_count()} cores, Python {platform.python_version()}\n\n{HEAD}")
    print("\n".join(map(_line, rows)))
    print(f"\nGrowth: threshold, {GROWTH_DAYS} points a series\n\n{HEAD}")
    print("\n".join(map(_line, growth)))
    if options.json:
        options.json.write_text(json.dumps([vars(row) for row in rows + growth], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
