"""The one place where a detector is registered.

Classes are imported when they are asked for, so that nobody pays for a detector they do not use.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from detectors.errors import ParameterError, UnusedParameterError
from detectors.parameters import parameters_of

if TYPE_CHECKING:
    from detectors.detector import Detector

# Type as it stands in requests: module and class.
_HOMES = {
    "threshold": ("detectors.threshold", "Threshold"),
    "window": ("detectors.window", "Window"),
    "prophet": ("detectors.prophet", "Prophet"),
    "seasonal_esd": ("detectors.seasonal_esd", "SeasonalESD"),
    "trend_change": ("detectors.trend_change", "TrendChange"),
    "auto": ("detectors.auto", "Auto"),
}

CLASS_MODULES = {class_name: module for module, class_name in _HOMES.values()}
"""Module of each detector class by the class's name."""


def detector_types() -> tuple[str, ...]:
    """Name every registered type of detector."""
    return tuple(_HOMES)


def detector_class(type_: Any) -> "type[Detector]":
    """Import the class of a type of detector.

    Raises
    ------
    ParameterError
        No detector of this type is registered.
    """
    if not isinstance(type_, str) or type_ not in _HOMES:
        raise ParameterError("type", f"{type_!r} is not one of {', '.join(_HOMES)}")
    module, class_name = _HOMES[type_]
    found: type[Detector] = getattr(import_module(module), class_name)
    return found


def detector_from_dict(description: Mapping[str, Any]) -> "Detector":
    """Make a detector from its type and parameters, as a request or `to_dict` gives them.

    Parameters
    ----------
    description : mapping
        "type" and any of the type's parameters.

    Raises
    ------
    ParameterError
        The type or a parameter is unknown, or a value is not allowed.

    Examples
    --------
    >>> from detectors import detector_from_dict
    >>> detector = detector_from_dict({"type": "threshold", "lower": 0.35})
    >>> detector.lower
    0.35
    >>> detector_from_dict(detector.to_dict()) == detector
    True
    """
    if not isinstance(description, Mapping):
        raise ParameterError("detector", 'give an object such as {"type": "window"}')
    given = dict(description)
    if "type" not in given:
        raise ParameterError("type", f"is missing; give one of {', '.join(_HOMES)}")
    chosen = detector_class(given.pop("type"))
    allowed = [item.name for item in parameters_of(chosen)]
    for name in given:
        if name not in allowed:
            from difflib import get_close_matches  # noqa: PLC0415 - only for this mistake

            close = get_close_matches(str(name), allowed, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise ParameterError(
                str(name),
                f"is not a parameter of {chosen.type}; {hint}allowed: {', '.join(allowed)}",
            )
    return chosen(**given)


def detector_from_stored(description: Mapping[str, Any]) -> "Detector":
    """As `detector_from_dict`, for what was accepted before.

    Earlier versions took parameters that have no effect beside the others; they are left out.
    """
    given = dict(description)
    while True:
        try:
            return detector_from_dict(given)
        except UnusedParameterError as error:
            del given[error.field]
