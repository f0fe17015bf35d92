"""The test of many series without gaps, to the bits of each alone."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detectors.frame import Frame
from detectors.result import Flags
from detectors.seasonal_esd.as_given import fewest_points, steps_of
from detectors.seasonal_esd.columns import Columns
from detectors.seasonal_esd.critical import critical_values
from detectors.seasonal_esd.hybrid import NOTHING, TAILS
from detectors.seasonal_esd.removal import judge_rows
from detectors.seasonal_esd.stl import periodic_stl
from detectors.seasonal_esd.twitter import at_least_one
from detectors.series import Floats

if TYPE_CHECKING:
    from detectors.seasonal_esd.detector import SeasonalESD

_CELLS = 1 << 16  # at a time: what is worked with stays in the processor's cache


def whole_rows(detector: "SeasonalESD", frame: Frame) -> Flags:
    """Which series of a frame can be tested side by side, shape (s,)."""
    n = frame.judged.stop
    values = frame.values[:, :n]
    plain = (
        detector.compat is None
        and detector.longterm is None
        and detector.threshold is None
        and len(detector.periods_slots(frame.grid)) == 1
        and bool(frame.usable[:n].all())
        and n >= fewest_points(detector, detector.period_slots(frame.grid))
    )
    if not plain:
        return np.zeros(len(values), bool)
    return np.logical_not(np.isnan(values).any(axis=1))


def fill(detector: "SeasonalESD", frame: Frame, rows: NDArray[np.int64], columns: Columns) -> None:
    """Test some series of a frame up to the last judged slot and fill their rows."""
    n = frame.judged.stop
    height = max(_CELLS // max(n, 1), 1)
    for first in range(0, len(rows), height):
        part = rows[first : first + height]
        run = part[-1] - part[0] + 1 == len(part)
        _fill(detector, frame, slice(part[0], part[-1] + 1) if run else part, columns)


@np.errstate(over="ignore")  # as in run_test
def _fill(
    detector: "SeasonalESD", frame: Frame, rows: slice | NDArray[np.int64], columns: Columns
) -> None:
    n, first = frame.judged.stop, frame.judged.start
    values = frame.values[rows, :n]
    level = _medians(values)[:, np.newaxis]
    about = values - level
    seasonal, trend = periodic_stl(about, detector.period_slots(frame.grid))
    residuals = np.subtract(about, seasonal, out=about)
    tails = TAILS[detector.direction]
    steps = steps_of(n, n, at_least_one(detector.max_anomalies, n))
    critical = critical_values(n, steps, detector.alpha, 1 if tails else 2)
    nothing = NOTHING * np.maximum(values.max(axis=1), -values.min(axis=1))
    shape = (len(values), n - first)
    member, score = np.empty(shape, bool), np.empty(shape)
    centre, half, reach = np.empty((3, len(values)))
    judge_rows(residuals, np.sort(residuals, axis=1), critical, nothing, tails, True, first,
               member, score, centre, half, reach)  # fmt: skip
    seasonal, trend = seasonal[:, first:], trend[:, first:]
    columns.member[rows], columns.score[rows] = member, score
    columns.expected[rows] = seasonal + (level + centre[:, np.newaxis])
    trend += level
    trend += seasonal
    columns.expected_trend[rows] = trend
    columns.half[rows] = np.maximum(half, nothing)[:, np.newaxis]
    columns.spreadless[rows] = (reach == 0)[:, np.newaxis]


def _medians(values: Floats) -> Floats:
    n = values.shape[1]
    ordered = np.sort(values, axis=1)  # in less time than numpy's partition
    medians: Floats = (ordered[:, (n - 1) // 2] + ordered[:, n // 2]) / 2
    return medians
