"""Pictures of docs/detectors/seasonal_esd.md."""

from dataclasses import replace

import numpy as np

from detector_pictures.chart import Panel, strip
from detector_pictures.made import Case, orders, traffic


def draw() -> None:
    """Draw all."""
    hero()
    periods()
    amounts()
    stretches()
    failures()


def _esd(**parameters: object) -> dict[str, object]:
    return {"type": "seasonal_esd", **parameters}


def _hours(days: int = 21) -> Case:
    case = traffic(days, seed=15, noise=0.05, weekend=1.0, even=True)
    case = case.with_event([24 * 12 + 3], 40.0).with_event(range(24 * 15 + 14, 24 * 15 + 17), -70.0)
    return replace(case.with_event([24 * 18 + 9], 70.0), shown=24 * 10)


def hero() -> None:
    """Short spikes and dips within the day's ordinary range."""
    strip("seasonal_esd", _hours(), [Panel("", _esd(max_anomalies=0.02))], height=2.6, key=True)


def periods() -> None:
    """`period` and `direction`."""
    strip("seasonal_esd_period", _hours(), [
        Panel('period: "12h" (wrong)', _esd(period="12h", max_anomalies=0.02)),
        Panel("period: null (a day)", _esd(max_anomalies=0.02)),
    ])  # fmt: skip
    week = traffic(35, seed=15, noise=0.05, weekend=0.6)
    week = week.with_event(range(24 * 30 + 14, 24 * 30 + 17), -60.0)
    week = replace(week, shown=24 * 24)
    strip("seasonal_esd_periods", week, [
        Panel('period: "1d": weekends look odd', _esd(max_anomalies=0.02)),
        Panel('period: "7d"', _esd(period="7d", max_anomalies=0.02)),
        Panel('periods: ["1d", "7d"]', _esd(periods=["1d", "7d"], max_anomalies=0.02)),
    ])  # fmt: skip


def amounts() -> None:
    """`max_anomalies`, `alpha` and `threshold`."""
    strip("seasonal_esd_max_anomalies", _hours(), [
        Panel(f"max_anomalies: {share}", _esd(max_anomalies=share))
        for share in (0.004, 0.02, 0.1)
    ])  # fmt: skip
    strip("seasonal_esd_alpha", _hours(), [
        Panel(f"alpha: {alpha}", _esd(max_anomalies=0.05, alpha=alpha))
        for alpha in (0.0001, 0.05, 0.5)
    ])  # fmt: skip
    strip("seasonal_esd_threshold", _hours(), [
        Panel("threshold: null", _esd(max_anomalies=0.02)),
        Panel('threshold: "med_max"', _esd(max_anomalies=0.02, threshold="med_max")),
        Panel('threshold: "p99"', _esd(max_anomalies=0.02, threshold="p99")),
    ])  # fmt: skip


def stretches() -> None:
    """`longterm`: a level that moves."""
    case = orders(180, seed=2, growth=0.01).with_event([60], -450.0).with_event([130], -600.0)
    strip("seasonal_esd_longterm", case, [
        Panel("longterm: null", _esd(max_anomalies=0.05)),
        Panel('longterm: "28d"', _esd(max_anomalies=0.05, longterm="28d")),
        Panel("prophet", {"type": "prophet"}),
    ])  # fmt: skip


def failures() -> None:
    """A long outage; a gap; a verdict that changes with what comes later."""
    flat = orders(90, seed=5)
    outage = flat.with_event(range(60, 78), -500.0)
    strip("seasonal_esd_fails_outage", outage, [
        Panel("18 days down, max_anomalies: 0.1", _esd()),
        Panel("max_anomalies: 0.3", _esd(max_anomalies=0.3)),
        Panel("window, robust", {"type": "window", "method": "robust", "season": "day_of_week"}),
    ])  # fmt: skip
    holes = flat.with_event([70], -400.0)
    strip("seasonal_esd_fails_gap", holes, [
        Panel("one day missing", _esd(max_anomalies=0.05), holes.without([40])),
        Panel("two days in a row missing: no verdict at all", _esd(max_anomalies=0.05),
              holes.without([40, 41])),
    ])  # fmt: skip
    later = flat.with_event([58], -130.0)
    rng = np.random.default_rng(3)
    values = later.values.copy()
    values[60:] += rng.normal(0, 90, 30)
    later = replace(later, values=values)
    strip("seasonal_esd_fails_later", later, [
        Panel("asked on day 60", _esd(max_anomalies=0.05), end=60),
        Panel("asked on day 90: the same dip is normal now", _esd(max_anomalies=0.05)),
    ])  # fmt: skip
