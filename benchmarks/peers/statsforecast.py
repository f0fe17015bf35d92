"""statsforecast's nearest to Prophet: exponential smoothing with a trend and a weekly season."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statsforecast.models import AutoETS

from benchmarks.peers.worker import serve

if TYPE_CHECKING:
    from benchmarks.peers.worker import Facts, Told, Work


def fit_and_predict(values: Any, facts: Facts) -> tuple[Work, Told]:
    level = round(100 * facts["interval_width"], 6)

    def work() -> Any:
        forecasts = []
        for row in values:
            model = AutoETS(season_length=7, model="AAA")
            forecasts.append(model.forecast(y=row[:-1], h=1, level=[level]))
        return forecasts

    def told(forecasts: Any) -> dict[str, Any]:
        keys = {"expected": "mean", "lower": f"lo-{level:g}", "upper": f"hi-{level:g}"}
        return {name: [float(one[key][0]) for one in forecasts] for name, key in keys.items()}

    return work, told


if __name__ == "__main__":
    serve({"fit_and_predict": fit_and_predict})
