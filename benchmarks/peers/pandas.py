"""pandas and a loop over groups: what most people write first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from statsmodels.tsa.seasonal import STL

from benchmarks.peers.esd import extremes
from benchmarks.peers.worker import serve

if TYPE_CHECKING:
    from benchmarks.peers.worker import Facts, Told, Work


def window_from_parquet(_: Any, facts: Facts) -> tuple[Work, Told]:
    file, window, k = Path(facts["folder"], "points", "points.parquet"), facts["window"], facts["k"]

    def work() -> Any:
        frame = pd.read_parquet(file).sort_values(["series", "ts"])
        flagged = []
        for name, group in frame.groupby("series"):
            past = group["value"].shift(1).rolling(window)
            beyond = (group["value"] - past.mean()).abs() > k * past.std()
            flagged.append((name, group["ts"].to_numpy()[beyond.to_numpy()]))
        return flagged

    return work, _flags


def seasonal_esd_from_parquet(_: Any, facts: Facts) -> tuple[Work, Told]:
    file, period = Path(facts["folder"], "points", "points.parquet"), facts["period"]

    def work() -> Any:
        frame = pd.read_parquet(file).sort_values(["series", "ts"])
        flagged = []
        for name, group in frame.groupby("series"):
            values = group["value"].to_numpy()
            season = STL(values, period=period, seasonal=10 * len(values) + 1, robust=True).fit()
            residuals = values - season.seasonal - np.median(values)
            rows = extremes(residuals, facts["max_anomalies"], facts["alpha"])
            flagged.append((name, group["ts"].to_numpy()[rows]))
        return flagged

    return work, _flags


def _flags(flagged: Any) -> dict[str, Any]:
    return {"flags": [[str(name), int(time)] for name, times in flagged for time in times]}


if __name__ == "__main__":
    serve(
        {
            "window_from_parquet": window_from_parquet,
            "seasonal_esd_from_parquet": seasonal_esd_from_parquet,
        }
    )
