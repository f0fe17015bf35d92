"""A detector of each registered type, for what is measured alike for all of them."""

from detectors import detector_from_dict
from detectors.catalog import detector_types
from detectors.detector import Detector

# What a type cannot do without, or must be told on series that have no such season.
_PARAMETERS: dict[str, dict[str, object]] = {
    "threshold": {"lower": -3.0, "upper": 3.0},
    "prophet": {"engine": "direct"},
}


def example(type_: str, **parameters: object) -> Detector:
    """With its defaults but for what it needs."""
    return detector_from_dict({"type": type_, **_PARAMETERS.get(type_, {}), **parameters})


def types() -> tuple[str, ...]:
    """Every type that does its own arithmetic."""
    return tuple(type_ for type_ in detector_types() if type_ != "auto")
