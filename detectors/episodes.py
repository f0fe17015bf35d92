"""Episodes: anomalies of one series on one side that follow one another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.parameters import Length, parse_length
from detectors.result import Direction, Result, Severity

Rows = NDArray[np.int64]

REACH = 1.5
"""Steps up to which the next anomaly is adjacent: a local day of 25 hours, a month of 31 days,
jitter."""


@dataclass(frozen=True, slots=True)
class Episode:
    """Adjacent anomalies of one series on one side, as one row.

    Attributes
    ----------
    start, end : datetime64[ms]
        UTC times of the first and the last anomalous point.
    peak_time : datetime64[ms]
        Time of the highest score; the first of equal ones.
    peak_score : float
        NaN where only missing data is anomalous.
    severity : Severity
        The worst.
    direction : Direction
    points : int
        Anomalous points; with a `max_gap` fewer than rows from `first` to `last`.
    first, last, peak : int
        Rows of the result.
    """

    start: np.datetime64
    end: np.datetime64
    peak_time: np.datetime64
    peak_score: float
    severity: Severity
    direction: Direction
    points: int
    first: int
    last: int
    peak: int


def episodes(result: Result, max_gap: Length | str = 0) -> list[Episode]:
    """Merge the anomalies of a result: one row for each episode, in time order.

    Parameters
    ----------
    result : Result
    max_gap : duration or count of steps
        How much without an anomaly on that side may lie within an episode. 0 as in the service's
        episodes: the next anomaly is at the very next step.

    Returns
    -------
    list of Episode

    Raises
    ------
    ParameterError
        `max_gap` is neither a duration nor a count.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors import Series, Threshold
    >>> from detectors.episodes import episodes
    >>> days = np.arange("2026-11-01", "2026-11-08", dtype="datetime64[D]")
    >>> result = Threshold(upper=10.0).detect(Series(days, [1, 12, 15, 1, 1, 11, 1]))
    >>> [(str(one.start)[:10], one.points) for one in episodes(result)]
    [('2026-11-02', 2), ('2026-11-06', 1)]
    >>> [one.points for one in episodes(result, max_gap="2d")]
    [3]
    """
    gap = parse_length("max_gap", max_gap)
    rows = np.flatnonzero(result.is_anomaly)
    if not len(rows):
        return []
    step_ms = _step_ms(result)
    reach_ms = REACH * step_ms + (
        gap * step_ms if isinstance(gap, int) else gap.total_seconds() * 1000
    )
    found = []
    for side in np.unique(result.direction[rows]):
        on_side = rows[result.direction[rows] == side]
        times = result.times[on_side].astype(np.int64)
        cuts = np.flatnonzero(np.diff(times) > reach_ms) + 1
        found += [_episode(result, run) for run in np.split(on_side, cuts)]
    return sorted(found, key=lambda one: (one.first, one.direction))


def _step_ms(result: Result) -> float:
    steps = np.diff(result.times.astype(np.int64))
    return float(np.median(steps)) if len(steps) else 0.0


def _episode(result: Result, run: Rows) -> Episode:
    score = result.score[run]
    peak = int(run[np.argmax(np.nan_to_num(score, nan=0.0))])
    first, last = int(run[0]), int(run[-1])
    return Episode(
        start=result.times[first],
        end=result.times[last],
        peak_time=result.times[peak],
        peak_score=float(result.score[peak]),
        severity=Severity(int(result.severity[run].max())),
        direction=Direction(int(result.direction[first])),
        points=len(run),
        first=first,
        last=last,
        peak=peak,
    )
