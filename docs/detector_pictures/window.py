"""Pictures of docs/detectors/window.md."""

from dataclasses import replace

import numpy as np

from detector_pictures.chart import Panel, strip
from detector_pictures.made import Case, latency, level, orders, quality, traffic


def draw() -> None:
    """Draw all."""
    hero()
    lengths()
    seasons()
    widths()
    percents()
    ranges()
    failures()


def _window(**parameters: object) -> dict[str, object]:
    return {"type": "window", **parameters}


def hero() -> None:
    """A season, a dip, a spike."""
    case = quality().with_event([88], -0.03).with_event([101, 102], -0.022).with_event([112], 0.025)
    case = replace(case, shown=60)
    panel = Panel("", _window(season="day_of_week"))
    strip("window", case, [panel], height=2.6, key=True)


def lengths() -> None:
    """`window`, `gap` and `min_points`."""
    moved = level(110, seed=4)
    step = moved.with_event(range(70, 74), 6.0)
    moved = replace(step, values=np.where(np.arange(110) >= 70, moved.values + 6, moved.values))
    moved = replace(moved, shown=45)
    strip("window_window", moved, [
        Panel("window: 10d", _window(window="10d")),
        Panel("window: 28d (default)", _window()),
        Panel("window: 56d", _window(window="56d", min_points=10)),
    ])  # fmt: skip
    slow = level(100, seed=8)
    drift = np.concatenate([np.zeros(70), np.arange(30) * 0.35])
    slow = replace(slow, values=slow.values - drift, events=(tuple(range(78, 100)),), shown=40)
    strip("window_gap", slow, [
        Panel("gap: 0 (default)", _window()),
        Panel("gap: 7d", _window(gap="7d")),
        Panel("gap: 14d", _window(gap="14d")),
    ])  # fmt: skip


def seasons() -> None:
    """`season` and `spread`."""
    case = traffic(35).with_event(range(24 * 29 + 2, 24 * 29 + 6), 45.0)
    case = case.with_event(range(24 * 31 + 13, 24 * 31 + 17), -60.0)
    case = replace(case, shown=24 * 24)
    strip("window_season", case, [
        Panel("season: none (default)", _window()),
        Panel("season: hour_of_day", _window(season="hour_of_day", window="28d")),
        Panel("season: hour_of_week", _window(season="hour_of_week")),
    ])  # fmt: skip
    rng = np.random.default_rng(2)
    week = np.where(np.arange(150) % 7 >= 5, 6.0, 1.0)
    uneven = level(150, seed=2)
    uneven = replace(uneven, values=100 + week * rng.normal(0, 1, 150), shown=80)
    uneven = uneven.with_event([121], -9.0)
    strip("window_spread", uneven, [
        Panel("spread: pooled (default)", _window(season="day_of_week")),
        Panel("spread: per_key", _window(season="day_of_week", spread="per_key")),
    ])  # fmt: skip


def _outage() -> Case:
    case = level(110, seed=12).with_event(range(66, 70), -40.0)
    return replace(case.with_event([84], -7.0).with_event([97], 6.0), shown=40)


def widths() -> None:
    """`method` and `k`."""
    strip("window_method", _outage(), [
        Panel('method: z (default)', _window()),
        Panel("method: robust", _window(method="robust")),
        Panel("method: quantile", _window(method="quantile")),
        Panel("method: pct", _window(method="pct", p=5)),
    ], width=11)  # fmt: skip
    case = replace(quality(150, seed=9).with_event([130], -0.03), shown=50)
    strip("window_k", case, [
        Panel(f"k: {k}", _window(season="day_of_week", k=k)) for k in (1.5, 2, 3, 5)
    ], width=11)  # fmt: skip


def percents() -> None:
    """`p` and `centre`."""
    case = replace(orders(120).with_event([100], -500.0), shown=50)
    strip("window_p", case, [
        Panel(f"method: pct, p: {p}", _window(method="pct", season="day_of_week", p=p))
        for p in (3, 10, 30)
    ])  # fmt: skip
    case = _outage()
    strip("window_centre", case, [
        Panel("centre: mean (default)", _window(method="pct", p=4)),
        Panel("centre: median", _window(method="pct", p=4, centre="median")),
    ])  # fmt: skip


def ranges() -> None:
    """`baseline` and `step_by`."""
    case = level(90, seed=21)
    values = case.values - 1.2 * np.maximum(np.arange(90) - 66, 0)
    case = replace(case, values=values, events=(tuple(range(68, 90)),), shown=40)
    strip("window_baseline", case, [
        Panel("baseline: rolling (default)", _window(), start=62),
        Panel("baseline: before_range", _window(baseline="before_range"), start=62),
    ])  # fmt: skip
    hours = traffic(16, seed=6, noise=0.03, weekend=1.0)
    at = np.arange(len(hours.values))
    calm = 100 + np.random.default_rng(6).normal(0, 2, len(at))
    hours = replace(hours, values=calm - 14.0 * (at >= 24 * 14 + 3), unit="hourly", shown=24 * 12)
    hours = replace(hours, events=(tuple(range(24 * 14 + 3, len(at))),))
    strip("window_step_by", hours, [
        Panel("step_by: day (default below a day)", _window(window="3d")),
        Panel("step_by: point", _window(window="3d", step_by="point")),
    ])  # fmt: skip


def failures() -> None:
    """What it does badly, and what helps."""
    grown = replace(level(140, seed=3), unit="daily")
    slope = grown.values + 0.6 * np.arange(140)
    grown = replace(grown, values=slope, shown=60).with_event([120], -9.0)
    strip("window_fails_trend", grown, [
        Panel("window: 28d on a slope", _window()),
        Panel("window: 10", _window(window=10)),
        Panel("prophet", {"type": "prophet"}, start=100),
    ])  # fmt: skip
    masked = level(110, seed=12).with_event(range(66, 70), -40.0).with_event([84], -9.0)
    masked = replace(masked, shown=40)
    span = [str(masked.times[66])[:10], str(masked.times[70])[:10]]
    strip("window_fails_masked", masked, [
        Panel("z after an outage", _window()),
        Panel("method: robust", _window(method="robust")),
        Panel("exclude: the outage", _window(exclude=[span])),
    ])  # fmt: skip
    tail = replace(latency(21), shown=24 * 7).with_event([24 * 15 + 5, 24 * 15 + 6], 140.0)
    strip("window_fails_skew", tail, [
        Panel("z on a skewed latency", _window()),
        Panel("method: quantile, k: 2", _window(method="quantile")),
        Panel("consecutive: 2", _window(consecutive=2)),
    ])  # fmt: skip
