"""A request for a detection, from what people say about it."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from lupus.client.instant import instant
from lupus.client.sent import Sent

Names = Union[str, Sequence[str]]
Detector = Union[str, Mapping[str, Any]]
After = Union[None, str, Sent, Sequence[Union[str, Sent]]]


def question(
    source: str,
    metric: Names,
    detector: Detector,
    *,
    last: Optional[str] = None,
    start: Any = None,
    end: Any = None,
    after: After = None,
    rule: Optional[str] = None,
    **more: Any,
) -> dict[str, Any]:
    """Give the body of a request; what is wrong with it, the service says.

    Without a rule nothing is stored, unless ``store`` says so.
    """
    asked: dict[str, Any] = {
        "source": source,
        "metric": [metric] if isinstance(metric, str) else list(metric),
        "detector": {"type": detector} if isinstance(detector, str) else dict(detector),
        "range": _range(last, start, end, more),
    }
    if ids := _ids(after):
        asked["after"] = ids
    if rule is None:
        asked["store"] = False
    else:
        asked["rule"] = rule
    return {**asked, **{name: value for name, value in more.items() if value is not None}}


def _range(last: Optional[str], start: Any, end: Any, more: dict[str, Any]) -> dict[str, str]:
    given = {
        "last": last,
        "start": None if start is None else instant(start),
        "end": None if end is None else instant(end),
        "align": more.pop("align", None),
        "delay": more.pop("delay", None),
    }
    return {name: value for name, value in given.items() if value is not None}


def _ids(after: After) -> list[str]:
    some = [after] if isinstance(after, (str, Sent)) else after or []
    found: list[str] = []
    for one in some:
        found += [one] if isinstance(one, str) else one.ingests
    return found
