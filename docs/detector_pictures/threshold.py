"""Pictures of docs/detectors/threshold.md."""

from dataclasses import replace

import numpy as np

from detector_pictures.chart import Panel, strip
from detector_pictures.made import DAY, Case, quality, times_of, traffic

WORKING_HOURS = {
    "8-19": {"lower": 90}, "32-43": {"lower": 90}, "56-67": {"lower": 90},
    "80-91": {"lower": 90}, "104-115": {"lower": 90},
}  # fmt: skip


def draw() -> None:
    """Draw all."""
    hero()
    bounds()
    hours()
    failures()


def _threshold(**parameters: object) -> dict[str, object]:
    return {"type": "threshold", **parameters}


def _null_rates() -> Case:
    """Share of rows without a feature: near nothing, until something breaks."""
    rng = np.random.default_rng(4)
    values = 0.012 + 0.003 * rng.random(60)
    case = Case(times_of(60, DAY), values, unit="null rate, daily")
    return case.with_event([20], 0.02).with_event([34], 0.05).with_event([47], 0.09)


def hero() -> None:
    """A quality gate with two severities."""
    bounds = {"warning": 0.02, "critical": 0.08}
    strip("threshold", _null_rates(), [Panel("", _threshold(upper=bounds))], height=2.4, key=True)


def bounds() -> None:
    """`lower`, `upper` and `severity`."""
    case = quality(60).with_event([24], -0.035).with_event([41], 0.035)
    strip("threshold_bounds", case, [
        Panel("lower: 0.40", _threshold(lower=0.40)),
        Panel("lower: 0.38", _threshold(lower=0.38)),
        Panel("lower: 0.38, upper: 0.44", _threshold(lower=0.38, upper=0.44)),
    ])  # fmt: skip
    strip("threshold_severity", _null_rates(), [
        Panel('severity: "warning"', _threshold(upper=0.02, severity="warning")),
        Panel("upper: {warning: .02, critical: .08}",
              _threshold(upper={"warning": 0.02, "critical": 0.08})),
    ], grades=True)  # fmt: skip


def _requests() -> Case:
    case = traffic(14, noise=0.03).with_event(range(24 * 9 + 12, 24 * 9 + 16), -70.0)
    return replace(case, shown=24 * 7)


def hours() -> None:
    """`season`."""
    strip("threshold_season", _requests(), [
        Panel("lower: 90", _threshold(lower=90)),
        Panel("lower: 25", _threshold(lower=25)),
        Panel("season: working hours have lower 90", _threshold(lower=25, season=WORKING_HOURS)),
    ])  # fmt: skip


def failures() -> None:
    """A drift past the bound; a drop within the bounds."""
    case = quality(150, seed=6)
    case = replace(case, values=case.values - 0.00018 * np.arange(150))
    case = case.with_event([40], -0.03)
    strip("threshold_fails_drift", case, [
        Panel("lower: 0.395, chosen in June", _threshold(lower=0.395)),
        Panel("window, season: day_of_week", {"type": "window", "season": "day_of_week"}),
    ])  # fmt: skip
    strip("threshold_fails_season", _requests(), [
        Panel("lower: 25: half the load is lost, unseen", _threshold(lower=25)),
        Panel("window, season: hour_of_day",
              {"type": "window", "season": "hour_of_day", "window": "7d", "k": 4}),
    ])  # fmt: skip
