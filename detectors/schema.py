"""JSON Schema of every detector, made from the declarations of its parameters."""

import inspect
from typing import Any

from detectors.catalog import detector_class, detector_types
from detectors.detector import Detector
from detectors.parameters import default_of, dumped, parameters_of


def json_schema(detector: type[Detector]) -> dict[str, Any]:
    """Describe one detector's parameters with types, ranges, defaults and help.

    Parameters
    ----------
    detector : class
        A registered detector class.

    Returns
    -------
    dict
        JSON Schema, draft 2020-12, of what `detector_from_dict` accepts.

    Examples
    --------
    >>> from detectors import Threshold
    >>> from detectors.schema import json_schema
    >>> json_schema(Threshold)["properties"]["severity"]["default"]
    'major'
    """
    properties: dict[str, Any] = {"type": {"const": detector.type}}
    for item in parameters_of(detector):
        properties[item.name] = {
            **item.metadata["schema"],
            "description": item.metadata["help"],
            "default": dumped(item, default_of(item)),
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": detector.__name__,
        "description": inspect.cleandoc(detector.__doc__ or "").split("\n\n")[0],
        "type": "object",
        "properties": properties,
        "required": ["type"],
        "additionalProperties": False,
    }


def json_schemas() -> dict[str, dict[str, Any]]:
    """Describe every registered detector, by type."""
    return {type_: json_schema(detector_class(type_)) for type_ in detector_types()}
