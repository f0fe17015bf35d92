"""Decomposition into seasons of several lengths, by statsmodels' MSTL."""

import numpy as np

from detectors.seasonal_esd.decomposition import OUTER_ITERATIONS
from detectors.series import Floats


def several_stl(values: Floats, periods: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Split a series into the sum of seasons that repeat exactly and a smooth trend.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Finite; n > 2 * periods[-1].
    periods : tuple of int
        Points in each season, ascending, at least 2.

    Returns
    -------
    seasonal, trend : ndarray of float64, shape (n,)

    Notes
    -----
    Each season is one of a robust periodic STL, as for a single season, but for the low-pass
    window, which statsmodels wants longer than the period. Lines connect fits at every tenth of
    the shortest season's windows.

    K. Bandara, R. J. Hyndman, C. Bergmeir, "MSTL: A Seasonal-Trend Decomposition Algorithm for
    Time Series with Multiple Seasonal Patterns", arXiv:2107.13462 (2021).
    """
    # Only for those who have several seasons: it brings pandas, and takes over a second.
    from statsmodels.tsa.seasonal import MSTL  # noqa: PLC0415

    # Sums of the largest numbers overflow; powers of two round nothing.
    unit = np.ldexp(1.0, min(int(np.frexp(np.abs(values).max())[1]), 1023))
    window = 10 * len(values) + 1
    found = MSTL(
        values / unit,
        periods=periods,
        windows=(window,) * len(periods),
        stl_kwargs={
            "seasonal_deg": 0,
            "robust": True,
            "inner_iter": 1,
            "outer_iter": OUTER_ITERATIONS,
            "seasonal_jump": len(values),
            "trend_jump": -(-3 * periods[0] // 20),
            "low_pass_jump": -(-periods[0] // 10),
        },
    ).fit()
    seasonal = np.zeros(len(values))
    for course, period in zip(found.seasonal.T, periods, strict=True):
        seasonal += phase_means(course, period)
    with np.errstate(over="ignore"):
        return seasonal * unit, np.asarray(found.trend) * unit


def phase_means(course: Floats, period: int) -> Floats:
    """Replace each value, shape (n,), by the mean of its phase."""
    phase = np.arange(len(course)) % period
    means: Floats = np.bincount(phase, course) / np.bincount(phase)
    return means[phase]
