"""DuckDB: reading and sorting long-form Parquet, which nobody can avoid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from benchmarks.peers.worker import serve

if TYPE_CHECKING:
    from benchmarks.peers.worker import Facts, Told, Work

SORTED = "SELECT series, ts, value FROM read_parquet($1) ORDER BY series, ts"


def read(_: Any, facts: Facts) -> tuple[Work, Told]:
    file = str(Path(facts["folder"], "points", "points.parquet"))

    def work() -> int:
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute("SET enable_progress_bar = false")
            batches: Any = connection.sql(SORTED, params=[file]).to_arrow_reader()
            return sum(batch.num_rows for batch in batches)

    return work, lambda rows: {"rows": rows}


if __name__ == "__main__":
    serve({"read": read})
