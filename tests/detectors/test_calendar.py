"""Holidays and excluded ranges: what is read, and which wall times it covers."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest

from detectors import ParameterError
from detectors.calendar import dump_holidays, on_holiday, parse_holidays
from detectors.instants import dump_ranges, epoch_ms, moment_ms, parse_ranges
from detectors.wall_clock import DAY_MS, HOUR_MS


def wall(*texts: str) -> Any:
    return np.array(texts, "datetime64[ms]").astype(np.int64)


def test_a_country_code_names_its_public_holidays() -> None:
    days = wall("2025-12-25T00:00", "2025-12-25T23:59", "2025-12-24T23:59", "2026-01-01T12:00")
    assert on_holiday(days, "DE").tolist() == [True, True, False, True]


def test_a_subdivision_has_days_of_its_own() -> None:
    epiphany = wall("2026-01-06")
    assert on_holiday(epiphany, "DE-BY").all()
    assert not on_holiday(epiphany, "DE-BE").any()


def test_dates_are_sorted_once_and_written_back() -> None:
    parsed = parse_holidays("holidays", ["2026-05-01", date(2026, 1, 1), "2026-05-01"])
    assert parsed == (date(2026, 1, 1), date(2026, 5, 1))
    assert parsed is not None
    assert dump_holidays(parsed) == ["2026-01-01", "2026-05-01"]
    assert on_holiday(wall("2026-05-01T10:00", "2026-05-02"), parsed).tolist() == [True, False]
    assert dump_holidays("DE") == "DE"


def test_no_times_are_no_holidays() -> None:
    assert on_holiday(np.empty(0, np.int64), "DE").tolist() == []
    assert on_holiday(wall("2026-01-01"), ()).tolist() == [False]


@pytest.mark.parametrize("value", ["Germany", "XX", "DE-XX", "de", 7, [7], ["2026-13-01"]])
def test_what_is_no_holiday_is_refused(value: Any) -> None:
    with pytest.raises(ParameterError) as caught:
        parse_holidays("holidays", value)
    assert caught.value.field == "holidays"


def test_ranges_are_moments_with_an_offset_or_local_dates() -> None:
    ((first, last),) = parse_ranges("exclude", [["2026-03-29", "2026-03-30T00:00:00+09:00"]])
    assert first == date(2026, 3, 29)
    assert last == datetime(2026, 3, 29, 15, tzinfo=UTC)
    assert dump_ranges(((first, last),)) == [["2026-03-29", "2026-03-29T15:00:00Z"]]
    midnight = moment_ms(first, "Europe/Berlin")
    assert midnight == wall("2026-03-28T23:00")[0]
    assert moment_ms(date(2026, 3, 30), "Europe/Berlin") - midnight == 23 * HOUR_MS


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=9))])
def test_instants_of_any_kind_are_epoch_milliseconds(zone: timezone) -> None:
    moment = datetime(1970, 1, 2, tzinfo=UTC).astimezone(zone)
    values: list[Any] = [moment, np.datetime64("1970-01-02"), DAY_MS, np.int64(DAY_MS)]
    for value in values:
        assert epoch_ms("start", value, "UTC") == DAY_MS
    assert epoch_ms("start", None, "UTC") is None


@pytest.mark.parametrize(
    "value",
    [datetime(2026, 1, 1), np.datetime64("NaT", "ms"), "2026-01-01T00:00:00", 1.5, True, 10**18],  # noqa: DTZ001
)
def test_what_is_no_instant_is_refused(value: Any) -> None:
    with pytest.raises(ParameterError, match="start"):
        epoch_ms("start", value, "UTC")
