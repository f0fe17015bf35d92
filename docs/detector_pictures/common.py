"""Pictures of docs/detectors/common.md."""

from dataclasses import replace

import numpy as np

from detector_pictures.chart import Panel, strip
from detector_pictures.made import DAY, HOUR, Case, level, orders, times_of


def draw() -> None:
    """Draw all."""
    sides()
    small_changes()
    clips()
    runs()
    silence()
    baselines()


def _window(**parameters: object) -> dict[str, object]:
    return {"type": "window", **parameters}


def sides() -> None:
    """`direction` and `severity_at`."""
    case = replace(level(80, seed=5), shown=30).with_event([50], -7.0).with_event([65], 5.5)
    strip("common_direction", case, [
        Panel('direction: "both" (default)', _window()),
        Panel('direction: "down"', _window(direction="down")),
        Panel('direction: "up"', _window(direction="up")),
    ])  # fmt: skip
    case = case.with_event([73], -14.0)
    strip("common_severity_at", case, [
        Panel("severity_at: major 2, critical 3 (default)", _window()),
        Panel("severity_at: major 1.5, critical 1.8",
              _window(severity_at={"major": 1.5, "critical": 1.8})),
    ], grades=True)  # fmt: skip


def small_changes() -> None:
    """`min_abs_change` and `min_rel_change`: a series so steady that every wiggle is far out."""
    rows = level(80, seed=5, base=1000.0, noise=0.4)
    steady = replace(rows, shown=30, unit="rows, daily").with_event([70], -60.0)
    values = steady.values.copy()
    values[[48, 59]] += [3.0, -4.0]
    steady = replace(steady, values=values)
    strip("common_min_rel_change", steady, [
        Panel("min_rel_change: 0 (bare default)", _window(method="robust")),
        Panel("min_rel_change: 0.01", _window(method="robust", min_rel_change=0.01)),
        Panel("min_abs_change: 20", _window(method="robust", min_abs_change=20)),
    ])  # fmt: skip


def clips() -> None:
    """`clip_lower` and `clip_upper`."""
    rng = np.random.default_rng(8)
    share = 1 - 0.004 * rng.exponential(size=80)
    case = Case(times_of(80, DAY), share, unit="coverage, daily", shown=30)
    case = case.with_event([60], -0.02)
    strip("common_clip", case, [
        Panel("no clip: the band ends above 1", _window()),
        Panel("clip_upper: 1", _window(clip_upper=1)),
    ])  # fmt: skip


def runs() -> None:
    """`consecutive` and `max_gap`."""
    case = replace(level(90, seed=14), shown=30).with_event(range(62, 68), -10.0)
    values = case.values.copy()
    values[[41, 79]] += [8.0, -9.0]
    case = replace(case, values=values)
    wide = {"method": "robust", "window": "28d"}
    strip("common_consecutive", case, [
        Panel("consecutive: 1 (default)", _window(**wide)),
        Panel("consecutive: 2", _window(**wide, consecutive=2)),
        Panel("consecutive: 4", _window(**wide, consecutive=4)),
    ])  # fmt: skip
    case = case.without([64, 65])
    strip("common_max_gap", case, [
        Panel("consecutive: 4, max_gap: 1 (default)", _window(**wide, consecutive=4)),
        Panel("consecutive: 4, max_gap: 2", _window(**wide, consecutive=4, max_gap=2)),
    ])  # fmt: skip


def silence() -> None:
    """`no_data` and `min_points`."""
    case = replace(level(70, seed=3), shown=20).without([40, 41, 42, 69])
    strip("common_no_data", case, [
        Panel('no_data: "ignore"', _window(no_data="ignore"), end=70),
        Panel('no_data: "warn" (default)', _window(), end=70),
        Panel('no_data: "anomaly"', _window(no_data="anomaly"), end=70),
    ], counts=False)  # fmt: skip
    young = level(40, seed=3).with_event([12], -8.0)
    strip("common_min_points", young, [
        Panel("min_points: 5", _window(min_points=5)),
        Panel("min_points: null (here 10)", _window()),
        Panel("min_points: 20", _window(min_points=20)),
    ])  # fmt: skip


def baselines() -> None:
    """`holidays`, `exclude` and `timezone`."""
    case = replace(orders(140, seed=6), shown=80)
    values = case.values.copy()
    values[98:102] *= 2.2
    case = replace(case, values=values, events=(tuple(range(98, 102)), (116,)))
    case.values[116] *= 0.7
    days = [str(case.times[i])[:10] for i in range(98, 102)]
    after = str(case.times[102])[:10]
    strip("common_exclude", case, [
        Panel("a sale, as if it were normal", _window(season="day_of_week")),
        Panel("exclude: [[first day, day after]]",
              _window(season="day_of_week", exclude=[[days[0], after]])),
        Panel("holidays: [its four days]", _window(season="day_of_week", holidays=days)),
    ])  # fmt: skip
    hours = np.arange(24 * 14)
    night = np.where((hours + 9) % 24 < 6, 20.0, 100.0)  # asleep from midnight to six in Tokyo
    noise = np.random.default_rng(1).normal(0, 3, len(hours))
    tokyo = Case(times_of(len(hours), HOUR), night + noise, unit="hourly", shown=24 * 11)
    tokyo = tokyo.with_event(range(24 * 12 + 12, 24 * 12 + 14), -45.0)
    asleep = {"type": "threshold", "lower": 80,
              "season": {f"{24 * d}-{24 * d + 5}": {"lower": 5} for d in range(7)}}  # fmt: skip
    strip("common_timezone", tokyo, [
        Panel("nights 0-5 may be low; timezone: UTC", asleep),
        Panel('the same, timezone: "Asia/Tokyo"', {**asleep, "timezone": "Asia/Tokyo"}),
    ])  # fmt: skip
