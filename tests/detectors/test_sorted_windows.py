"""Sorted windows that are carried on are, to the last bit, those that are sorted anew."""

import numpy as np
import pytest

from detectors import Series, Window
from detectors.series import Floats, Millis
from detectors.window.sorted_windows import sorted_windows
from detectors.window.statistics import MODES, Statistics
from tests.detectors.cases import hourly, noise

N = 400


def course(kind: str) -> Floats:
    rng = np.random.default_rng(4)
    values = noise(N, 4)
    made: dict[str, Floats] = {
        "plain": values,
        "ties": np.round(values),
        "zeros": rng.choice([-0.0, 0.0, 1.0, -1.0], N, p=[0.45, 0.45, 0.05, 0.05]),
        "gaps": np.where(rng.random(N) < 0.3, np.nan, values),
        "long gap": np.where((np.arange(N) > 150) & (np.arange(N) < 250), np.nan, values),
        "constant": np.full(N, 1 / 3),
        "large": values * 1e306,
        "one large": np.where(np.arange(N) == 200, 1e308, values),
    }
    return made[kind]


def told(values: Floats, first: Millis, stop: Millis, mode: str) -> Statistics:
    found = Statistics(*(np.empty((1, len(first))) for _ in Statistics._fields))
    sorted_windows(values[np.newaxis], first, stop, MODES[mode], found)
    return found


@pytest.mark.parametrize("step", [1, 3, 24, 60])
@pytest.mark.parametrize(
    "kind",
    ["plain", "ties", "zeros", "gaps", "long gap", "constant", "large", "one large"],
)
@pytest.mark.parametrize("mode", MODES)
def test_windows_that_slide_are_as_each_alone(mode: str, kind: str, step: int) -> None:
    values = course(kind)
    stop = np.arange(0, N, step)
    first = np.maximum(stop - 70, 0)
    together = told(values, first, stop, mode)
    for j in range(len(stop)):
        alone = told(values, first[j : j + 1], stop[j : j + 1], mode)
        for one, other in zip(together, alone, strict=True):
            assert one[:, j].tobytes() == other[:, 0].tobytes()


def test_the_median_and_the_spread_are_those_of_their_definitions() -> None:
    values = course("gaps")
    result = Window(method="robust", window=50, step_by="point").detect(Series(hourly(N), values))
    found = told(values, np.arange(N - 50), np.arange(50, N), "robust")
    for j in range(0, N - 50, 7):
        known = values[j : j + 50][~np.isnan(values[j : j + 50])]
        median = np.median(known)
        assert found.centre[0, j] == pytest.approx(median, rel=1e-15)
        mad = 1.4826 * np.median(np.abs(known - median))
        assert found.below[0, j] == found.above[0, j] == pytest.approx(mad, rel=1e-14)
        assert found.points[0, j] == len(known)
    assert (
        np.array_equal(result.expected[50:], found.centre[0], equal_nan=True)
        or np.isnan(result.expected[50:][result.expected[50:] != found.centre[0]]).all()
    )
