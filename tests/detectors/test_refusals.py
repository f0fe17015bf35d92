"""Whatever a caller gives for a parameter, it is accepted or refused by name, never a crash."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from detectors import DetectorError, ParameterError, Series, Window, detector_from_dict
from detectors.catalog import detector_class, detector_types
from detectors.detector import Detector
from detectors.parameters import parameters_of

HUGE = 10**400
VALUES: list[Any] = [
    None, True, "", "x", [], {}, object(), -1, 0, 1.5, HUGE, 10**30, float("nan"), 1e308, 1e-320,
    np.timedelta64(1, "D"), np.timedelta64("NaT", "ms"), np.datetime64("2026-01-01"), np.array(5),
    np.array([1, 2]), np.array(["a", "b"]), timedelta(2), timedelta.max, timedelta.min,
    date(2026, 1, 1), 1j, "9" * 30 + "d", "9" * 400 + "d", "99999999d", "10000000ms", [[1, 2]],
    [["2026-01-01"]], [["0001-01-01", "9999-12-31"]], [None], {"major": None}, {"major": HUGE},
    {"warning": HUGE}, {"0": None}, {"0": {"lower": HUGE}}, "../../etc/passwd", "US-XX",
]  # fmt: skip
DAYS = np.arange("2026-01-01", "2026-05-01", dtype="datetime64[D]")
STEADY = Series(DAYS, 100 + np.sin(np.arange(len(DAYS))))


def cases() -> Iterator[tuple[str, str]]:
    for type_ in detector_types():
        for item in parameters_of(detector_class(type_)):
            yield type_, item.name


@pytest.mark.parametrize(("type_", "name"), list(cases()))
def test_any_value_is_accepted_whole_or_refused_by_name(type_: str, name: str) -> None:
    for value in VALUES:
        detector = made(type_, name, value)
        if detector is None:
            continue
        assert detector_from_dict(json.loads(json.dumps(detector.to_dict()))) == detector
        detector.history(DAYS[-3], DAYS[-1], timedelta(1))
        if name not in ("engine", "mcmc_samples"):  # the prophet package takes long
            with suppress(DetectorError):
                detector.detect(STEADY, DAYS[-1])


def made(type_: str, name: str, value: Any) -> Detector | None:
    """None where the value is refused, by the name of the parameter or of the one it needs."""
    bound = {"lower": 1.0} if type_ == "threshold" else {}
    try:
        return detector_from_dict({"type": type_, **bound, name: value})
    except ParameterError as refusal:
        named = refusal.field.partition(".")[0]
    assert named in (name, "lower", "cap", "engine"), value
    return None


def test_the_longest_counts_together_are_a_history() -> None:
    detector = Window(window=10**7, consecutive=10**6, max_gap=10**7)
    assert detector.history(DAYS[-3], DAYS[-1], timedelta(31)) >= timedelta(days=36_525)


def test_lengths_of_numpy_are_durations() -> None:
    assert Window(window=np.timedelta64(4, "W")).window == timedelta(weeks=4)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "start",
    ["2026-04-28", date(2026, 4, 28), "2026-04-28T00:00:00+09:00"],
)
def test_ranges_take_texts_with_an_offset_and_local_dates(start: Any) -> None:
    times = np.datetime64("2026-01-01", "ms") + np.arange(119) * np.timedelta64(1, "D")
    times -= np.timedelta64(9, "h")  # midnights in Tokyo
    one = Series(times, 100 + np.sin(np.arange(119)))
    detector = Window(timezone="Asia/Tokyo")
    found = detector.detect(one, start, "2026-04-29")
    assert found.times.tolist() == [datetime(2026, 4, 27, 15)]  # noqa: DTZ001


def test_naive_texts_are_no_ranges() -> None:
    with pytest.raises(ParameterError, match=r"start: .*offset"):
        Window().detect(STEADY, "2026-04-28T00:00:00")


@pytest.mark.parametrize("step", [0, 86_400_000, "1d", timedelta(0)])
def test_a_step_is_a_length_of_time(step: Any) -> None:
    with pytest.raises(ParameterError, match=r"step: .*millisecond"):
        Window().detect(STEADY, step=step)


def test_times_of_numpy_are_moments_and_dates() -> None:
    by_text = Window(exclude=[["2026-01-05T00:00:00Z", "2026-01-07T00:00:00Z"]])  # type: ignore[arg-type]
    by_time = Window(exclude=[(DAYS[4], DAYS[6])])  # type: ignore[arg-type]
    by_number = Window(exclude=[(1_767_571_200_000, 1_767_744_000_000)])  # type: ignore[arg-type]
    assert by_text == by_time == by_number
    assert Window(holidays=DAYS[4:6]) == Window(holidays=["2026-01-05", "2026-01-06"])  # type: ignore[arg-type]


def test_aware_datetimes_are_times_and_naive_ones_are_not() -> None:
    tokyo = [datetime.fromisoformat(f"2026-01-0{day}T09:00:00+09:00") for day in (1, 2)]
    assert Series(tokyo, [1, 2]).times.tolist() == [datetime(2026, 1, 1), datetime(2026, 1, 2)]  # type: ignore[arg-type]  # noqa: DTZ001
    with pytest.raises(DetectorError, match="aware"):
        Series([moment.replace(tzinfo=None) for moment in tokyo], [1, 2])  # type: ignore[arg-type]
    assert Series([datetime(2026, 1, 1, tzinfo=UTC)], [1]).epoch_ms[0] == 1_767_225_600_000  # type: ignore[arg-type]
