"""Seasonal-trend decomposition by loess, as R's stl(s.window = "periodic", robust = TRUE)."""

import numpy as np

from detectors.seasonal_esd.decomposition import decompose
from detectors.seasonal_esd.lanes import WIDTH
from detectors.seasonal_esd.smoother import plan
from detectors.series import Floats

_FEWEST = 5  # series that together take less time than one after another


def periodic_stl(values: Floats, period: int) -> tuple[Floats, Floats]:
    """Split series into a season that repeats exactly and a smooth trend.

    Parameters
    ----------
    values : ndarray of float64, shape (n,) or (s, n)
        One series, or s of them as rows; finite; n > 2 * period.
    period : int
        Points in one season, at least 2.

    Returns
    -------
    seasonal, trend : ndarray of float64, shape as given
        What is left, `values - seasonal - trend`, is the remainder. The same to the last bit for
        a series alone and among others.

    Notes
    -----
    Against long doubles: within 16 units in the last place of the largest value, 256 where there
    are but two seasons, and a 1e-10th of it for a period of two.

    R. B. Cleveland et al., "STL: A Seasonal-Trend Decomposition Procedure Based on Loess", Journal
    of Official Statistics 6 (1990). The median of the robustness weights is exact.
    """
    rows = np.ascontiguousarray(np.atleast_2d(values), np.float64)
    weights = plan(rows.shape[1], period)
    seasonal, trend = np.empty(rows.shape), np.empty(rows.shape)
    left = len(rows) % WIDTH
    together = len(rows) - (left if left < _FEWEST else 0)
    for part, side in ((slice(together), WIDTH), (slice(together, None), 1)):
        decompose(rows[part], period, weights, side, seasonal[part], trend[part])
    return seasonal.reshape(values.shape), trend.reshape(values.shape)
