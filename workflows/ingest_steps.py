"""The step of a series: how far apart its points usually are."""

from typing import Literal

import numpy as np
import numpy.typing as npt

# The commonest distance is a grid's step when it is that common; jittered times have none.
COMMON_SHARE = 0.3
# So many points show a step by themselves.
ENOUGH_POINTS = 8
# Distances that differ by less are the same step: a month, a local day of 23 hours.
SAME = 0.25

Longs = npt.NDArray[np.int64]


def learn_step(times: Longs) -> int | None:
    """The commonest distance of ascending times, the smallest of equals; else the median."""
    if len(times) < 2:
        return None
    if len(times) == 2:  # most series of a daily batch
        return int(times[1]) - int(times[0])
    distances, counts = np.unique(np.diff(times), return_counts=True)
    commonest = int(np.argmax(counts))  # the first of equals: the smallest
    if counts[commonest] >= COMMON_SHARE * (len(times) - 1):
        return int(distances[commonest])
    return int(np.median(np.diff(times)))


def step_shown(
    times: Longs, known_ms: int | None, last_ms: int | None
) -> int | Literal["doubtful"] | None:
    """What new points say of a step: a new one, nothing new, or something to be looked into.

    ``last_ms`` is the last point before. A few points may be a sample (each Monday of a daily
    metric), so they neither set a step nor change one.
    """
    if last_ms is not None and len(times) and times[0] > last_ms:
        times = np.append(last_ms, times)
    seen = learn_step(times)
    if known_ms is None:
        return seen if len(times) >= ENOUGH_POINTS else "doubtful"
    if seen is None or abs(seen - known_ms) <= SAME * known_ms:
        return None
    return "doubtful" if seen < known_ms or len(times) >= ENOUGH_POINTS else None
