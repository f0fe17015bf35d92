"""NAB's scoring rule.

Every file has labelled windows. The first alarm of a window earns up to one weight of a true
positive, the more the earlier; a window without any costs one weight of a false negative; an alarm
outside costs up to one weight of a false positive, less right after a window. A detector gives one
number per row, and one threshold for all files, the best one, makes alarms of them. The sum is
given between what no alarm at all scores (0) and what an alarm at every window's first row and
nowhere else scores (100).

A. Lavin, S. Ahmad, "Evaluating Real-time Anomaly Detection Algorithms", arXiv:1510.03336 (2015).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.series import Floats

Rows = NDArray[np.int64]
Windows = Sequence[tuple[int, int]]

PROBATION = 0.15
"""Leading share of a file in which detectors may learn and nothing counts."""
LONGEST_PROBATION = 750
_FAR = 3.0  # widths past a window from where on a false alarm costs all
_OUTSIDE = -1


@dataclass(frozen=True)
class Weights:
    """What a profile thinks of each outcome."""

    true_positive: float
    false_negative: float
    false_positive: float


@dataclass(frozen=True, eq=False)
class Worth:
    """What an alarm at each row is worth, and in which window it lies; -1 is none."""

    of_row: Floats
    window: Rows
    windows: int
    counts: NDArray[np.bool_]


def probation_rows(n: int) -> int:
    """Rows at the start of a file of n rows that do not count."""
    return min(int(PROBATION * n), LONGEST_PROBATION)


def worth(n: int, windows: Windows, weights: Weights) -> Worth:
    """Value each of n rows as if it were an alarm.

    Parameters
    ----------
    windows : sequence of (first, last)
        Rows, inclusive, ascending, without overlap.
    """
    rows = np.arange(n)
    of_row = np.full(n, -weights.false_positive)
    window = np.full(n, _OUTSIDE)
    for index, (first, last) in enumerate(windows):
        width = last - first + 1
        past = (rows[last + 1 :] - last) / max(width - 1, 1)
        of_row[last + 1 :] = _sigmoid(past) * weights.false_positive
        inside = slice(first, last + 1)
        position = -(last - rows[inside] + 1) / width
        of_row[inside] = weights.true_positive * _sigmoid(position) / _sigmoid(np.array([-1.0]))
        window[inside] = index
    counts = rows >= probation_rows(n)
    return Worth(of_row, window, len(windows), counts)


def best_score(
    scores: Sequence[Floats], worths: Sequence[Worth], weights: Weights
) -> tuple[float, float]:
    """Normalised score at the best threshold of all, and that threshold.

    Parameters
    ----------
    scores : sequence of ndarray of float64, shape (rows of the file,)
        Larger is more anomalous; one array for each file. Rows of 0 or NaN are never alarms.
    """
    score, of_row, window = _together(scores, worths)
    raised = score > 0
    score, of_row, window = score[raised], of_row[raised], window[raised]
    order = np.argsort(-score, kind="stable")
    score, of_row, window = score[order], of_row[order], window[order]
    gained = np.cumsum(_gains(of_row, window, weights))
    last_of_ties = np.append(score[1:] != score[:-1], True)
    totals = np.append(0.0, gained[last_of_ties]) if len(score) else np.zeros(1)
    thresholds = np.append(np.inf, score[last_of_ties]) if len(score) else np.array([np.inf])
    best = int(np.argmax(totals))
    return _normal(float(totals[best]), worths, weights), float(thresholds[best])


def score_at(
    threshold: float, scores: Sequence[Floats], worths: Sequence[Worth], weights: Weights
) -> float:
    """Normalised score with the alarms of one threshold."""
    return _normal(_gained_at(threshold, scores, worths, weights), worths, weights)


def held_out_score(
    scores: Sequence[Floats], worths: Sequence[Worth], weights: Weights, groups: Sequence[str]
) -> float:
    """Normalised score where the threshold of each group of files is the best one of the others.

    Parameters
    ----------
    groups : sequence of str
        Group of each file; at least two groups.
    """
    gained = 0.0
    for group in set(groups):
        own = [at for at, one in enumerate(groups) if one == group]
        others = [at for at, one in enumerate(groups) if one != group]
        _, threshold = best_score(
            [scores[at] for at in others], [worths[at] for at in others], weights
        )
        gained += _gained_at(
            threshold, [scores[at] for at in own], [worths[at] for at in own], weights
        )
    return _normal(gained, worths, weights)


def _gained_at(
    threshold: float, scores: Sequence[Floats], worths: Sequence[Worth], weights: Weights
) -> float:
    score, of_row, window = _together(scores, worths)
    raised = (score >= threshold) & (score > 0)
    return float(_gains(of_row[raised], window[raised], weights).sum())


def _together(scores: Sequence[Floats], worths: Sequence[Worth]) -> tuple[Floats, Floats, Rows]:
    """All rows that count; windows numbered through."""
    offsets = np.cumsum([0, *(one.windows for one in worths)])
    windows = [
        np.where(one.window == _OUTSIDE, _OUTSIDE, one.window + offset)[one.counts]
        for one, offset in zip(worths, offsets[:-1], strict=True)
    ]
    return (
        np.concatenate([s[w.counts] for s, w in zip(scores, worths, strict=True)]),
        np.concatenate([w.of_row[w.counts] for w in worths]),
        np.concatenate(windows),
    )


def _gains(of_row: Floats, window: Rows, weights: Weights) -> Floats:
    """What each alarm adds to those before it: within a window only the best counts."""
    gains = of_row.copy()
    for index in np.unique(window[window != _OUTSIDE]):
        rows = np.flatnonzero(window == index)
        best = np.maximum.accumulate(of_row[rows])
        # Found is not missed any more.
        gains[rows] = np.diff(best, prepend=-weights.false_negative)
    return gains


def _normal(gained: float, worths: Sequence[Worth], weights: Weights) -> float:
    windows = sum(one.windows for one in worths)
    return 100 * gained / (windows * (weights.true_positive + weights.false_negative))


def _sigmoid(position: Floats) -> Floats:
    """1 well before a window's end, 0 at it, -1 well after it; positions in window widths."""
    values: Floats = np.where(position > _FAR, -1.0, 2 / (1 + np.exp(5 * position)) - 1)
    return values
