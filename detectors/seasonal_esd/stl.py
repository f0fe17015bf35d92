"""Seasonal-trend decomposition by loess, as R's stl(s.window = "periodic", robust = TRUE)."""

import numpy as np

from detectors.seasonal_esd.decomposition import decompose
from detectors.seasonal_esd.smoother import plan
from detectors.series import Floats


def periodic_stl(values: Floats, period: int) -> tuple[Floats, Floats]:
    """Split a series into a season that repeats exactly and a smooth trend.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Finite; n > 2 * period.
    period : int
        Points in one season, at least 2.

    Returns
    -------
    seasonal, trend : ndarray of float64, shape (n,)
        What is left, `values - seasonal - trend`, is the remainder.

    Notes
    -----
    Against long doubles: within 16 units in the last place of the largest value, 256 where there
    are but two seasons, and a 1e-10th of it for a period of two.

    R. B. Cleveland et al., "STL: A Seasonal-Trend Decomposition Procedure Based on Loess", Journal
    of Official Statistics 6 (1990). The median of the robustness weights is exact.
    """
    n = len(values)
    weights = plan(n, period)
    trend_plan, low_plan = weights.trend, weights.low_pass
    seasonal, trend = np.empty(n), np.empty(n)
    decompose(
        np.array(values, np.float64), period, weights.phase_weights,
        trend_plan.shape, trend_plan.interior, trend_plan.edge_knots, trend_plan.edges,
        low_plan.shape, low_plan.interior, low_plan.edge_knots, low_plan.edges,
        seasonal, trend,
    )  # fmt: skip
    return seasonal, trend
