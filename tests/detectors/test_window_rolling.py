"""Windows that slide by one slot: exact sums, whatever stands elsewhere in the series."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from detectors import Reason, Series, Window
from detectors.series import Floats
from detectors.window.widths import student_factors
from tests.detectors.cases import hourly, noise, same

N = 700
Shape = Callable[[Floats], Floats]


def _offset(values: Floats) -> Floats:
    return values + 1e12


def _tiny(values: Floats) -> Floats:
    return values * 1e-12


def _outliers(values: Floats) -> Floats:
    values[[100, 333]] = 1e12, -3e11
    return values


def _steps(values: Floats) -> Floats:
    values[200:400] += 1e9
    return values


def _holes(values: Floats) -> Floats:
    values[np.random.default_rng(1).random(N) < 0.2] = np.nan
    return values


def _cuts_missing(values: Floats) -> Floats:
    values[::10] = np.nan
    values[[250, 251, 253]] = np.nan
    return values


def _long_holes(values: Floats) -> Floats:
    values[90:115] = np.nan
    values[300:480] = np.nan
    return values


SHAPES = [_offset, _tiny, _outliers, _steps, _holes, _cuts_missing, _long_holes]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("length", "gap"), [(2, 0), (10, 0), (30, 7), (168, 0), (1000, 3)])
def test_bands_are_those_of_long_sums(shape: Shape, length: int, gap: int) -> None:
    values = shape(noise(N, 3))
    detector = Window(window=length, gap=gap, min_points=2, step_by="point")
    result = detector.detect(Series(hourly(N), values))
    for j in range(0, N, 3):
        window = values[max(j - length, 0) : max(j - gap, 0)].astype(np.longdouble)
        window = window[~np.isnan(window)]
        if np.isnan(values[j]):
            continue
        if len(window) < 2:
            assert result.reason[j] == Reason.INSUFFICIENT_HISTORY
            assert np.isnan(result.expected[j])
            continue
        mean, n = window.mean(), len(window)
        size = float(np.abs(window).max())
        half = window.std(ddof=1) * np.sqrt(1 + 1 / n) * student_factors(3.0, 1024)[n - 1]
        half = max(half, 1e-12 * size)
        assert abs(result.expected[j] - mean) <= 4e-16 * size + 1e-13 * half, j
        # The bounds themselves are rounded to the values' own digits.
        assert abs(result.upper[j] - (mean + half)) <= 1e-12 * half + 4e-16 * size, j
        assert abs(result.lower[j] - (mean - half)) <= 1e-12 * half + 4e-16 * size, j


@pytest.mark.parametrize("shape", SHAPES)
def test_the_floats_do_not_depend_on_the_request(shape: Shape) -> None:
    times, values = hourly(N), shape(noise(N, 5))
    detector = Window(window=24, gap=1, min_points=4, step_by="point")
    whole = detector.detect(Series(times, values))
    for first, stop in ((300, 301), (301, 340), (355, 600), (0, 700)):
        known = slice(max(first - 24, 0), stop)
        part = detector.detect(Series(times[known], values[known]), int(times[first]))
        rows = np.searchsorted(whole.times, part.times)
        for column in ("expected", "lower", "upper", "score"):
            assert np.array_equal(
                getattr(part, column), getattr(whole, column)[rows], equal_nan=True
            ), (first, column)


@pytest.mark.parametrize("power", [-1000, -500, -390, 450, 520, 1010])
@pytest.mark.parametrize("parameters", [{}, {"method": "pct", "p": 1.0}])
def test_squares_beyond_the_range_of_numbers(power: int, parameters: dict[str, Any]) -> None:
    """The bounds are those of the same values in another unit, to the last bit."""
    values = noise(150, 7) - 100
    values[[40, 90, 91]] = np.nan, 50.0, np.inf
    detector = Window(window=20, min_points=5, step_by="point", **parameters)
    near = detector.detect(Series(hourly(150), values))
    far = detector.detect(Series(hourly(150), values * 2.0**power))
    for column in ("expected", "lower", "upper"):
        wanted = getattr(near, column) * 2.0**power
        assert np.array_equal(getattr(far, column), wanted, equal_nan=True), column
    for column in ("score", "is_anomaly", "reason"):
        assert np.array_equal(getattr(far, column), getattr(near, column), equal_nan=True), column


def test_windows_of_very_different_sizes_beside_each_other() -> None:
    values = np.concatenate([noise(100, 1) * 1e-250, noise(100, 2) * 1e250, noise(100, 3)])
    detector = Window(window=30, min_points=30, step_by="point")
    result = detector.detect(Series(hourly(300), values))
    for part, unit in ((slice(30, 101), 1e-250), (slice(130, 201), 1e250), (slice(230, 300), 1)):
        alone = detector.detect(Series(hourly(300)[part.start - 30 : part.stop],
                                       values[part.start - 30 : part.stop]))  # fmt: skip
        assert np.array_equal(result.upper[part], alone.upper[30:]), unit
        assert (result.upper[part] > 90 * unit).all()
        assert (result.upper[part] < 120 * unit).all()


def test_a_window_longer_than_any_series() -> None:
    times, values = hourly(50), noise(50)
    most = Window(window=10_000_000, min_points=5, step_by="point")
    enough = Window(window=64, min_points=5, step_by="point")
    assert same(most.detect(Series(times, values)), enough.detect(Series(times, values)))
