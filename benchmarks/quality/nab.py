"""Our detectors and two others on NAB's files, scored by NAB's rule."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.configurations import Description
from benchmarks.quality.nab_files import NabFile, Times, profiles, read_files, recorded_flags
from benchmarks.quality.nab_score import (
    Weights,
    Worth,
    best_score,
    held_out_score,
    score_at,
    worth,
)
from benchmarks.quality.windowed_gaussian import windowed_gaussian
from detectors import Result, detector_from_dict
from detectors.episodes import REACH
from detectors.result import Flags
from detectors.series import Floats

CONFIGURATIONS: Mapping[str, Description] = {
    "window": {"type": "window", "season": "hour_of_day", "window": "90d", "step_by": "point"},
    "window, without a season": {
        "type": "window",
        "window": 6400,
        "min_points": 10,
        "step_by": "point",
    },
    "window, a baseline a day": {"type": "window", "season": "hour_of_day", "window": "28d"},
    "prophet": {"type": "prophet", "history_length": "14d"},
    "seasonal_esd": {
        "type": "seasonal_esd",
        "period": 288,
        "max_anomalies": 0.002,
        "compat": "twitter",
    },
}
"""One for all files. The files have gaps, which only `compat` lets seasonal ESD pass over."""

MERGED = timedelta(hours=8)
"""Alarms at most so far apart are one episode, on whichever side."""
_THRESHOLDS = 40  # tried for episodes
_JUST_BEYOND = np.nextafter(1.0, 2.0)  # what is not anomalous scores 1 at most


def measured(place: Path) -> Iterator[dict[str, Any]]:
    """One row for each detector: its scores by profile, point by point and by episodes."""
    files = read_files(place)
    flags = recorded_flags(place)
    named: dict[str, tuple[str, list[Floats]]] = {
        "Twitter ADVec, recorded flags": ("published 47.06, 33.61, 53.50", []),
        "windowed Gaussian, own": ("published 39.65, 20.87, 47.41", []),
    }
    for file in files:
        flagged = np.zeros(len(file.values))
        flagged[flags[file.name]] = 1.0
        named["Twitter ADVec, recorded flags"][1].append(flagged)
        named["windowed Gaussian, own"][1].append(windowed_gaussian(file.values))
    for name, (note, scores) in named.items():
        yield {"detector": name, "note": note, **_scored(place, files, scores)}
    for name, description in CONFIGURATIONS.items():
        detector = detector_from_dict(description)
        scores = [_scores(file, detector.try_many([file.series])[0]) for file in files]
        yield {"detector": name, "note": dict(description), **_scored(place, files, scores)}


def _scores(file: NabFile, outcome: object) -> Floats:
    """The detector's score of each row; 0 where it gave no verdict."""
    if not isinstance(outcome, Result):
        return np.zeros(len(file.values))
    at = np.minimum(np.searchsorted(outcome.times, file.times), len(outcome) - 1)
    found = outcome.times[at] == file.times
    return np.where(found, np.nan_to_num(outcome.score[at]), 0.0)


def _scored(place: Path, files: Sequence[NabFile], scores: Sequence[Floats]) -> dict[str, Any]:
    found: dict[str, dict[str, float]] = {
        kind: {} for kind in ("points", "held_out", "adjacent", "episodes")
    }
    adjacent, merged = (_firsts(files, scores, reach) for reach in (timedelta(), MERGED))
    folders = [file.name.split("/")[0] for file in files]
    for profile, costs in profiles(place).items():
        weights = Weights(costs["tpWeight"], costs["fnWeight"], costs["fpWeight"])
        worths = [worth(len(file.values), file.windows, weights) for file in files]
        found["points"][profile] = best_score(scores, worths, weights)[0]
        found["held_out"][profile] = held_out_score(scores, worths, weights, folders)
        found["adjacent"][profile] = _best(adjacent, worths, weights)
        found["episodes"][profile] = _best(merged, worths, weights)
    return found


def _firsts(
    files: Sequence[NabFile], scores: Sequence[Floats], reach: timedelta
) -> list[list[Floats]]:
    """For each threshold 1 where an episode begins; each threshold makes other episodes."""
    return [
        [
            starts(file.times, one >= threshold, reach).astype(np.float64)
            for file, one in zip(files, scores, strict=True)
        ]
        for threshold in _thresholds(scores)
    ]


def _best(firsts: Sequence[Sequence[Floats]], worths: Sequence[Worth], weights: Weights) -> float:
    return max(0.0, *(score_at(1.0, first, worths, weights) for first in firsts))


def _thresholds(scores: Sequence[Floats]) -> Floats:
    """The bound itself, quantiles of the scores, close together at the top, and of those beyond."""
    raised = np.concatenate([one[one > 0] for one in scores])
    beyond = np.append(raised[raised > 1], _JUST_BEYOND)
    return np.unique(
        np.concatenate(
            [
                [_JUST_BEYOND],
                np.quantile(raised, np.linspace(0.0, 1.0, _THRESHOLDS) ** 0.1),
                np.quantile(beyond, np.linspace(0.0, 0.9, _THRESHOLDS // 2)),
            ]
        )
    )


def starts(times: Times, above: Flags, merged: timedelta = MERGED) -> Flags:
    """Rows that begin an episode."""
    rows = np.flatnonzero(above)
    made = np.zeros(len(times), bool)
    if len(rows):
        step = np.median(np.diff(times).astype(np.int64))
        gaps = np.diff(times[rows]).astype(np.int64)
        reach = REACH * step + merged / timedelta(milliseconds=1)
        made[rows[np.append(True, gaps > reach)]] = True
    return made
