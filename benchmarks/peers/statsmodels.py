"""statsmodels' STL with the windows that R's periodic stl has, and an ESD loop."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from statsmodels.tsa.seasonal import STL

from benchmarks.peers.esd import extremes
from benchmarks.peers.worker import serve

if TYPE_CHECKING:
    from benchmarks.peers.worker import Facts, Told, Work


def odd(least: float) -> int:
    whole = math.ceil(least)
    return whole + 1 - whole % 2


def seasonal(values: Any, period: int) -> Any:
    """R's periodic season where its low-pass window is allowed here: for even periods."""
    window = 10 * len(values) + 1
    trend = odd(1.5 * period / (1 - 1.5 / window))
    low_pass = odd(period + 1)
    fitted = STL(
        values, period=period, seasonal=window, trend=trend, low_pass=low_pass, seasonal_deg=0,
        robust=True, seasonal_jump=math.ceil(window / 10), trend_jump=math.ceil(trend / 10),
        low_pass_jump=math.ceil(low_pass / 10),
    ).fit(inner_iter=1, outer_iter=15)  # fmt: skip
    phases = np.arange(len(values)) % period
    means = np.bincount(phases, fitted.seasonal) / np.bincount(phases)
    return means[phases]


def seasonal_esd(values: Any, facts: Facts) -> tuple[Work, Told]:
    def work() -> Any:
        return [
            extremes(
                row - seasonal(row, facts["period"]) - np.median(row),
                facts["max_anomalies"],
                facts["alpha"],
            )
            for row in values
        ]

    return work, lambda rows: {"rows": rows}


if __name__ == "__main__":
    serve({"seasonal_esd": seasonal_esd})
