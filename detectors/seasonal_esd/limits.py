"""Limits below which an anomaly is not worth reporting: quantiles of the largest values."""

from math import ceil, floor
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from detectors.errors import SeriesError
from detectors.series import Floats

Limit = Literal["med_max", "p95", "p99"]

_QUANTILES = {"med_max": 0.5, "p95": 0.95, "p99": 0.99}


def limit_of(values: Floats, groups: NDArray[Any], limit: Limit) -> float:
    """Compute a quantile of each group's largest value as R does.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
    groups : ndarray, shape (n,)
        Ascending; a day or a season.
    limit : "med_max", "p95" or "p99"

    Returns
    -------
    float
        NaN for the median of groups of which one has a missing value.

    Raises
    ------
    SeriesError
        The same for another quantile, which R refuses.
    """
    starts = np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))
    largest = np.sort(np.maximum.reduceat(values, starts))
    if np.isnan(largest[-1]):
        if limit == "med_max":
            return float("nan")
        raise SeriesError(f"threshold {limit} needs values without gaps; some are missing")
    position = (len(largest) - 1) * _QUANTILES[limit]
    low, high = float(largest[floor(position)]), float(largest[ceil(position)])
    share = position - floor(position)
    if limit == "med_max":
        return (low + high) / 2
    return (1 - share) * low + share * high if low != high else low
