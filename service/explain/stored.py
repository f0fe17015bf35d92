"""The verdict that was stored of a point, beside the one that its explanation arrives at."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detectors.explain import Explanation, Fact
from detectors.result import Direction, Reason, Severity
from service.explain.step import Step
from service.notifications.wording import number_text
from storage.index import Anomaly
from workflows.judged_point import CommittedRow
from workflows.reconcile import differs

_NUMBERS = ("value", "lower", "upper", "score")
_WORDS = ("severity", "direction", "reason")


@dataclass(frozen=True)
class StoredVerdict:
    """What was stored: numbers or None, words as the API has them."""

    is_anomaly: bool
    fields: Mapping[str, Any]
    by: str  # who stored it, in words

    @classmethod
    def of_row(cls, found: CommittedRow) -> "StoredVerdict":
        """From a row of the run's results."""
        row = found.row
        words = {
            "severity": Severity(row["severity"]).name.lower(),
            "direction": Direction(row["direction"]).name.lower(),
            "reason": Reason(row["reason"]).name.lower(),
        }
        fields = {**{name: row[name] for name in _NUMBERS}, **words}
        return cls(row["is_anomaly"], fields, "The run")

    @classmethod
    def of_anomaly(cls, anomaly: Anomaly, run: str) -> "StoredVerdict":
        """From a document of the index, which a later run may have written."""
        by = "The run" if anomaly.run == run else f"Run {anomaly.run}, the last to write it,"
        if anomaly.status == "withdrawn":
            return cls(False, {"reason": anomaly.reason, "value": anomaly.value}, by)
        return cls(True, {name: getattr(anomaly, name) for name in (*_NUMBERS, *_WORDS)}, by)


def stored_step(explanation: Explanation, stored: StoredVerdict | None, as_read: bool) -> Step:
    """Whether both agree, and why they may not; ``as_read``: by the very points of the run."""
    if stored is None:
        return Step(
            "stored", "No verdict of the run is kept to compare with.", (Fact("agrees", None),)
        )
    verdict = explanation.step("verdict")
    told = {name: verdict.fact(name) for name in ("score", *_WORDS)}
    told["value"] = explanation.step("value").fact("value")
    told["lower"], told["upper"] = (
        _finite(explanation.step("bound").fact(side)) for side in ("lower", "upper")
    )
    apart = [name for name in stored.fields if _differs(name, told[name], stored.fields[name])]
    if stored.is_anomaly != verdict.fact("is_anomaly"):
        apart.insert(0, "is_anomaly")
    facts = (
        Fact("agrees", not apart),
        Fact("is_anomaly", stored.is_anomaly),
        *(Fact(name, value) for name, value in stored.fields.items()),
    )
    if not apart:
        return Step("stored", f"{stored.by} stored the same verdict.", facts)
    another = f"{stored.by} stored another verdict: {_verdict_words(stored)}."
    says = f"{another} {_why(told, stored, as_read)}"
    return Step("stored", says, (*facts, Fact("differs", ", ".join(apart))))


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _differs(name: str, told: Any, stored: Any) -> bool:
    return differs(told, stored) if name in _NUMBERS else told != stored


def _verdict_words(stored: StoredVerdict) -> str:
    if stored.is_anomaly:
        score = stored.fields["score"]
        scored = "" if score is None else f" with a score of {score:.6g}"
        return f"an anomaly, {stored.fields['severity']}{scored}"
    return f"no anomaly ({str(stored.fields['reason']).replace('_', ' ')})"


def _why(told: Mapping[str, Any], stored: StoredVerdict, as_read: bool) -> str:
    if as_read:
        return "It judged the same points, so another version of the detector did."
    if differs(told["value"], stored.fields["value"]):
        before, now = (number_text(one) for one in (stored.fields["value"], told["value"]))
        return f"The point was written again since: {before} then, {now} now."
    return "Points that it is compared with were written or removed since."
