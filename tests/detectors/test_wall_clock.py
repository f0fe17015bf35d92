"""Conversions between UTC and wall time agree with zoneinfo."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.wall_clock import HOUR_MS, to_utc, to_wall

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Tokyo",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Africa/Casablanca",  # changes four times a year
    "America/Sao_Paulo",  # used to change at midnight
    "Asia/Kathmandu",
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def wall_of(ms: int, zone: str) -> int:
    local = (EPOCH + ms * MILLISECOND).astimezone(ZoneInfo(zone))
    return (local.replace(tzinfo=UTC) - EPOCH) // MILLISECOND


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(st.integers(0, 2_000_000_000), min_size=1, max_size=5), st.sampled_from(ZONES))
def test_wall_time_is_what_zoneinfo_says(seconds: list[int], zone: str) -> None:
    utc = np.array(seconds, np.int64) * 1000
    assert to_wall(utc, zone).tolist() == [wall_of(ms, zone) for ms in utc.tolist()]


@pytest.mark.parametrize("zone", ZONES)
def test_every_wall_time_leads_back_to_the_first_instant_that_shows_it(zone: str) -> None:
    start = int(np.datetime64("2017-01-01T00", "ms").astype(np.int64))
    utc = start + HOUR_MS // 2 * np.arange(2 * 366 * 48, dtype=np.int64)
    wall = to_wall(utc, zone)
    back = to_utc(wall, zone)
    assert (to_wall(back, zone) == wall).all()
    first: dict[int, int] = {}
    for ms, shown in zip(utc.tolist(), wall.tolist(), strict=True):
        first.setdefault(shown, ms)
    assert back.tolist() == [first[shown] for shown in wall.tolist()]


def test_a_midnight_that_does_not_exist_is_the_days_first_instant() -> None:
    midnight = np.array(["2018-11-04"], "datetime64[ms]").astype(np.int64)
    assert to_utc(midnight, "America/Sao_Paulo").astype("datetime64[ms]").tolist() == [
        datetime(2018, 11, 4, 3)  # noqa: DTZ001 - numpy gives naive UTC
    ]
    shown = to_wall(to_utc(midnight, "America/Sao_Paulo"), "America/Sao_Paulo")
    assert shown.astype("datetime64[ms]").tolist() == [datetime(2018, 11, 4, 1)]  # noqa: DTZ001


def test_nothing_stays_nothing() -> None:
    nothing = np.empty(0, np.int64)
    assert len(to_wall(nothing, "Europe/Berlin")) == len(to_utc(nothing, "Europe/Berlin")) == 0
