"""Memory that results share: what keeps it, what gives it back, and what a row of it is."""

import gc
import mmap
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from detectors import Direction, Reason, Result, Series, Severity, Threshold, Window, memory
from detectors.bands import Bands
from detectors.decision import ANOMALY, DIRECTION_SHIFT, SEVERITY_SHIFT, Bounds, Decision
from detectors.finish import decide
from detectors.grid import Grid
from tests.detectors.cases import daily, noise, same

GRID = Grid("day", 1, 0, "UTC")
LARGE = (1_100, 1_000)  # rows and points: more than one region's least size, even of bytes


def place(array: np.ndarray) -> int:
    found: int = array.__array_interface__["data"][0]
    return found


def test_large_memory_is_used_again_and_small_is_numpys_own() -> None:
    first = memory.empty(LARGE)
    assert first.shape == LARGE
    assert first.dtype == np.float64
    first[:] = 1.0
    row, where = first[3], place(first)
    del first
    gc.collect()
    other = memory.empty(LARGE)
    assert place(other) != where, "a row keeps the whole"
    assert (row == 1.0).all()
    del row
    assert place(memory.empty(LARGE)) == where
    assert memory.empty((3,), np.int8).base is None


def test_no_more_than_a_share_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = memory.Kept()
    monkeypatch.setattr(memory.Kept, "most_bytes", 3 * mmap.PAGESIZE)
    regions = [mmap.mmap(-1, mmap.PAGESIZE) for _ in range(5)]
    for region in regions:
        kept.give(region)
    assert [kept.take(mmap.PAGESIZE) for _ in range(4)] == [*regions[:1:-1], None]
    assert kept.take(2 * mmap.PAGESIZE) is None


def test_threads_never_get_the_same_memory() -> None:
    def fill(number: int) -> bool:
        for _ in range(50):
            array = memory.empty(LARGE, np.int8)
            array[:] = number
            if not (array == number).all():
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(fill, range(4)))


def test_every_code_is_read_as_it_was_written() -> None:
    cells = list(product(Reason, Severity, Direction, (False, True)))
    codes = np.array(
        [
            [
                reason | severity << SEVERITY_SHIFT | direction << DIRECTION_SHIFT | ANOMALY * flag
                for reason, severity, direction, flag in cells
            ]
        ],
        np.int8,
    )
    nothing = np.zeros(codes.shape)
    read = Decision(Bounds(nothing, half=nothing), nothing, codes)
    columns = (read.reason, read.severity, read.direction, read.is_anomaly)
    assert list(zip(*(column[0].tolist() for column in columns), strict=True)) == cells


def results(detector: Threshold | Window) -> list[Result]:
    values = np.array([noise(150, seed) for seed in range(4)])
    values[:, 140] += 30
    return detector.detect_many([Series(daily(150), row) for row in values])


@pytest.mark.parametrize("detector", [Threshold(lower=-3, upper=3), Window()])
def test_a_pickled_result_is_its_own_rows_alone(detector: Threshold | Window) -> None:
    found = results(detector)
    written = pickle.dumps(found[2])
    assert same(pickle.loads(written), found[2])
    assert len(written) < 150 * 50 + 2_000, "others came with it"


@pytest.mark.parametrize("least", [0.0, 4.0])
def test_one_half_width_for_all_columns(least: float) -> None:
    values = np.array([noise(60, seed) for seed in range(3)])
    values[:, 50] += [3.5, 30, -30]
    expected, half = np.zeros((3, 60)), np.array([[2.0], [3.0], [2.5]])
    rules = replace(Threshold(lower=0).output_rules(GRID), min_abs_change=least)
    sides = decide(rules, values, [None] * 3, Bands(expected, expected - half, expected + half))
    even = decide(rules, values, [None] * 3, Bands(expected, half=half))
    for name in ("lower", "upper", "score", "codes", "is_anomaly"):
        assert np.array_equal(getattr(even, name), getattr(sides, name)), name
    assert half.tolist() == [[2.0], [3.0], [2.5]]


def test_one_judged_column_is_as_it_is_among_others() -> None:
    series = Series(daily(60), noise(60) + np.where(np.arange(60) == 59, 20, 0))
    for detector in (Threshold(lower=-3, upper=3), Window(), Window(min_rel_change=0.01)):
        whole, last = detector.detect(series), detector.detect(series, series.times[-1])
        for name in ("expected", "lower", "upper", "score", "is_anomaly", "severity", "reason"):
            assert getattr(last, name).tolist() == getattr(whole, name)[-1:].tolist()
        assert last.is_anomaly.all()
