"""Why the points of a file at one time were, were not, or could not be judged anomalies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from rich.console import Console

from detectors import DetectorError, detector_from_dict
from detectors.explain import Explanation
from detectors.explain.words import utc
from detectors.instants import epoch_ms
from service.explain.show import show_steps
from service.tryout.errors import TryError
from service.tryout.judge import Finding

MOST_SHOWN = 10


@dataclass(frozen=True)
class ExplainedSeries:
    """One series of the file and its point, or why it has none."""

    name: str
    explanation: Explanation | None
    refused: str = ""


def explain_findings(
    findings: Sequence[Finding],
    parameters: Mapping[str, Any],
    start: np.datetime64 | None,
    text: str | None,
    timezone: str,
) -> list[ExplainedSeries]:
    """Explain each series' point at a time, if one is given; TryError when none has one."""
    if text is None:
        return []
    detector, time_ms = detector_from_dict(dict(parameters)), _time_ms(text, timezone)
    found = []
    for finding in findings:
        series = finding.series
        try:
            explanation = detector.explain(series.series, time_ms, start)
        except DetectorError as error:
            found.append(ExplainedSeries(series.name, None, str(error)))
        else:
            found.append(ExplainedSeries(series.name, explanation))
    if found and all(one.explanation is None for one in found):
        raise TryError(f"--explain: {found[0].name}: {found[0].refused}")
    return found


def _time_ms(text: str, timezone: str) -> int:
    """RFC 3339, or a date or a time without an offset in the zone, as in the file."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and len(text) > len("2026-11-08"):
            return round(moment.replace(tzinfo=ZoneInfo(timezone)).timestamp() * 1000)
        found = epoch_ms("time", text, timezone)
    except (ValueError, DetectorError):
        found = None
    if found is None:
        raise TryError(f"--explain {text!r}: give a date or a time such as 2026-11-08T09:00")
    return found


def show_explanations(console: Console, found: Sequence[ExplainedSeries]) -> None:
    """Print the steps of each series, and which series have no such point."""
    shown = [one for one in found if one.explanation is not None]
    for one in shown[:MOST_SHOWN]:
        assert one.explanation is not None
        console.print()
        steps = [(step.kind, step.says) for step in one.explanation.steps]
        show_steps(console, f"{one.name} at {utc(one.explanation.time_ms)}", steps)
    if len(shown) > MOST_SHOWN:
        more = len(shown) - MOST_SHOWN
        console.print(f"\n… and {more} more series; --json has all of them")
    for one in found:
        if one.explanation is None:
            console.print(f"\n{one.name}: {one.refused}", markup=False)


def as_json(found: Sequence[ExplainedSeries]) -> dict[str, list[dict[str, Any]]]:
    """The same as JSON, if anything was asked for."""
    told = [
        {"series": one.name, "error": one.refused}
        if one.explanation is None
        else {"series": one.name, **one.explanation.to_dict()}
        for one in found
    ]
    return {"explanations": told} if told else {}
