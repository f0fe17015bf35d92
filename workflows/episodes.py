"""Episodes: adjacent anomalies of one series on one side.

Two are adjacent when the later one is at the very next step. Only times and sides decide, never
the range that was asked for, so every run of a rule draws the same episodes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.episodes import REACH


@dataclass(frozen=True)
class Standing:
    """An anomaly that stands, and the first time of the episode it belongs to."""

    ts_ms: int
    side: str
    episode_start_ms: int


def usual_step(times: npt.NDArray[np.int64], known_ms: int | None) -> int | None:
    """The step of one series from its checked slots; with fewer than two, what is known of it."""
    return int(np.median(np.diff(times))) if len(times) > 1 else known_ms


def episode_starts(
    found: Sequence[tuple[int, str]], step_ms: int | None, before: Standing | None
) -> list[int]:
    """The episode start of each (time, side), in order; ``before`` is the last one that stands
    before the first of them."""
    starts: list[int] = []
    last = before
    for ts_ms, side in found:
        adjacent = (
            last is not None
            and step_ms is not None
            and side == last.side
            and ts_ms - last.ts_ms <= REACH * step_ms
        )
        start = last.episode_start_ms if adjacent and last is not None else ts_ms
        starts.append(start)
        last = Standing(ts_ms, side, start)
    return starts
