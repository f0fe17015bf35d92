"""The catalog: descriptions become detectors, or one clear refusal."""

from typing import Any

import pytest

from detectors import ParameterError, Threshold, Window, detector_from_dict
from detectors.catalog import detector_types
from detectors.schema import json_schemas


def test_these_types_are_registered() -> None:
    assert detector_types() == (
        "threshold", "window", "prophet", "seasonal_esd", "trend_change", "auto"
    )  # fmt: skip
    assert tuple(json_schemas()) == detector_types()


def test_a_description_becomes_the_detector_it_describes() -> None:
    made = detector_from_dict({"type": "window", "method": "robust", "window": "4w", "k": 4})
    assert isinstance(made, Window)
    assert made.k == 4.0
    assert made.to_dict()["window"] == "28d"


def test_the_description_is_left_as_it_was() -> None:
    description = {"type": "threshold", "lower": {"warning": 1}}
    detector = detector_from_dict(description)
    assert description == {"type": "threshold", "lower": {"warning": 1}}
    assert isinstance(detector, Threshold)
    assert detector.lower is not description["lower"]


@pytest.mark.parametrize(
    ("description", "field", "message"),
    [
        ({}, "type", "one of threshold, window"),
        ({"type": "magic"}, "type", "'magic' is not one of threshold, window"),
        ({"type": ["window"]}, "type", "is not one of"),
        ({"type": "window", "widow": 3}, "widow", "did you mean window"),
        ({"type": "window", "zzz": 3}, "zzz", "allowed: timezone, direction"),
        ({"type": "window", "k": 0}, "k", "> 0"),
        ({"type": "window", "method": "mean"}, "method", "one of z, robust, pct, quantile"),
        ({"type": "window", "window": 0}, "window", "longer than nothing"),
        ({"type": "window", "window": "7d", "gap": "7d"}, "gap", "shorter than the window"),
        ({"type": "window", "window": "seven"}, "window", "28d"),
        ({"type": "window", "p": None}, "p", "a number"),
        ("window", "detector", "give an object"),
    ],
)
def test_a_wrong_description_is_refused_by_field(
    description: Any, field: str, message: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        detector_from_dict(description)
    assert caught.value.field == field
    assert message in caught.value.message
