"""Our sides: public calls on series that lie in memory."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.peers.worker import serve
from detectors import Result, Series, detector_from_dict

if TYPE_CHECKING:
    from benchmarks.peers.worker import Facts, Told, Work

FIRST = np.datetime64("2024-01-01", "ms")
STEPS = {
    "m": np.timedelta64(60_000, "ms"),
    "h": np.timedelta64(3_600_000, "ms"),
    "D": np.timedelta64(86_400_000, "ms"),
}
TOLD = 20  # series whose columns are compared


def series_of(values: Any, step: str) -> list[Series]:
    """Rows as series over one timeline."""
    times = FIRST + np.arange(values.shape[1]) * STEPS[step]
    return [Series(times, row) for row in values]


def seasonal_esd(values: Any, facts: "Facts") -> "tuple[Work, Told]":
    named = {name: facts[name] for name in ("period", "max_anomalies", "alpha")}
    detector = detector_from_dict({"type": "seasonal_esd", **named})
    series = series_of(values, facts["step"])
    return lambda: detector.detect_many(series), lambda results: {"rows": _rows(results)}


def threshold(values: Any, facts: "Facts") -> "tuple[Work, Told]":
    bounds = {name: facts[name] for name in ("lower", "upper")}
    detector = detector_from_dict({"type": "threshold", **bounds})
    series = series_of(values, facts["step"])

    def told(results: Sequence[Result]) -> dict[str, Any]:
        scores = [result.score.tolist() for result in results[:3]]
        return {"rows": _rows(results), "score": scores}

    return lambda: detector.detect_many(series), told


def rolling_z(values: Any, facts: "Facts") -> "tuple[Work, Told]":
    from benchmarks.detectors.data import student_factor

    window = facts["window"]
    parameters = {"method": "z", "k": 3, "window": window, "min_points": window}
    detector = detector_from_dict({"type": "window", "step_by": "point", **parameters})
    series = series_of(values, facts["step"])
    factor = student_factor(window)

    def told(results: Sequence[Result]) -> dict[str, Any]:
        return {
            "mean": [result.expected[window:].tolist() for result in results[:TOLD]],
            "deviation": [
                ((result.upper - result.lower)[window:] / 2 / factor).tolist()
                for result in results[:TOLD]
            ],
        }

    return lambda: detector.detect_many(series), told


def prophet(values: Any, facts: "Facts") -> "tuple[Work, Told]":
    """Judge the last point of each series: one fit, one interval."""
    named = {name: facts[name] for name in ("interval_width", "seasonality_mode", "scaling")}
    detector = detector_from_dict({"type": "prophet", "engine": "direct", **named})
    series = series_of(values, facts["step"])
    last = series[0].times[-1]

    def told(results: Sequence[Result]) -> dict[str, Any]:
        return {
            name: [float(getattr(result, name)[0]) for result in results]
            for name in ("expected", "lower", "upper")
        }

    return lambda: detector.detect_many(series, last), told


def _rows(results: Sequence[Result]) -> list[list[int]]:
    return [np.flatnonzero(result.is_anomaly).tolist() for result in results]


if __name__ == "__main__":
    serve(
        {
            "seasonal_esd": seasonal_esd,
            "threshold": threshold,
            "rolling_z": rolling_z,
            "prophet": prophet,
        }
    )
