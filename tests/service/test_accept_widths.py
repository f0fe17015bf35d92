"""Widths that requests get for the step of what they select, unless the caller named one."""

from typing import Any

import pytest

from service.accept_defaults import detector_with_defaults
from storage.source import SourceSpec

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
STEPS = {"clicks": MINUTE, "ctr": HOUR, "ndcg": DAY}


def added(detector: dict[str, Any], *selected: str) -> dict[str, Any]:
    source = SourceSpec("shop", "UTC", steps_ms=STEPS)
    complete = detector_with_defaults(detector, selected, selected, source)
    return {name: complete[name] for name in complete.keys() - detector - {"min_rel_change"}}


@pytest.mark.parametrize(
    ("detector", "selected", "wanted"),
    [
        ({"type": "window"}, ("ndcg",), {}),
        ({"type": "window"}, ("ctr",), {"k": 4.0}),
        ({"type": "window"}, ("clicks",), {"k": 5.0}),
        ({"type": "window"}, ("ndcg", "ctr"), {"k": 4.0}),
        ({"type": "window"}, ("nobody-knows",), {}),
        ({"type": "window", "method": "robust"}, ("ctr",), {"k": 4.5}),
        ({"type": "window", "method": "pct"}, ("ctr",), {}),
        ({"type": "window", "k": 3.0}, ("ctr",), {}),
        ({"type": "window", "method": []}, ("ctr",), {}),
        ({"type": "prophet"}, ("ndcg",), {"min_points": 60, "interval_width": 0.9995}),
        ({"type": "prophet", "min_points": 30}, ("ndcg",), {"interval_width": 0.9995}),
        ({"type": "prophet"}, ("ctr",), {"interval_width": 0.99999}),
        ({"type": "prophet", "interval_width": 0.9}, ("ctr",), {}),
        ({"type": "seasonal_esd"}, ("ctr",), {}),
        ({"type": "auto"}, ("ctr",), {}),
        ({"type": "threshold", "upper": 1.0}, ("ctr",), {}),
    ],
)
def test_bands_are_as_wide_as_the_finest_step_needs(
    detector: dict[str, Any], selected: tuple[str, ...], wanted: dict[str, float]
) -> None:
    assert added(detector, *selected) == wanted
