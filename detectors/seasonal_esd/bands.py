"""The series of a frame on their way to the test and back."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from detectors.bands import Bands
from detectors.frame import Frame
from detectors.seasonal_esd.as_given import outcome_as_given
from detectors.seasonal_esd.as_twitter import outcome_as_twitter
from detectors.seasonal_esd.hybrid import Outcome

if TYPE_CHECKING:
    from detectors.seasonal_esd.detector import SeasonalESD


def bands_of(detector: "SeasonalESD", frame: Frame) -> Bands:
    """Bands of a frame's series over its judged columns, each tested up to the last of them."""
    outcome_of = outcome_as_given if detector.compat is None else outcome_as_twitter
    n = frame.judged.stop
    outcomes = [outcome_of(detector, frame, row) for row in range(len(frame.values))]
    columns: dict[str, Any] = {
        item.name: np.stack([getattr(one, item.name)[frame.judged] for one in outcomes])
        for item in fields(Outcome)
    }
    values = frame.values[:, :n]
    size = np.max(np.abs(values), axis=1, keepdims=True, initial=0.0, where=~np.isnan(values))
    beyond = ~np.isfinite(columns["expected"])  # untested, or larger than any number
    columns["expected"][beyond] = np.nan
    return Bands(baseline_size=size, insufficient=beyond, **columns)
