"""What a request leaves open and the catalog answers: steps, directions, small changes."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from detectors.defaults import request_defaults
from detectors.detector import Detector
from detectors.errors import ParameterError
from storage.conditions import glob_regex, is_glob
from storage.local_time import DAY_MS
from storage.source import SourceSpec

_GOOD_TO_DIRECTION = {"up": "down", "down": "up"}


def selected_metrics(asked: Sequence[str], known: Collection[str]) -> list[str]:
    """Known names that the names and globs select, and names nobody knows yet."""
    found = {name for name in asked if not is_glob(name)}
    for glob in filter(is_glob, asked):
        pattern = re.compile(glob_regex(glob))
        found.update(name for name in known if pattern.search(name))
    return sorted(found)


def coarsest_step(selected: Sequence[str], source: SourceSpec) -> int | None:
    """The longest known step of the selected metrics."""
    return max(
        (source.steps_ms[name] for name in selected if name in source.steps_ms), default=None
    )


def detector_with_defaults(
    detector: Mapping[str, Any], asked: Sequence[str], selected: Sequence[str], source: SourceSpec
) -> dict[str, Any]:
    """The detector as the steps get it.

    First come the defaults of every request, at the finest step of the selected metrics; one whose
    step nobody knows is taken for daily.
    When every selected metric declares the same good direction, only the other one is watched;
    when every metric is asked for by name and declares the same clip, bands stay within it.
    A threshold gets neither, because its bounds say it already.
    """
    step_ms = min((source.steps_ms[m] for m in selected if m in source.steps_ms), default=DAY_MS)
    complete = request_defaults(detector, step_ms, source.timezone)
    if complete.get("type") == "threshold":
        return complete
    if watched := _GOOD_TO_DIRECTION.get(str(_agreed(source, selected, "good"))):
        complete.setdefault("direction", watched)
    # A glob declares nothing: it may select metrics that nobody has described yet.
    if clip := _agreed(source, asked, "clip"):
        complete.setdefault("clip_lower", clip[0])
        complete.setdefault("clip_upper", clip[1])
    return complete


def check_steps(detector: Detector, selected: Sequence[str], source: SourceSpec) -> None:
    """Raise ParameterError where the known steps say that no selected metric could be judged."""
    refusals = []
    for name in selected:
        if name not in source.steps_ms:
            return
        try:
            detector.check_step(timedelta(milliseconds=source.steps_ms[name]))
        except ParameterError as error:
            refusals.append(error)
        else:
            return
    if refusals:
        raise refusals[0]


def _agreed(source: SourceSpec, metrics: Sequence[str], fact: str) -> Any:
    """What all the metrics declare; None when they differ or one declares nothing."""
    declared = [source.metrics.get(name, {}).get(fact) for name in metrics]
    return declared[0] if declared and all(one == declared[0] for one in declared) else None
