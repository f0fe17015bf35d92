"""The prophet package as its manual says: fit, then predict with an interval."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pandas as pd
from prophet import Prophet

from benchmarks.peers.worker import serve

if TYPE_CHECKING:
    from benchmarks.peers.worker import Facts, Told, Work

for noisy in ("prophet", "cmdstanpy"):
    logging.getLogger(noisy).setLevel(logging.ERROR)


def fit_and_predict(values: Any, facts: Facts) -> tuple[Work, Told]:
    days = pd.date_range("2024-01-01", periods=values.shape[1])
    options = {
        "interval_width": facts["interval_width"],
        "scaling": facts["scaling"],
        "seasonality_mode": facts["seasonality_mode"],
    }

    def work() -> Any:
        forecasts = []
        for row in values:
            frame = pd.DataFrame({"ds": days, "y": row})
            model = Prophet(**options).fit(frame[:-1])
            forecasts.append(model.predict(frame[-1:]).iloc[0])
            if model.stan_backend:
                model.stan_backend.cleanup()
        return forecasts

    def told(forecasts: Any) -> dict[str, Any]:
        return {
            "expected": [one["yhat"] for one in forecasts],
            "lower": [one["yhat_lower"] for one in forecasts],
            "upper": [one["yhat_upper"] for one in forecasts],
        }

    return work, told


if __name__ == "__main__":
    serve({"fit_and_predict": fit_and_predict})
