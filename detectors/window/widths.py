"""Factors that give a band from few points the false-alarm rate of k normal deviations."""

from functools import lru_cache

import numpy as np

from detectors.series import Floats


@lru_cache(maxsize=256)
def student_factors(k: float, largest: int) -> Floats:
    """Compute Student's quantile of the tail of k normal deviations, by degrees of freedom.

    Returns
    -------
    ndarray, shape (largest + 1,)
        NaN for no degree of freedom.
    """
    from scipy.special import ndtr, stdtrit  # noqa: PLC0415 - only where z bands are made

    freedom = np.arange(largest + 1, dtype=np.float64)
    freedom[0] = np.nan
    factors: Floats = -stdtrit(freedom, ndtr(-k))
    return _frozen(factors)


@lru_cache(maxsize=256)
def robust_factors(k: float, largest: int) -> Floats:
    """Look up simulated multiples of k for median and MAD, by the baseline's number of points.

    Returns
    -------
    ndarray, shape (largest + 1,)
        NaN below 3 points. Outside the simulated k the nearest one's factors are used.
    """
    from detectors.window.robust_factors import COUNTS, DEVIATIONS, FACTORS  # noqa: PLC0415

    logs = np.log(np.array(FACTORS))
    at_k = [np.interp(k, DEVIATIONS, row) for row in logs]
    factors = np.exp(_by_count(np.array(COUNTS), np.array(at_k), 0.0, largest))
    factors[:3] = np.nan
    return _frozen(factors)


@lru_cache(maxsize=16)
def residual_inflations(largest: int) -> Floats:
    """Look up what undoes that residuals about a median of few points are small."""
    from detectors.window.robust_factors import COUNTS, INFLATIONS  # noqa: PLC0415

    return _frozen(_by_count(np.array(COUNTS), np.array(INFLATIONS), 1.0, largest))


@lru_cache(maxsize=16)
def median_variances(largest: int) -> Floats:
    """Look up the variance of the median of standard normal values, by their number."""
    from detectors.window.robust_factors import COUNTS, MEDIAN_VARIANCES  # noqa: PLC0415

    return _frozen(_by_count(np.array(COUNTS), np.array(MEDIAN_VARIANCES), 0.0, largest))


def _by_count(counts: Floats, known: Floats, limit: float, largest: int) -> Floats:
    """Interpolate in 1/count, towards `limit` for infinitely many points."""
    inverse = 1 / np.maximum(np.arange(largest + 1), 1)
    found: Floats = np.interp(
        inverse, np.append(0.0, 1 / counts[::-1]), np.append(limit, known[::-1])
    )
    return found


def _frozen(factors: Floats) -> Floats:
    factors.flags.writeable = False
    return factors
