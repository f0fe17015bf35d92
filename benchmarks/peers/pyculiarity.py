"""pyculiarity's port of the R package."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pandas as pd
from pyculiarity import detect_vec

from benchmarks.peers.worker import serve

if TYPE_CHECKING:
    from benchmarks.peers.worker import Facts, Told, Work


def seasonal_esd(values: Any, facts: Facts) -> tuple[Work, Told]:
    warnings.simplefilter("ignore")

    def work() -> Any:
        return [
            detect_vec(
                pd.Series(row),
                max_anoms=facts["max_anomalies"],
                alpha=facts["alpha"],
                period=facts["period"],
                direction="both",
            )["anoms"]
            for row in values
        ]

    def told(found: Any) -> dict[str, Any]:
        return {"rows": [sorted(map(int, one.index)) for one in found]}

    return work, told


if __name__ == "__main__":
    serve({"seasonal_esd": seasonal_esd})
