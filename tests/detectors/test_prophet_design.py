"""Columns, calendars and refits of Prophet's model."""

from datetime import date, timedelta

import numpy as np
import pytest

from detectors.prophet.design import Calendar, Design, Model, Season
from detectors.prophet.holidays import holiday_columns
from detectors.prophet.schedule import Schedule
from detectors.wall_clock import DAY_MS
from tests.detectors.prophet_oracle import days, design_of

HOUR_MS = 3_600_000
DAY = timedelta(days=1)


def wall(text: str) -> int:
    return int(np.datetime64(text, "ms").astype(np.int64))


@pytest.mark.parametrize(
    ("n", "step_ms", "names"),
    [
        (730, DAY_MS, ["weekly"]),
        (731, DAY_MS, ["yearly", "weekly"]),
        (14, DAY_MS, []),
        (15, DAY_MS, ["weekly"]),
        (48, HOUR_MS, []),
        (49, HOUR_MS, ["daily"]),
        (24 * 14 + 1, HOUR_MS, ["weekly", "daily"]),
        (120, 7 * DAY_MS, ["yearly"]),
    ],
)
def test_seasons_are_on_from_two_periods_of_history(n: int, step_ms: int, names: list[str]) -> None:
    assert [season.name for season in design_of(Model(), days(n, step_ms)).seasons] == names


def test_a_caller_can_insist_on_seasons_and_their_order() -> None:
    model = Model(yearly=True, weekly=False, daily=2)
    seasons = design_of(model, days(40, HOUR_MS)).seasons
    assert [(season.name, season.order) for season in seasons] == [("yearly", 10), ("daily", 2)]


def test_a_season_repeats_after_its_period_to_the_bit() -> None:
    calendar = Calendar(days(100))
    weekly = calendar.season(Season("weekly", 7 * DAY_MS, 3))
    assert (weekly[:-7] == weekly[7:]).all()


def test_a_year_of_365_and_a_quarter_days_passes_leap_days() -> None:
    """1461 days are four years, wherever the leap day stands."""
    calendar = Calendar(wall("2023-02-27") + DAY_MS * np.array([0, 1461, 2922]))
    yearly = calendar.season(Season("yearly", 31_557_600_000, 10))
    np.testing.assert_allclose(yearly[0], yearly[1], atol=1e-9)
    np.testing.assert_allclose(yearly[0], yearly[2], atol=1e-9)


def test_changepoints_spread_over_the_leading_part_of_the_rows() -> None:
    design = design_of(Model(n_changepoints=4, changepoint_range=0.5), days(101))
    np.testing.assert_allclose(design.changepoints, np.array([12, 24, 37, 49]) / 100)
    assert len(design_of(Model(), days(12)).changepoints) == 8
    assert len(design_of(Model(n_changepoints=0), days(12)).changepoints) == 0
    assert len(design_of(Model(growth="flat"), days(100)).changepoints) == 0


def test_a_design_takes_only_its_own_rows() -> None:
    calendar = Calendar(days(100))
    rows = np.arange(20, 60, 2)
    design = Design.of(Model(), calendar, rows)
    assert design.time(rows)[[0, -1]].tolist() == [0.0, 1.0]
    assert design.time(np.array([99]))[0] > 1
    assert design.step == 2 * DAY_MS
    assert design.effects(rows).shape == (20, 6)


def test_refits_are_anchored_to_local_midnights() -> None:
    local = wall("2026-03-04T05:00") + np.arange(60) * HOUR_MS
    schedule = Schedule(DAY, None)
    refits = list(schedule.refits(local, slice(30, 60), HOUR_MS))
    assert [judged.tolist() for _, judged in refits] == [
        list(range(30, 43)),
        list(range(43, 60)),
    ]
    assert [len(before) for before, _ in refits] == [19, 43]


def test_weekly_refits_fall_on_mondays() -> None:
    local = wall("2026-03-04") + np.arange(20) * DAY_MS  # a Wednesday
    midnights = Schedule(7 * DAY, None).midnights(local)
    assert (midnights.view("M8[ms]").astype("M8[D]").astype(int) % 7 == 4).all()
    assert len(np.unique(midnights)) == 4
    # Before 1970 too.
    before = Schedule(7 * DAY, None).midnights(local - wall("2020-01-06"))
    assert len(np.unique(before)) in (3, 4)


@pytest.mark.parametrize(
    ("history", "step_ms", "length_ms"),
    [
        (None, HOUR_MS, 90 * DAY_MS),
        (None, DAY_MS, 738 * DAY_MS),
        (None, 7 * DAY_MS, 738 * DAY_MS),
        (100, HOUR_MS, 100 * HOUR_MS),
        (timedelta(days=30), DAY_MS, 30 * DAY_MS),
    ],
)
def test_history_is_counted_back_from_the_refit(
    history: timedelta | int | None, step_ms: int, length_ms: int
) -> None:
    schedule = Schedule(DAY, history)
    assert schedule.history_ms(step_ms) == length_ms
    refit = wall("2026-06-01")
    begin = schedule.begin_ms(refit + 17 * HOUR_MS, step_ms, "UTC")
    assert begin == refit - length_ms


def test_history_begins_at_a_local_time_across_a_change_of_the_clocks() -> None:
    schedule = Schedule(DAY, timedelta(days=30))
    begin = schedule.begin_ms(wall("2026-04-15T09:00"), HOUR_MS, "Europe/Berlin")
    assert begin == wall("2026-03-15T23:00")  # midnight of the 16th in winter time


def test_a_countrys_holidays_are_columns_by_name() -> None:
    local = wall("2024-12-01") + np.arange(420) * DAY_MS
    columns = holiday_columns(local, "DE")
    christmas = next(name for name in columns if "Christmas" in name or "Weihnacht" in name)
    on = local[columns[christmas]].view("M8[ms]").astype("M8[D]").astype(str)
    assert [day[5:] for day in on] in (["12-25", "12-25"], ["12-26", "12-26"])
    assert all(column.any() for column in columns.values())


def test_dates_of_the_same_month_and_day_are_one_holiday() -> None:
    local = wall("2024-01-01") + np.arange(24 * 800) * HOUR_MS
    dates = (date(2024, 5, 1), date(2025, 5, 1), date(2025, 7, 9), date(1999, 1, 1))
    columns = holiday_columns(local, dates)
    assert {name: int(column.sum()) for name, column in columns.items()} == {
        "05-01": 48,
        "07-09": 24,
    }
    assert holiday_columns(local, None) == {}
