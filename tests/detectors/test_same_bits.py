"""What a series comes with changes no bit of its answer: other series, threads, order, layout."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Result, Series
from detectors.catalog import detector_types
from detectors.detector import Detector
from detectors.wall_clock import DAY_MS, HOUR_MS
from tests.detectors.cases import MONDAY_MS, detector_of

pytestmark = pytest.mark.parametrize("type_", detector_types())

LAST = 6
"""Points of each series that are judged, so that refits are few."""

COLUMNS = ("times", "values", "expected", "lower", "upper", "score", "is_anomaly", "severity",
           "direction", "reason", "expected_trend")  # fmt: skip


def bits(result: Result) -> list[bytes]:
    columns = [getattr(result, name) for name in COLUMNS]
    found = [b"" if one is None else np.ascontiguousarray(one).tobytes() for one in columns]
    return [*found, repr(result.changes).encode()]


def one_of(kind: str, n: int, seed: int) -> Series:
    """A series on one of several grids, ending with the others of its grid or not."""
    rng = np.random.default_rng(seed)
    step = HOUR_MS if kind == "hourly" else DAY_MS
    times = MONDAY_MS + 400 * DAY_MS - step * np.arange(n, dtype=np.int64)[::-1]
    values = 100 + np.sin(np.arange(n) * 2 * np.pi / (24 if kind == "hourly" else 7))
    values += rng.standard_t(3, n)
    if kind == "constant":
        values[:] = 100.0
    if kind == "shifted":
        times = times + 3 * HOUR_MS
    if kind == "jittered":
        times = times + rng.integers(0, 60_000, n)
    if kind == "gappy":
        values[rng.random(n) < 0.05] = np.nan
        keep = (rng.random(n) > 0.03) | (np.arange(n) == n - 1)
        times, values = times[keep], values[keep]
    return Series(times, values)


def start_of(series: Series) -> int | None:
    return int(series.epoch_ms[-LAST]) if len(series) > LAST else None


KINDS = ("plain", "plain", "hourly", "constant", "shifted", "jittered", "gappy")
LENGTHS = (0, 1, 40, 120, 120, 121)
FAMILY = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from(LENGTHS), st.integers(0, 9)),
    min_size=2,
    max_size=5,
)


@settings(max_examples=6)
@given(family=FAMILY, data=st.data())
def test_alone_and_in_any_batch(
    type_: str, family: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    """Mixed lengths, grids and gaps, in two orders, one of them with a series twice."""
    members = [one_of(*one) for one in family]
    detector = detector_of(type_)
    start = max((start_of(one) or 0 for one in members), default=0)
    alone = [bits(detector.detect(one, start)) for one in members]
    order = data.draw(st.permutations(range(len(members))))
    together = detector.detect_many([members[i] for i in [*order, order[0]]], start)
    assert [bits(result) for result in together] == [alone[i] for i in [*order, order[0]]]


def test_two_threads_at_once(type_: str) -> None:
    detector = detector_of(type_)
    members = [one_of(kind, 120, seed) for seed, kind in enumerate(KINDS)]
    start = start_of(members[0])
    alone = [bits(detector.detect(one, start)) for one in members]
    meeting = Barrier(2)

    def all_of(reverse: bool) -> list[list[bytes]]:
        meeting.wait()
        order = members[::-1] if reverse else members
        found = [bits(detector.detect(one, start)) for one in order]
        return found[::-1] if reverse else found

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(all_of, [False, True])) == [alone, alone]


def strided(array: Any) -> Any:
    return np.repeat(array, 3)[::3]


def reversed_view(array: Any) -> Any:
    return array[::-1].copy()[::-1]


def column_of_matrix(array: Any) -> Any:
    return np.stack([array, array, array], axis=1)[:, 1]


def read_only(array: Any) -> Any:
    array = array.copy()
    array.setflags(write=False)
    return array


def big_endian(array: Any) -> Any:
    return array.astype(array.dtype.newbyteorder(">"))


def unaligned(array: Any) -> Any:
    packed = np.zeros(len(array), np.dtype([("byte", "i1"), ("value", array.dtype)]))
    packed["value"] = array
    return packed["value"]


LAYOUTS = (strided, reversed_view, column_of_matrix, read_only, big_endian, unaligned)


def judged(detector: Detector, times: Any, values: Any) -> list[bytes]:
    series = Series(times, values)
    return bits(detector.detect(series, start_of(series)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_in_any_memory_layout(type_: str, layout: Any) -> None:
    one, detector = one_of("plain", 120, 0), detector_of(type_)
    wanted = judged(detector, one.epoch_ms, one.values)
    assert judged(detector, layout(one.epoch_ms), layout(one.values)) == wanted
    assert judged(detector, layout(one.times), one.values) == wanted


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.int64, np.int16, np.uint8, "O"])
def test_of_any_kind_of_number_that_holds_the_values(type_: str, kind: Any) -> None:
    one, detector = one_of("plain", 120, 0), detector_of(type_)
    values = np.round(one.values)
    wanted = judged(detector, one.epoch_ms, values)
    given = values.tolist() if kind == "O" else values.astype(kind)
    assert judged(detector, one.epoch_ms, given) == wanted


def test_in_any_order_of_the_points(type_: str) -> None:
    one, detector = one_of("jittered", 120, 0), detector_of(type_)
    wanted = judged(detector, one.epoch_ms, one.values)
    order = np.random.default_rng(0).permutation(120)
    shuffled = Series(one.epoch_ms[order], one.values[order])
    assert bits(detector.detect(shuffled, int(one.epoch_ms[-LAST]))) == wanted
