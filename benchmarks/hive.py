"""What rows from a Hive or Spark server cost us, beside PyHive's fetchall of the same query.

    LUPUS_TEST_HIVE_URL=hive://host:10000/default python -m benchmarks.hive [rows] [hive|spark]

Each side runs in a process of its own, so that peak memory is its own, and is measured from the
first row on, so that the server's own work before it is in neither. Where the server runs on the
same machine, it is what we wait for: then the processor time of our own process is the comparison.
"""

import multiprocessing
import os
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from storage.hive.connection import HiveConnection
from storage.hive.options import hive_options

COLUMNS = {"(bigint, double)": "n, value", "(bigint, double, string)": "n, value, s"}
VARIABLES = {"hive": "LUPUS_TEST_HIVE_URL", "spark": "LUPUS_TEST_SPARK_URL"}
CREATE = {
    "hive": "create external table {0} (n bigint, value double, s string) stored as parquet "
    "tblproperties ('external.table.purge' = 'true')",
    "spark": "create table {0} (n bigint, value double, s string) using parquet",
}


def connection(url: str, dialect: str) -> HiveConnection:
    return HiveConnection("bench", hive_options("bench", url, {"tables": ["*.*"],
                                                               "dialect": dialect}))  # fmt: skip


def fill(url: str, dialect: str, table: str, rows: int) -> int:
    """Write about so many rows on the server itself."""
    side = int(rows**0.5)
    axis = f"(select posexplode(split(space({side - 1}), ' ')) as (n, x))"
    n = f"cast(a.n * {side} + b.n as bigint)"
    server = connection(url, dialect)
    server.execute(CREATE[dialect].format(table))
    server.execute(
        f"insert into {table} select {n}, cast({n} as double) / 7, "
        f"concat('series_', cast(a.n as string)) from {axis} a cross join {axis} b"
    )
    server.close()
    return side * side


def ours(url: str, dialect: str, sql: str) -> tuple[int, float]:
    server = connection(url, dialect)
    stream = server.stream(sql)
    rows = next(stream).num_rows
    begin = time.perf_counter()
    rows += sum(batch.num_rows for batch in stream)
    seconds = time.perf_counter() - begin
    server.close()
    return rows, seconds


def pyhive(url: str, dialect: str, sql: str) -> tuple[int, float]:
    from pyhive import hive

    parts = urlsplit(url)
    with hive.connect(host=parts.hostname, port=parts.port) as server:
        cursor = server.cursor(arraysize=10_000)
        cursor.execute(sql)
        cursor.fetchmany(10_000)
        begin = time.perf_counter()
        rows = 10_000 + len(cursor.fetchall())
        return rows, time.perf_counter() - begin


def _measured(
    side: Callable[[str, str, str], tuple[int, float]], url: str, dialect: str, sql: str
) -> tuple[int, float, float, float]:
    begin = time.process_time()
    rows, seconds = side(url, dialect, sql)
    own = time.process_time() - begin
    status = Path("/proc/self/status").read_text()
    return rows, seconds, own, int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> int:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000_000
    dialect = sys.argv[2] if len(sys.argv) > 2 else "hive"
    url = os.environ.get(VARIABLES[dialect], "")
    if not url:
        print(f"{VARIABLES[dialect]} is not set: start a server with `make servers`")
        return 1
    spawn = multiprocessing.get_context("spawn")
    table = f"bench_{uuid.uuid4().hex[:8]}"
    try:
        print(f"{fill(url, dialect, table, rows):,} rows on {dialect}")
        for name, columns in COLUMNS.items():
            rates, owns = [], []
            for side in (pyhive, ours):
                with spawn.Pool(1) as pool:
                    sql = f"select {columns} from {table}"
                    found, seconds, own, peak_mb = pool.apply(_measured, (side, url, dialect, sql))
                rates.append(found / seconds)
                owns.append(own / found * 1e6)
                print(
                    f"{name:26} {side.__name__:7} {rates[-1] / 1e6:6.2f} M rows/s "
                    f"{rates[-1] / rates[0]:6.1f}x, own processor time {owns[-1]:6.3f} s a million "
                    f"rows {owns[0] / owns[-1]:6.1f}x, {peak_mb:6,.0f} MB"
                )
    finally:
        server = connection(url, dialect)
        server.execute(f"drop table if exists {table}")
        server.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
