"""What abnormal series have in common: labels whose series are abnormal more often than others."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from service.report.facts import Share

MOST_SHARES = 6
_LEAST_SERIES = 3  # two series have something in common by chance
_LEAST_DEVIATIONS = 3.0  # beyond what chance would give


def shares(
    abnormal: Sequence[Mapping[str, str]], looked_at: int, with_label: Counter[tuple[str, str]]
) -> list[Share]:
    """Values of labels that stand out, those that explain most first.

    ``looked_at`` counts all series and ``with_label`` those with a value; 0 where nobody knows.
    """
    hit = Counter(pair for labels in abnormal for pair in labels.items())
    usual = len(abnormal) / looked_at if looked_at else 0.0
    found = []
    for (label, value), count in hit.items():
        total = max(with_label[label, value], count) if looked_at else None
        if count < _LEAST_SERIES or total == looked_at:
            continue  # what all have explains nothing
        if count * 2 > len(abnormal) if total is None else _stands_out(count, total, usual):
            found.append(Share(label, value, count, total))
    # Series beyond what chance would give: many of few weigh less than most of many.
    found.sort(key=lambda one: (usual * (one.total or 0) - one.abnormal, one.label, one.value))
    return found[:MOST_SHARES]


def _stands_out(count: int, total: int, usual: float) -> bool:
    spread = math.sqrt(total * usual * (1 - usual))
    return count - total * usual >= _LEAST_DEVIATIONS * spread
