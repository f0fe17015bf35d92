"""The verdict of an explanation, computed again from nothing but its recorded facts."""

from dataclasses import dataclass
from typing import Any

from detectors.explain.cell import Cell
from detectors.explain.explanation import Explanation, Scalar
from detectors.finish import OutputRules
from detectors.result import Direction, Reason, Severity

# Field of the cell -> the step that records it, and the fact's name where that differs.
_HOMES = {
    "value": ("value", "value"),
    "expected": ("baseline", "expected"),
    "baseline_size": ("baseline", "baseline_size"),
    "insufficient": ("baseline", "insufficient"),
    "spreadless": ("baseline", "spreadless"),
    "lower": ("bound", "band_lower"),
    "upper": ("bound", "band_upper"),
    "centre": ("bound", "centre"),
    "member": ("bound", "member"),
    "score": ("bound", "member_score"),
    "difference": ("bound", "difference"),
    "severity": ("bound", "severity_if"),
    "is_last": ("missing", "is_last"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row of a result without its numbers; `score` is NaN where the point was not judged."""

    is_anomaly: bool
    score: float
    severity: Severity
    direction: Direction
    reason: Reason


def replay(explanation: Explanation) -> Verdict:
    """Judge again by the facts of an explanation.

    Parameters
    ----------
    explanation : Explanation
        As `Detector.explain` gave it, or read back from JSON.

    Raises
    ------
    KeyError
        A step is missing.
    """
    cell = Cell.read(lambda name: _fact(explanation, *_HOMES[name]))
    found = cell.decide(_rules(explanation))
    return Verdict(
        is_anomaly=bool(found.is_anomaly[0, 0]),
        score=float(found.score[0, 0]),
        severity=Severity(int(found.severity[0, 0])),
        direction=Direction(int(found.direction[0, 0])),
        reason=Reason(int(found.reason[0, 0])),
    )


def _fact(explanation: Explanation, kind: Any, name: str) -> Scalar:
    return explanation.step(kind).fact(name)


def _rules(explanation: Explanation) -> OutputRules:
    def fact(kind: Any, name: str) -> Any:
        return _fact(explanation, kind, name)

    earlier = max(fact("consecutive", "in_a_row") - 1, 0)
    return OutputRules(
        direction=fact("direction", "watched"),
        min_abs_change=fact("minimum_change", "min_abs_change"),
        min_rel_change=fact("minimum_change", "min_rel_change"),
        clip_lower=fact("bound", "clip_lower"),
        clip_upper=fact("bound", "clip_upper"),
        major=fact("verdict", "major"),
        critical=fact("verdict", "critical"),
        # The cell is judged alone: what came before it in a row has already been counted.
        consecutive=max(fact("consecutive", "needed") - earlier, 1),
        max_gap_slots=fact("consecutive", "max_gap"),
        no_data=fact("missing", "no_data"),
    )
