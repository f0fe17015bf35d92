"""Series tested side by side against the test of one, bit for bit."""

from dataclasses import fields

import numpy as np
import pytest

from detectors import Series
from detectors.frame import Frame, Request, frames
from detectors.seasonal_esd import SeasonalESD
from detectors.seasonal_esd.as_given import outcome_as_given
from detectors.seasonal_esd.bands import bands_of
from detectors.seasonal_esd.columns import Columns
from detectors.seasonal_esd.side_by_side import whole_rows
from detectors.series import Floats
from tests.detectors.cases import daily

N, COUNT = 90, 21


def family() -> Floats:
    """Noise, whole numbers with ties, a constant, a shelf of zeros, one gap, far outliers."""
    rng = np.random.default_rng(5)
    rows = 10 * np.sin(np.arange(N) * 2 * np.pi / 7) + rng.standard_t(2, (COUNT, N))
    rows[1] = np.round(rows[1])
    rows[2] = 7.0
    rows[3, 5:] = 0.0
    rows[4, 40] = np.nan
    rows[5, 30] = 1e300
    rows[6] *= 1e-200
    return rows


def frame_of(detector: SeasonalESD, first: int) -> Frame:
    times = daily(N)
    series = [Series(times, row) for row in family()]
    request = Request(start_ms=int(times[first]))
    ((_, frame),) = frames(series, request, detector._baseline_rules)
    assert isinstance(frame, Frame)
    return frame


@pytest.mark.parametrize("first", [0, 80])
@pytest.mark.parametrize("direction", ["both", "up", "down"])
@pytest.mark.parametrize("max_anomalies", [0.0, 0.1, 0.49])
def test_a_row_has_the_bits_of_a_series_alone(
    direction: str, max_anomalies: float, first: int
) -> None:
    detector = SeasonalESD(direction=direction, max_anomalies=max_anomalies)  # type: ignore[arg-type]
    frame = frame_of(detector, first)
    whole = whole_rows(detector, frame)
    assert whole.tolist() == [row != 4 for row in range(COUNT)]
    bands = bands_of(detector, frame)
    for row in range(COUNT):
        alone = outcome_as_given(detector, frame, row)
        for name in (item.name for item in fields(Columns)):
            column = np.broadcast_to(getattr(bands, name), bands.expected.shape)
            wanted = getattr(alone, name)[first:]
            assert column[row].tobytes() == wanted.tobytes(), (row, name)


@pytest.mark.parametrize(
    "parameters",
    [{"longterm": 30}, {"threshold": "p95"}, {"exclude": [("2025-09-05", "2025-09-06")]}],
)
def test_what_needs_more_is_tested_one_by_one(parameters: dict[str, object]) -> None:
    detector = SeasonalESD(**parameters)  # type: ignore[arg-type]
    assert not whole_rows(detector, frame_of(detector, 0)).any()
