"""A lasting change as anomalies carry it: its facts, without the date, which is the anomaly's."""

from typing import Any

import numpy as np

from detectors.result import Change


def facts_of(change: Change) -> dict[str, Any]:
    """The facts of a detector's change, as JSON."""
    return {
        "kind": change.kind,
        "size": change.size,
        "confidence": change.confidence,
        "earliest_ms": int(change.earliest.astype(np.int64)),
        "latest_ms": int(change.latest.astype(np.int64)),
    }
