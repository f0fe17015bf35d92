"""Results depend neither on batch, order and threads, nor on where values lie in memory."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from detectors import Result, Series
from detectors.series import Floats
from tests.detectors.cases import daily, detector_of, hourly, noise, same

CASES: list[tuple[str, dict[str, Any]]] = [
    ("threshold", {}),
    ("threshold", {"consecutive": 2, "direction": "up"}),
    ("window", {}),
    ("window", {"window": 20, "step_by": "point"}),
    ("window", {"window": "3d", "gap": "5h", "step_by": "point"}),
    ("window", {"method": "pct", "p": 1.0, "window": 15, "step_by": "point"}),
    ("window", {"method": "robust", "season": "hour_of_day"}),
    ("seasonal_esd", {"period": 24, "max_anomalies": 0.05}),
]


def matrix(rows: int, n: int) -> Floats:
    """Some rows of noise with spikes, the last of them with infinities and holes."""
    values = np.array([noise(n, seed) for seed in range(rows)])
    values[:, ::97] += 12
    values[0, 50:53] += 12
    values[-1, [3, 60, 61]] = np.inf, -np.inf, np.nan
    return values


def all_same(some: list[Result], others: list[Result]) -> bool:
    return all(same(one, other) for one, other in zip(some, others, strict=True))


@pytest.mark.parametrize(("type_", "parameters"), CASES)
def test_alone_in_batches_in_another_order_and_on_threads(
    type_: str, parameters: dict[str, Any]
) -> None:
    detector = detector_of(type_, **parameters)
    times, values = hourly(15 * 24), matrix(9, 15 * 24)
    rows = [Series(times, row) for row in values]
    alone = [detector.detect(Series(times.copy(), row.copy())) for row in values]
    assert all_same(detector.detect_many(rows), alone)
    assert all_same(detector.detect_many(rows[::-1])[::-1], alone)
    assert all_same(detector.detect_many(rows[2:5]), alone[2:5])
    with ThreadPoolExecutor(3) as pool:
        assert all_same(list(pool.map(detector.detect, rows)), alone)


def test_rows_of_one_matrix_are_not_copied() -> None:
    times, values = daily(), matrix(4, 150)[:3]
    rows = [Series(times, row) for row in values]
    results = detector_of("threshold").detect_many(rows)
    for row, result in zip(values, results, strict=True):
        assert np.shares_memory(result.values, row)
        assert not result.values.flags.writeable
    apart = detector_of("threshold").detect_many([rows[0], rows[2]])
    assert not np.shares_memory(apart[1].values, values), "there is a row between them"
    assert all_same(apart, [results[0], results[2]])


def test_rows_that_only_seem_to_be_adjacent() -> None:
    times, flat = daily(60), noise(240)
    parts = [flat[:60], flat[60:120], flat[90:150], flat[119::-1][:60]]
    results = detector_of("threshold").detect_many([Series(times, part) for part in parts])
    for part, result in zip(parts, results, strict=True):
        assert result.values.tolist() == part.tolist()


def test_an_infinity_costs_its_own_point_only() -> None:
    times, values = daily(), matrix(3, 150)
    values[1, 70] = np.inf
    results = detector_of("threshold").detect_many([Series(times, row) for row in values])
    assert np.isinf(results[1].values[70])
    assert np.isnan(results[1].score[70])
    assert not np.isnan(np.delete(results[1].score, 70)).any()
    assert not np.isnan(results[0].score).any()


def test_sums_beyond_the_largest_number_are_no_infinity() -> None:
    values = np.full((2, 150), 1.7e308)
    results = detector_of("threshold").detect_many([Series(daily(), row) for row in values])
    assert all(result.is_anomaly.all() for result in results)
