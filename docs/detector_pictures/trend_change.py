"""Pictures of docs/detectors/trend_change.md."""

from dataclasses import replace

import numpy as np

from detector_pictures.chart import Panel, strip
from detector_pictures.made import Case, level, orders, wandering


def draw() -> None:
    """Draw all."""
    hero()
    parameters()
    failures()


def _change(**parameters: object) -> dict[str, object]:
    return {"type": "trend_change", **parameters}


def _raised(case: Case, at: int, by: float, until: int | None = None) -> Case:
    """Another level from a row on; the event is its first point."""
    values = case.values.copy()
    values[at:until] += by
    return replace(case, values=values, events=(*case.events, (at,)))


def _bent(case: Case, at: int, by: float) -> Case:
    """Another slope from a row on."""
    values = case.values + by * np.maximum(np.arange(len(case.values)) - at + 1, 0)
    return replace(case, values=values, events=(*case.events, (at,)))


def hero() -> None:
    """A level and a slope that changed under a weekly season."""
    case = _bent(_raised(orders(120, seed=4), 45, 120.0), 80, -9.0)
    strip("trend_change", case, [Panel("", _change(window=120))], height=2.6, key=True)


def parameters() -> None:
    """`min_segment`, `false_alarm_rate`, `max_changes`, `window`, `period`."""
    recent = _raised(orders(90, seed=6), 85, -110.0)
    strip("trend_change_min_segment", recent, [
        Panel("min_segment: 7: dated too early", _change()),
        Panel("min_segment: 3", _change(min_segment=3)),
    ])  # fmt: skip
    small = _raised(orders(90, seed=9), 50, 28.0)
    strip("trend_change_false_alarm_rate", small, [
        Panel(f"false_alarm_rate: {rate}", _change(false_alarm_rate=rate))
        for rate in (0.002, 0.01, 0.1)
    ])  # fmt: skip
    many = _raised(_raised(level(90, seed=2), 30, 3.0), 65, 9.0)
    strip("trend_change_max_changes", many, [
        Panel(f"max_changes: {most}", _change(max_changes=most)) for most in (1, 3)
    ])  # fmt: skip
    old = _raised(orders(140, seed=7), 30, -100.0)
    strip("trend_change_window", old, [
        Panel("window: 60, asked about the last week", _change(window=60), start=133),
        Panel("window: 140, asked about all", _change(window=140)),
    ])  # fmt: skip
    week = _raised(orders(90, seed=8), 60, 90.0)
    strip("trend_change_period", week, [
        Panel("period: 1: the week is noise", _change(period=1)),
        Panel("period: null (a week)", _change()),
    ])  # fmt: skip


def failures() -> None:
    """Drift without a level; a change that comes back at once."""
    strip("trend_change_fails_drift", wandering(90, 0.999, 24), [
        Panel("a random walk", _change()),
    ], width=5.2)  # fmt: skip
    brief = _raised(orders(90, seed=10), 50, 150.0, until=53)
    strip("trend_change_fails_brief", brief, [
        Panel("three days: no lasting change", _change()),
        Panel("window", {"type": "window", "season": "day_of_week"}),
    ])  # fmt: skip
