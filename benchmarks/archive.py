"""What reading the archive costs beside DuckDB reading and sorting the same rows.

    python -m benchmarks.archive [series] [points of each]

Each side runs in a process of its own, so that peak memory is its own.
"""

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from storage.archive import POINT_SCHEMA
from storage.connections import Connection
from storage.selector import Selector
from storage.settings import StorageSettings
from storage.source import ExternalMapping, PartitionColumn, SourceSpec, TimeColumns
from storage.stores import open_archive

DAY_MS = 86_400_000
START_MS = 18_000 * DAY_MS
EVERYTHING = Selector(("*",), 0, 10**13)
THREADS, MEMORY_MB = 2, 1024


def settings(folder: Path) -> StorageSettings:
    return StorageSettings(
        archive=f"file://{folder}/archive",
        index=f"sqlite:///{folder}/index.db",
        objects=f"file://{folder}/objects",
        connections=(Connection("itself", f"file://{folder}/archive/points"),),
        threads=THREADS,
        memory_limit_mb=MEMORY_MB,
    )


def write(folder: Path, series: int, points: int) -> int:
    """Daily points of series with two labels, as one ingest."""
    number = pa.array(np.repeat(np.arange(series), points))
    labels = [[("model", f"m{n // 500}"), ("region", f"r{n % 50}")] for n in range(series)]
    columns = [
        pa.array([f"metric_{n}" for n in range(series)]).take(number),
        pa.array(labels, POINT_SCHEMA.field("labels").type).take(number),
        pa.array(np.tile(START_MS + np.arange(points) * DAY_MS, series)),
        pa.array(np.random.default_rng(1).normal(size=series * points)),
        pa.array(np.ones(series * points, np.int64)),
    ]
    archive = open_archive(settings(folder))
    rows = archive.write_points("s", "j", pa.Table.from_arrays(columns, schema=POINT_SCHEMA))
    archive.close()
    return rows


def bare_duckdb(folder: Path) -> int:
    """The yardstick: the engine reads and sorts (series, ts, value)."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": THREADS,
        "memory_limit": f"{MEMORY_MB}MB",
    }
    with duckdb.connect(":memory:", config=config) as connection:
        connection.execute("SET enable_progress_bar = false")
        files = f"{folder}/archive/points/source=s/*/*.parquet"
        sql = f"SELECT series, ts, value FROM read_parquet('{files}') ORDER BY series, ts"
        return sum(int(batch.num_rows) for batch in connection.sql(sql).to_arrow_reader())


def managed(folder: Path) -> int:
    """A scan of Lupus's own points."""
    return _scan(folder, SourceSpec("s"))


def external(folder: Path) -> int:
    """The same files through a mapping, its series named by two text columns."""
    mapping = ExternalMapping(
        "itself",
        "source=s",
        TimeColumns(("ts",), "epoch_ms"),
        metric_column="metric",
        value_column="value",
        label_columns=("series",),
        partitions=(PartitionColumn("dt"),),
    )
    return _scan(folder, SourceSpec("s", mapping=mapping))


def _scan(folder: Path, source: SourceSpec) -> int:
    archive = open_archive(settings(folder))
    rows = sum(int(batch.num_rows) for batch in archive.scan(source, EVERYTHING).batches)
    archive.close()
    return rows


def _measured(work: Callable[[Path], int], folder: Path) -> tuple[int, float, float]:
    begin = time.perf_counter()
    rows = work(folder)
    seconds = time.perf_counter() - begin
    # Not getrusage: its peak is inherited from the parent that wrote the points.
    status = Path("/proc/self/status").read_text()
    return rows, seconds, int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> int:
    given = [int(word) for word in sys.argv[1:]]
    series, points = (*given, *(10_000, 730)[len(given) :])
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="lupus-bench-") as name:
        folder = Path(name)
        print(f"{write(folder, series, points):,} points of {series:,} series")
        yardstick = 0.0
        for work in (bare_duckdb, managed, external):
            with spawn.Pool(1) as pool:
                rows, seconds, peak_mb = pool.apply(_measured, (work, folder))
            yardstick = yardstick or seconds
            ratio = seconds / yardstick
            print(f"{work.__name__:12} {rows:>11,} rows {seconds:6.2f} s {ratio:5.2f}x "
                  f"{peak_mb:6,.0f} MB")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
