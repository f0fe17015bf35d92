"""What Twitter's R package answers and what it refuses, for rows and for rows with times.

The behaviour follows the package's documentation and its observed answers.
"""

from dataclasses import replace
from math import nextafter, trunc
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.errors import InsufficientHistoryError, ParameterError, SeriesError
from detectors.parameters import plain
from detectors.seasonal_esd.chunks import row_chunks
from detectors.seasonal_esd.hybrid import Criteria, Direction, Outcome, merged, run_test
from detectors.seasonal_esd.limits import Limit, limit_of
from detectors.series import Floats

MAX_ANOMALIES = 0.49  # half of the values and more cannot be unusual


def seasonal_hybrid_esd(
    values: ArrayLike,
    period: int,
    max_anomalies: float = 0.10,
    alpha: float = 0.05,
    direction: Direction = "both",
    chunk: int | None = None,
    threshold: Limit | None = None,
) -> NDArray[np.int64]:
    """Rows that Twitter's R function AnomalyDetectionVec calls anomalous.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        NaN is allowed before the first and after the last number only.
    period : int
        Rows in one season, at least 2. More than two seasons are needed.
    max_anomalies : float
        Largest share of rows that can be anomalies, 0 to 0.49; at least one row.
    alpha : float
        Significance level, between 0 and 1.
    direction : "both", "up" or "down"
        Sides on which a value can be anomalous.
    chunk : int, optional
        Criteria stretches of this many rows one by one (R's longterm_period); the last one reaches
        back to its full length. None tests all rows together.
    threshold : "med_max", "p95" or "p99", optional
        Keep anomalies at or above the median, 95 % or 99 % quantile of the seasons' largest values.

    Returns
    -------
    ndarray of int64, shape (m,)
        Row numbers from 0, ascending.

    Raises
    ------
    ParameterError
        A parameter is out of its range.
    InsufficientHistoryError
        The values, or those of one chunk, are too few.
    SeriesError
        A value is infinite, or missing between others.

    Notes
    -----
    J. Hochenbaum, O. S. Vallis, A. Kejariwal, "Automatic Anomaly Detection in the Cloud Via
    Statistical Learning", arXiv:1704.07706 (2017).

    Examples
    --------
    >>> values = [[1.0, 2.0, 4.0, 2.0][i % 4] + 0.01 * (i % 7) for i in range(40)]
    >>> values[21] = 9.0
    >>> seasonal_hybrid_esd(values, period=4)
    array([21])
    """
    criteria = Criteria(
        period=_at_least("period", period, 2),
        alpha=_between("alpha", alpha, nextafter(0, 1), nextafter(1, 0), "a number > 0 and < 1"),
        direction=_one_of("direction", direction, Direction),
        fall_back=False,
    )
    share = _between("max_anomalies", max_anomalies, 0, MAX_ANOMALIES, "a number from 0 to 0.49")
    length = None if chunk is None else _at_least("chunk", chunk, 1)
    limit = None if threshold is None else _one_of("threshold", threshold, Limit)
    numbers = _numbers(values)
    return np.flatnonzero(rows_outcome(numbers, criteria, share, length, limit).member)


def rows_outcome(
    values: Floats, criteria: Criteria, share: float, chunk: int | None, limit: Limit | None
) -> Outcome:
    """Test rows as AnomalyDetectionVec does: chunks of rows, limits of seasons."""
    n = len(values)
    parts = []
    for rows in row_chunks(n, chunk):
        stretch = values[rows]
        outcome = stretch_outcome(stretch, criteria, at_least_one(share, n))
        if limit is not None:
            if chunk is not None and len(stretch) != chunk:
                raise InsufficientHistoryError(
                    f"a threshold needs a whole chunk of {chunk} values; there are {len(stretch)}"
                )
            seasons = np.arange(len(stretch)) // criteria.period
            above = stretch >= limit_of(stretch, seasons, limit)
            outcome = replace(outcome, member=outcome.member & above)
        parts.append((rows, outcome))
    return merged(parts, n)


def at_least_one(share: float, n: int) -> float:
    """Raise the share of anomalies to look for to that of one row."""
    return max(share, 1 / n) if n else share


def stretch_outcome(values: Floats, criteria: Criteria, share: float) -> Outcome:
    """Test values, shape (n,), that may be missing at both ends; NaN where they are."""
    known = np.flatnonzero(~np.isnan(values))
    start, stop = (int(known[0]), int(known[-1]) + 1) if len(known) else (0, 0)
    n = stop - start
    if n <= 2 * criteria.period:
        raise InsufficientHistoryError(
            f"{n} values in a row; more than two periods, {2 * criteria.period}, are needed"
        )
    if len(known) != n:
        raise SeriesError(
            f"{n - len(known)} values are missing between others; fill them before the test"
        )
    if np.isinf(values[start:stop]).any():
        raise SeriesError("a value is infinite; only numbers and leading or trailing NaN can be")
    steps = trunc(len(values) * share)
    if steps == 0:
        raise InsufficientHistoryError(
            f"of {len(values)} values in a row {share:.3g} are not even one anomaly; "
            f"raise max_anomalies or the length of chunks"
        )
    tested = run_test(values[start:stop], min(steps, n - 1), criteria)
    if tested.found.steps >= n - 1:
        raise InsufficientHistoryError(
            f"{steps} anomalies are looked for among {n} values; lower max_anomalies"
        )
    return merged([(slice(start, stop), tested.outcome)], len(values))


def _numbers(values: ArrayLike) -> Floats:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "fiub"):
        raise SeriesError(
            f"values must be numbers in one dimension, got {array.dtype}, {array.ndim}-d"
        )
    return np.ascontiguousarray(array, dtype=np.float64)


def _at_least(name: str, value: Any, least: int) -> int:
    number = plain(value)
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise ParameterError(name, f"{value!r} is not allowed; give a whole number >= {least}")
    return number


def _between(name: str, value: Any, least: float, most: float, words: str) -> float:
    number = plain(value)
    if (
        isinstance(number, bool)
        or not isinstance(number, int | float)
        or not least <= number <= most
    ):
        raise ParameterError(name, f"{value!r} is not allowed; give {words}")
    return float(number)


def _one_of(name: str, value: Any, kind: Any) -> Any:
    if value not in get_args(kind):
        raise ParameterError(
            name, f"{value!r} is not allowed; give one of {', '.join(get_args(kind))}"
        )
    return value
