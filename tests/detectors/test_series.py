"""Series: what is accepted, put in order, refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Series, SeriesError


def test_times_may_be_datetimes_or_epoch_milliseconds() -> None:
    by_name = Series(np.array(["1970-01-02", "1970-01-03"], "datetime64[D]"), [1, 2])
    by_number = Series([86_400_000, 172_800_000], np.array([1, 2], np.float32))
    assert by_name.epoch_ms.tolist() == by_number.epoch_ms.tolist()
    assert by_name.values.dtype == np.float64
    assert by_name.times.dtype == np.dtype("datetime64[ms]")


def test_texts_may_say_that_they_are_utc() -> None:
    texts = ["1970-01-02T00:00:00Z", "1970-01-03", "1970-01-03T00:00:00.001"]
    assert Series(texts, [1, 2, 3]).epoch_ms.tolist() == [86_400_000, 172_800_000, 172_800_001]


def test_finer_times_are_cut_to_milliseconds_also_before_1970() -> None:
    times = np.array([-1, 1_999_999], "datetime64[ns]")
    assert Series(times, [1, 2]).epoch_ms.tolist() == [-1, 1]


@settings(derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 9)), max_size=20))
def test_points_are_sorted_and_the_last_of_a_timestamp_wins(points: list[tuple[int, int]]) -> None:
    one = Series([t for t, _ in points], [v for _, v in points])
    wanted = dict(points)
    assert list(zip(one.epoch_ms.tolist(), one.values.tolist(), strict=True)) == sorted(
        wanted.items()
    )


def test_input_that_needs_no_change_is_not_copied() -> None:
    times, values = np.arange(3, dtype=np.int64), np.arange(3.0)
    one = Series(times, values)
    assert np.shares_memory(one.epoch_ms, times)
    assert np.shares_memory(one.values, values)


@pytest.mark.parametrize(
    ("times", "values", "message"),
    [
        ([1, 2], [1.0], "equally long"),
        ([[1, 2]], [[1.0, 2.0]], "one-dimensional"),
        ([1.5], [1.0], "times must be"),
        ([10**18], [1.0], "between the years"),
        (["9999-12-31"], [1.0], "between the years"),
        ([np.datetime64("NaT", "ms")], [1.0], "NaT"),
        (["yesterday"], [1.0], "ISO 8601"),
        ([1], ["one"], "values must be numbers"),
        ([1], [1 + 2j], "values must be numbers"),
        ([1], [None], "values must be numbers"),
    ],
)
def test_what_is_no_series_is_refused(
    times: list[object], values: list[object], message: str
) -> None:
    with pytest.raises(SeriesError, match=message):
        Series(times, values)  # type: ignore[arg-type]


def test_a_series_says_what_it_holds() -> None:
    assert repr(Series([], [])) == "Series(no points)"
    assert repr(Series([0], [1])) == (
        "Series(1 points, 1970-01-01T00:00:00.000 to 1970-01-01T00:00:00.000)"
    )
