"""Why a point was, or could not be, judged: in the words of an explanation, from what is stored.

Nothing is judged again for a page: baselines are told by `GET /v1/detections/{id}/explain`.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from markupsafe import Markup

from detectors.explain.sentences import (
    anomaly_words,
    bound_words,
    direction_words,
    run_words,
    silence_words,
)
from detectors.explain.words import ordinal
from service.report.facts import MetricLook
from service.report.markup import fill, joined
from service.report.text import value_text
from storage.index import Anomaly

_BY_DISTANCE = ("window", "prophet")  # their score is a distance in units of the bound's


def why_anomaly(anomaly: Anomaly, detector: Mapping[str, Any], look: MetricLook) -> Markup:
    """A few sentences that unfold without a script; nothing for what was taken back."""
    if anomaly.status == "withdrawn":
        return Markup()
    return _folded(_anomaly(anomaly, detector, look))


def _anomaly(anomaly: Anomaly, detector: Mapping[str, Any], look: MetricLook) -> Iterator[str]:
    if anomaly.value is None:
        yield silence_words(str(detector.get("no_data", "warn")), is_last=True)
        return
    lower, upper = (math.nan if one is None else one for one in (anomaly.lower, anomaly.upper))
    yield bound_words(anomaly.value, lower, upper, lambda value: value_text(value, look))
    yield from _gates(detector)
    if anomaly.score is not None:
        measured = detector.get("type") in _BY_DISTANCE
        yield anomaly_words(anomaly.severity, anomaly.score, measured)


def _gates(detector: Mapping[str, Any]) -> Iterator[str]:
    """The gates that were not open to everything; the point passed them."""
    if (direction := detector.get("direction", "both")) != "both":
        yield direction_words(str(direction))
    if (needed := int(detector.get("consecutive") or 1)) > 1:
        yield f"{run_words(needed)}; this is the {ordinal(needed)} or a later one."


def why_missing(detector: Mapping[str, Any]) -> Markup:
    """What the rule makes of steps without data."""
    return _folded([silence_words(str(detector.get("no_data", "warn")))])


def why_short() -> Markup:
    """Why points with too little history before them got no verdict."""
    return _folded(
        [
            "A verdict needs a baseline, and these series had too few points before the ones that "
            "were looked at.",
            "How many there are of a point's baseline, and how many are needed, is told by "
            "lupus-server explain.",
        ]
    )


def _folded(sentences: Iterable[str]) -> Markup:
    items = joined(fill("<li>{}</li>", sentence) for sentence in sentences)
    return fill('<details class="why"><summary>Why</summary><ol>{}</ol></details>', items)
