"""Lasting changes in a file: a sentence each for a terminal, and their facts for programs."""

from typing import Any

import numpy as np
from rich.console import Console

from service.clock import DAY_MS, HOUR_MS
from service.notifications.change_words import change_sentence
from service.tryout.judge import Finding
from workflows.lasting import facts_of

MOST_CHANGES = 15


def show_changes(console: Console, findings: list[Finding], with_time: bool) -> None:
    """Print what changed in each series, at most 15 changes."""
    found = [(finding, one) for finding in findings for one in finding.result.changes]
    for finding, change in found[:MOST_CHANGES]:
        step_ms = HOUR_MS if with_time else DAY_MS
        at_ms = int(change.time.astype(np.int64))
        said = change_sentence(facts_of(change), at_ms, "UTC", "", "", step_ms)
        console.print(f"{finding.series.name}: {said}", markup=False)


def changes_as_json(findings: list[Finding]) -> list[dict[str, Any]]:
    """Every change with its series."""
    return [
        {
            "series": finding.series.name,
            "time": f"{change.time}Z",
            "kind": change.kind,
            "size": change.size,
            "confidence": change.confidence,
            "earliest": f"{change.earliest}Z",
            "latest": f"{change.latest}Z",
        }
        for finding in findings
        for change in finding.result.changes
    ]
