"""Stretches of a long series, limits of its days, and putting outcomes together."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.errors import SeriesError
from detectors.seasonal_esd.chunks import row_chunks, time_chunks, with_spare_day
from detectors.seasonal_esd.gaps import filled_linearly, gaps_are_short, with_season_for
from detectors.seasonal_esd.hybrid import Outcome, merged, spread
from detectors.seasonal_esd.limits import Limit, limit_of

EXAMPLES = settings(max_examples=100, deadline=None, derandomize=True)


@EXAMPLES
@given(n=st.integers(1, 60), length=st.integers(1, 70))
def test_rows_are_cut_into_full_stretches_that_cover_them(n: int, length: int) -> None:
    stretches = row_chunks(n, length)
    assert {i for one in stretches for i in range(one.start, one.stop)} == set(range(n))
    assert {one.stop - one.start for one in stretches} == {min(n, length)}
    assert [one.start for one in stretches[:-1]] == list(range(0, n - length, length))


def test_no_length_is_one_stretch() -> None:
    assert row_chunks(5, None) == [slice(0, 5)]


@EXAMPLES
@given(
    steps=st.lists(st.integers(1, 5), min_size=1, max_size=40),
    length=st.integers(1, 30),
    rows=st.integers(1, 20),
)
def test_time_is_cut_as_the_definition_says(steps: list[int], length: int, rows: int) -> None:
    times = np.cumsum(np.array(steps, np.int64))
    for stretch, start in zip(time_chunks(times, length, rows), times[::rows], strict=True):
        if min(start + length, times[-1]) - start == length:
            inside = (times >= start) & (times < start + length)
        else:
            inside = (times > times[-1] - length) & (times <= times[-1])
        assert np.arange(len(times))[stretch].tolist() == np.flatnonzero(inside).tolist()


@pytest.mark.parametrize(
    ("length", "daily", "wanted"),
    [
        (timedelta(weeks=2), True, timedelta(days=15)),
        (timedelta(weeks=2), False, timedelta(weeks=2)),
        (timedelta(days=15), True, timedelta(days=15)),
        (14, True, 14),
    ],
)
def test_only_whole_weeks_of_days_get_a_day(
    length: timedelta | int, daily: bool, wanted: timedelta | int
) -> None:
    assert with_spare_day(length, daily) == wanted


@pytest.mark.parametrize(("limit", "wanted"), [("med_max", 5.5), ("p95", 9.55), ("p99", 9.91)])
def test_a_limit_is_a_quantile_of_the_largest_values(limit: Limit, wanted: float) -> None:
    largest = np.array([3, 1, 2, 10, 4, 5, 6, 9, 8, 7.0])
    values = np.stack([largest, largest - 20, largest - 1], axis=1).ravel()
    groups = np.repeat(np.arange(10), 3)
    assert limit_of(values, groups, limit) == pytest.approx(wanted)


def test_a_limit_at_a_value_is_that_value_to_the_last_bit() -> None:
    largest = np.random.default_rng(0).normal(size=21) / 3
    assert limit_of(largest, np.arange(21), "p95") == np.sort(largest)[19]
    assert limit_of(largest, np.arange(21), "med_max") == np.sort(largest)[10]
    same = np.full(8, 0.1)
    limits: tuple[Limit, ...] = ("med_max", "p95", "p99")
    for limit in limits:
        assert limit_of(same, np.arange(8), limit) == 0.1


def test_a_missing_value_in_a_group_makes_a_limit_unknown() -> None:
    values, groups = np.array([1.0, np.nan, 3.0, 4.0]), np.array([0, 0, 1, 1])
    assert np.isnan(limit_of(values, groups, "med_max"))
    with pytest.raises(SeriesError, match="p99"):
        limit_of(values, groups, "p99")


def outcome(member: list[bool], number: float) -> Outcome:
    n = len(member)
    same = np.full(n, number)
    return Outcome(
        member=np.array(member),
        score=same,
        expected=same,
        expected_trend=same,
        half=same,
        spreadless=np.zeros(n, bool),
    )


def test_the_first_stretch_that_finds_a_member_speaks_for_it_and_else_the_first() -> None:
    first = outcome([True, False, False], 1.0)
    second = outcome([True, True, False], 2.0)
    together = merged([(slice(0, 3), first), (slice(0, 3), second)], 5)
    assert together.member.tolist() == [True, True, False, False, False]
    for column in (together.score, together.expected, together.half):
        np.testing.assert_array_equal(column, [1.0, 2.0, 1.0, np.nan, np.nan])
    np.testing.assert_array_equal(together.expected_trend, [1.0, 1.0, 1.0, np.nan, np.nan])


def test_an_outcome_is_spread_over_slots() -> None:
    out = spread(outcome([True, False], 3.0), np.array([1, 3]), 5)
    assert out.member.tolist() == [False, True, False, False, False]
    np.testing.assert_array_equal(out.expected, [np.nan, 3.0, np.nan, 3.0, np.nan])


def test_gaps_are_measured_between_known_values() -> None:
    known = np.array([False, False, True, False, False, True, False, False])
    assert gaps_are_short(known, 40)
    assert not gaps_are_short(known, 39)
    assert gaps_are_short(np.array([True, False, True]), 7), "one slot is always filled"
    assert gaps_are_short(np.zeros(5, bool), 7)
    values = np.array([np.nan, 1.0, np.nan, 3.0, np.nan])
    np.testing.assert_array_equal(
        filled_linearly(values, ~np.isnan(values)), [np.nan, 1.0, 2.0, 3.0, np.nan]
    )


def test_an_ignored_value_gives_way_to_its_phase() -> None:
    values = np.array([0.0, 1.0, 10.0, 11.0, 20.0, 21.0])
    ignored = np.array([True, False, False, True, False, False])
    assert with_season_for(values, ignored, 2).tolist() == [10.0, 1.0, 10.0, 1.0, 20.0, 21.0]
    assert with_season_for(values, np.ones(6, bool), 2).tolist() == values.tolist()
