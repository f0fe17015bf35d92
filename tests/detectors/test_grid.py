"""Grids: steps, phases and slots as they are found in timestamps."""

import numpy as np
import pytest

from detectors.grid import Grid, infer_grid
from detectors.series import Millis
from detectors.wall_clock import DAY_MS, HOUR_MS, MINUTE_MS
from tests.detectors.cases import MONDAY_MS, daily, hourly, local_midnights


def months(n: int, day: int = 1) -> Millis:
    first = np.datetime64("2024-01", "M") + np.arange(n)
    days = first.astype("datetime64[D]").astype(np.int64) + day - 1
    return days * DAY_MS


@pytest.mark.parametrize(
    ("times", "unit", "step"),
    [
        (daily(), "day", 1),
        (daily()[::7], "day", 7),
        (hourly(), "ms", HOUR_MS),
        (hourly()[::4], "ms", 4 * HOUR_MS),
        (MONDAY_MS + 5 * MINUTE_MS * np.arange(50), "ms", 5 * MINUTE_MS),
        (MONDAY_MS + 7 * MINUTE_MS * np.arange(50), "ms", 7 * MINUTE_MS),
        (MONDAY_MS + np.arange(50), "ms", 1),
        (months(30), "month", 1),
        (months(30, day=15), "month", 1),
        (daily(1), "day", 1),
    ],
)
def test_the_step_is_the_usual_distance(times: Millis, unit: str, step: int) -> None:
    grid = infer_grid(times, "UTC")
    assert (grid.unit, grid.step) == (unit, step)
    slots = grid.slots(times)
    assert (np.diff(slots) == 1).all()
    assert (grid.times(slots) == times).all()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("offset", [0, 5 * HOUR_MS + 60_000, -1])
def test_daily_points_have_one_slot_a_day_in_any_zone(zone: str, offset: int) -> None:
    times = local_midnights("2026-01-01", 365, zone) + offset
    grid = infer_grid(times, zone)
    slots = grid.slots(times)
    assert (np.diff(slots) == 1).all()
    assert (grid.times(slots) == times).mean() > 0.99, "but for clocks that show a time twice"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_points_of_utc_midnights_are_expected_there(zone: str) -> None:
    times = daily(365)
    grid = infer_grid(times, zone)
    assert (np.diff(grid.slots(times)) == 1).all()
    assert (grid.times(grid.slots(times)) == times).all()


def test_jitter_snaps_to_the_clocks_own_slots() -> None:
    rng = np.random.default_rng(0)
    times = hourly() + rng.integers(-90_000, 90_000, 720)
    grid = infer_grid(times, "UTC")
    assert grid == Grid("ms", HOUR_MS, 0, "UTC")
    assert (grid.times(grid.slots(times)) == hourly()).all()


def test_a_late_schedule_keeps_its_phase() -> None:
    times = hourly() + 31 * MINUTE_MS
    assert infer_grid(times, "UTC").phase_ms == 31 * MINUTE_MS


def test_gaps_do_not_change_the_step() -> None:
    keep = np.delete(np.arange(720), np.arange(100, 300))
    assert infer_grid(hourly()[keep], "UTC").step == HOUR_MS


def test_a_known_step_is_not_guessed() -> None:
    sparse = daily()[[0, 5, 12, 19]]
    assert infer_grid(sparse, "UTC", DAY_MS) == Grid("day", 1, 0, "UTC")
    assert infer_grid(daily(1), "UTC", HOUR_MS).step == HOUR_MS


def test_no_points_have_a_grid_too() -> None:
    nothing = np.empty(0, np.int64)
    assert infer_grid(nothing, "Europe/Berlin").unit == "day"
    assert infer_grid(nothing, "Europe/Berlin", HOUR_MS).step == HOUR_MS
