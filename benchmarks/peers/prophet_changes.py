"""Prophet's own changepoints: those that its manual's plot shows, of a rate of 0.01 or more."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from prophet import Prophet

from benchmarks.peers.worker import serve

if TYPE_CHECKING:
    from benchmarks.peers.worker import Facts, Told, Work

for noisy in ("prophet", "cmdstanpy"):
    logging.getLogger(noisy).setLevel(logging.ERROR)

_LEAST_RATE = 0.01  # as in add_changepoints_to_plot


def changepoints(values: Any, facts: Facts) -> tuple[Work, Told]:
    days = pd.date_range("2024-01-01", periods=values.shape[1])

    def found(row: Any) -> list[int]:
        model = Prophet().fit(pd.DataFrame({"ds": days, "y": row}))
        rates = np.abs(np.nanmean(model.params["delta"], axis=0))
        strong = rates >= _LEAST_RATE
        kept = pd.Series(model.changepoints)[strong]
        order = np.argsort(-rates[strong])
        if model.stan_backend:
            model.stan_backend.cleanup()
        return [int((pd.Timestamp(kept.iloc[i]) - days[0]).days) for i in order]

    def work() -> Any:
        return [found(row) for row in values]

    def told(found: Any) -> dict[str, Any]:
        return {"found": found}

    return work, told


if __name__ == "__main__":
    serve({"changepoints": changepoints})
