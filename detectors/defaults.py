"""What a request for a detection leaves open, and the step and the time zone of a series answer."""

from collections.abc import Mapping
from typing import Any

from detectors.auto.quiet import quiet

# 1001 rows after 28 days of 1000 is no page (design of the detectors).
MIN_REL_CHANGE = 0.01
_SMALL_CHANGE_TYPES = ("window", "prophet", "auto")
_DEFAULT_ZONE = "UTC"  # of every detector


def request_defaults(
    parameters: Mapping[str, Any], step_ms: int, timezone: str = "UTC"
) -> dict[str, Any]:
    """Give a detector's parameters with the defaults that every request gets.

    Days, seasons, holidays and grids are those of the time zone unless the caller named one. Window
    and Prophet ignore changes below 1 % unless the caller said which changes are small, and their
    bands are as wide as keeps calm series quiet at the step.

    Parameters
    ----------
    parameters : mapping
        ``type`` and what the caller said.
    step_ms : int
        The finest step of the series, in milliseconds.
    timezone : str
        IANA name.

    Examples
    --------
    >>> request_defaults({"type": "window"}, 3_600_000)
    {'type': 'window', 'min_rel_change': 0.01, 'k': 4.0}
    """
    complete = dict(parameters)
    if timezone != _DEFAULT_ZONE:
        complete.setdefault("timezone", timezone)
    said_small = {"min_rel_change", "min_abs_change"} & complete.keys()
    type_ = str(complete.get("type"))
    if type_ in _SMALL_CHANGE_TYPES and not said_small:
        complete["min_rel_change"] = MIN_REL_CHANGE
    for name, value in quiet(type_, step_ms, str(complete.get("method", "z"))).items():
        complete.setdefault(name, value)
    return complete
