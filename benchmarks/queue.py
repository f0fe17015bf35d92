"""How many jobs a second eight workers settle while some are killed, on each kind of database.

    python -m benchmarks.queue [jobs]

PostgreSQL takes part when LUPUS_TEST_POSTGRES_URL names a server. Every job must have had its
effect exactly once, or the benchmark fails.
"""

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.service.databases import SERVER, opened, url_of
from tests.service.queue_drill import Drill, done, fill, join, keys, kill_some, working

PROCESSES, KILLS, SEED = 8, 20, 4


def jobs_per_second(kind: str, jobs: int) -> float:
    drill = Drill(jobs, PROCESSES, KILLS, SEED, fast=True)
    with tempfile.TemporaryDirectory() as folder, opened(kind, Path(folder)) as database:
        fill(database, jobs)
        start = time.perf_counter()
        with working(url_of(database), drill) as running:
            kill_some(database, url_of(database), drill, running)
            join(running)
        seconds = time.perf_counter() - start
        outcome = done(database)
    wrong = {key: outcome[key] for key in keys(jobs) if outcome[key] != 1}
    if wrong or outcome != Counter(keys(jobs)):
        raise SystemExit(f"{kind}: {len(wrong)} of {jobs} jobs were not done exactly once")
    return jobs / seconds


def main() -> int:
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    rates = {"sqlite": jobs_per_second("sqlite", jobs)}
    if os.environ.get(SERVER):
        rates["postgresql"] = jobs_per_second("postgresql", jobs)
    for kind, rate in rates.items():
        print(
            f"{kind:10}  {jobs:,} jobs, {PROCESSES} workers, {KILLS} killed: {rate:6,.0f} jobs/s, "
            f"{rate / rates['sqlite']:.2f} x sqlite, each done once"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
