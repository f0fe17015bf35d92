"""Ticks: round, within, told apart."""

import math
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clock import DAY_MS
from service.report.ticks import tick_texts, time_ticks, value_ticks

numbers = st.floats(-1e12, 1e12, allow_nan=False)


@given(numbers, numbers)
def test_ticks_of_values_are_within_and_rise(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    ticks = value_ticks(low, high)
    assert 2 <= len(ticks) <= 6
    slack = (high - low) * 1e-6
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    assert all(x < y for x, y in pairwise(ticks)) or low == high


@pytest.mark.parametrize(
    ("low", "high", "pattern", "texts"),
    [
        (0.31, 0.47, "", ["0.35", "0.40", "0.45"]),
        (0.0, 1.0, "0.0%", ["0.0%", "25.0%", "50.0%", "75.0%", "100.0%"]),
        (-1.1, 1.0, "", ["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
        (0.1234, 0.1236, "0.000", ["0.12340", "0.12345", "0.12350", "0.12355", "0.12360"]),
        (1.2e6, 3.4e6, "#,##0", ["1,500,000", "2,000,000", "2,500,000", "3,000,000"]),
        (0.0, 1e300, "0.000", ["0", "2.5e+299", "5e+299", "7.5e+299", "1e+300"]),
    ],
)
def test_numbers_beside_an_axis_are_short_and_differ(
    low: float, high: float, pattern: str, texts: list[str]
) -> None:
    assert tick_texts(value_ticks(low, high), pattern) == texts


@given(numbers, numbers, st.sampled_from(["", "0", "0.00", "#,##0", "0%"]))
def test_no_two_ticks_read_alike(a: float, b: float, pattern: str) -> None:
    low, high = min(a, b), max(a, b)
    if high - low > max(abs(low), abs(high)) * 0.02:
        texts = tick_texts(value_ticks(low, high), pattern)
        assert len(set(texts)) == len(texts)


def test_the_largest_numbers_make_no_error() -> None:
    ticks = value_ticks(-1.7e308, 1.7e308)
    assert ticks == [-1.7e308, 1.7e308]
    assert tick_texts(ticks, "0.000") == ["-1.7e+308", "1.7e+308"]


@given(
    st.integers(0, 4_000_000_000_000),
    st.integers(1_000, 40_000 * DAY_MS),
    st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York", "Asia/Kathmandu"]),
)
def test_ticks_of_times_are_round_on_the_local_clock(start: int, span: int, zone: str) -> None:
    ticks = time_ticks(start, start + span, zone, 8)
    assert len(ticks) <= 10
    assert all(start <= time < start + span for time, _ in ticks)
    assert all(x < y for (x, _), (y, _) in pairwise(ticks))
    for time, _ in ticks:
        at = datetime.fromtimestamp(time / 1000, UTC).astimezone(ZoneInfo(zone))
        if span > 10 * DAY_MS:
            assert (at.hour, at.minute) in ((0, 0), (1, 0)), "midnights, but for lost ones"
        assert math.isclose(time % 1000, 0)


def test_a_new_year_is_named() -> None:
    start = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000)
    texts = [text for _, text in time_ticks(start, start + 100 * DAY_MS, "UTC", 8)]
    assert texts == ["30 Nov", "14 Dec", "28 Dec", "11 Jan 2027", "25 Jan", "8 Feb", "22 Feb"]
