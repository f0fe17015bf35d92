"""The series of a frame on their way to the test and back."""

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from detectors.bands import Bands
from detectors.frame import Frame
from detectors.seasonal_esd import side_by_side
from detectors.seasonal_esd.as_given import outcome_as_given
from detectors.seasonal_esd.as_twitter import outcome_as_twitter
from detectors.seasonal_esd.columns import Columns

if TYPE_CHECKING:
    from detectors.seasonal_esd.detector import SeasonalESD


def bands_of(detector: "SeasonalESD", frame: Frame) -> Bands:
    """Bands of a frame's series over its judged columns, each tested up to the last of them."""
    outcome_of = outcome_as_given if detector.compat is None else outcome_as_twitter
    values = frame.values[:, : frame.judged.stop]
    whole = side_by_side.whole_rows(detector, frame)
    shape = (len(values), frame.judged.stop - frame.judged.start)
    columns = Columns.empty(shape, alike=bool(whole.all()))
    side_by_side.fill(detector, frame, np.flatnonzero(whole), columns)
    for row in np.flatnonzero(~whole).tolist():
        columns.put(row, outcome_of(detector, frame, row), frame.judged)
    beyond = ~np.isfinite(columns.expected)  # untested, or larger than any number
    columns.expected[beyond] = np.nan
    return Bands(
        insufficient=beyond,
        **{item.name: getattr(columns, item.name) for item in fields(columns)},
    )
