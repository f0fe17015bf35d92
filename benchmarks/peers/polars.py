"""polars: rolling moments of columns, and flags from long-form Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from benchmarks.peers.worker import serve

if TYPE_CHECKING:
    from benchmarks.peers.worker import Facts, Told, Work


def rolling_z(values: Any, facts: Facts) -> tuple[Work, Told]:
    window = facts["window"]
    frame = pl.DataFrame({str(i): row for i, row in enumerate(values)})
    every = pl.all()

    def work() -> Any:
        mean = frame.select(every.rolling_mean(window))
        return mean, frame.select(every.rolling_std(window, ddof=1))

    def told(found: Any) -> dict[str, Any]:
        # A point is no part of its own baseline.
        first = [str(i) for i in range(min(20, len(values)))]
        mean, deviation = (
            [columns[i].to_list()[window - 1 : -1] for i in first] for columns in found
        )
        return {"mean": mean, "deviation": deviation}

    return work, told


def window_from_parquet(_: Any, facts: Facts) -> tuple[Work, Told]:
    file, window, k = Path(facts["folder"], "points", "points.parquet"), facts["window"], facts["k"]
    past = pl.col("value").shift(1)
    distance = pl.col("value") - past.rolling_mean(window)
    beyond = distance.abs() > k * past.rolling_std(window, ddof=1)

    def work() -> Any:
        frame = pl.scan_parquet(file).sort("series", "ts")
        return frame.with_columns(flag=beyond.over("series")).collect()

    def told(found: Any) -> dict[str, Any]:
        flagged = found.filter(pl.col("flag")).select("series", "ts").sort("series", "ts")
        return {"flags": [list(row) for row in flagged.rows()]}

    return work, told


if __name__ == "__main__":
    serve({"rolling_z": rolling_z, "window_from_parquet": window_from_parquet})
