"""Wall-clock times against zoneinfo, with the days on which clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import InvalidError
from storage.local_time import LocalTime

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
ZONES = ["UTC", "Asia/Tokyo", "Europe/Berlin", "America/Sao_Paulo", "Africa/Cairo",
         "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]  # fmt: skip


def wall(text: str) -> int:
    """Milliseconds of a wall-clock text, as though in UTC."""
    return round((datetime.fromisoformat(text) - EPOCH).total_seconds() * 1000)


def utc(text: str) -> int:
    """Milliseconds of a UTC text."""
    return wall(text)


def converted(zone: str, *texts: str) -> list[int]:
    walls = np.array([wall(text) for text in texts], np.int64)
    local = LocalTime(zone, int(walls.min()), int(walls.max()) + 1)
    return [int(value) for value in local.to_utc(walls)]


def by_zoneinfo(zone: str, wall_ms: int) -> int:
    """One by one: a time that exists by fold 0, a skipped one by stepping to the change."""
    local = EPOCH + timedelta(milliseconds=wall_ms)
    tz = ZoneInfo(zone)
    there = local.replace(tzinfo=tz).astimezone(UTC)
    if there.astimezone(tz).replace(tzinfo=None) != local:
        # PEP 495: with fold 0 a skipped time is read with the offset before the change, so it
        # lies after it; the change itself is the first instant with the new offset.
        after = there.astimezone(tz).utcoffset()
        while (there - timedelta(minutes=1)).astimezone(tz).utcoffset() == after:
            there -= timedelta(minutes=1)
        there = there.replace(second=0, microsecond=0)
    return round((there - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)


@pytest.mark.parametrize(
    ("zone", "local", "expected"),
    [
        ("Asia/Tokyo", "2026-01-02", "2026-01-01T15:00"),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00"),
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00"),  # skipped
        ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),  # twice: the first
        ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00"),  # its midnight was skipped
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00"),  # skipped too
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00"),  # the whole day was skipped
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00"),
    ],
)
def test_known_times(zone: str, local: str, expected: str) -> None:
    assert converted(zone, local) == [utc(expected)]


@pytest.mark.parametrize("zone", ZONES)
def test_every_hour_of_years_agrees_with_zoneinfo(zone: str) -> None:
    first, last = wall("2010-12-01T00:00"), wall("2012-03-01T00:00")
    if zone == "America/Sao_Paulo":
        first, last = wall("2018-09-01T00:00"), wall("2019-04-01T00:00")
    walls = np.arange(first, last, 1_800_000)
    found = LocalTime(zone, first, last).to_utc(walls)
    for wall_ms, ts in zip(walls.tolist()[::7], found.tolist()[::7], strict=True):
        assert ts == by_zoneinfo(zone, wall_ms), EPOCH + timedelta(milliseconds=wall_ms)
    assert (np.diff(found) >= 0).all()


@given(st.sampled_from(ZONES), st.integers(0, 500 * 86_400_000))
@settings(derandomize=True, max_examples=200, deadline=None)
def test_wall_from_is_the_earliest_wall_time_that_is_late_enough(zone: str, after: int) -> None:
    start = utc("2025-12-01") + after
    local = LocalTime(zone, start, start + 1)
    earliest = local.wall_from(start)
    before, at = local.to_utc(np.array([earliest - 1, earliest])).tolist()
    assert before < start <= at


def test_dates_are_those_that_share_an_instant_with_the_range() -> None:
    local = LocalTime("Asia/Tokyo", utc("2026-01-01T15:00"), utc("2026-01-02T15:00"))
    assert local.dates(utc("2026-01-01T15:00"), utc("2026-01-02T15:00")) == [date(2026, 1, 2)]
    assert local.dates(utc("2026-01-01T14:59"), utc("2026-01-02T15:01")) == [
        date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3),
    ]  # fmt: skip
    assert local.dates(5, 5) == []


def test_endless_ranges_are_clamped() -> None:
    local = LocalTime("Europe/Berlin", -(10**16), 10**16)
    assert local.to_utc(np.array([wall("2026-07-01")])).tolist() == [utc("2026-06-30T22:00")]
    assert len(local.dates(-(10**16), 10**16)) > 20_000


@pytest.mark.parametrize("zone", ["", "Mars/Base", "../etc/passwd", "/etc/passwd", "Europe"])
def test_unknown_zones_are_refused(zone: str) -> None:
    with pytest.raises(InvalidError, match="timezone"):
        LocalTime(zone, 0, 1)
