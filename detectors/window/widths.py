"""Factors that give a band from few points the false-alarm rate of k normal deviations."""

from functools import lru_cache

import numpy as np

from detectors.series import Floats
from detectors.series import Millis as Counts


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


def pooled_factors(k: float, points: Counts, freedom: Counts) -> Floats:
    """Look up simulated multiples of k for the median of one key and the MAD of all keys.

    Parameters
    ----------
    k : float
    points : ndarray of int64
        Points of the key.
    freedom : ndarray of int64, same shape
        Points of all keys less one for each key; with `points` it says how many keys there are.

    Returns
    -------
    ndarray of float64, same shape
        NaN below 3 points.
    """
    largest = 1 << int(points.max(initial=256)).bit_length()
    inverse_keys, logs = _pooled_logs(k, largest)
    inverse = np.clip((points - 1) / np.maximum(freedom, 1), inverse_keys[0], inverse_keys[-1])
    right = np.clip(np.searchsorted(inverse_keys, inverse), 1, len(inverse_keys) - 1)
    left = right - 1
    share = (inverse - inverse_keys[left]) / (inverse_keys[right] - inverse_keys[left])
    return np.exp((1 - share) * logs[left, points] + share * logs[right, points])


@lru_cache(maxsize=64)
def _pooled_logs(k: float, largest: int) -> tuple[Floats, Floats]:
    """1/keys, ascending, and log factors by keys and points."""
    from detectors.window import robust_factors as table  # noqa: PLC0415

    counts = np.array(table.POOLED_COUNTS)
    logs = np.array(
        [
            _by_count(
                counts,
                np.array([np.interp(k, table.DEVIATIONS, np.log(row)) for row in rows]),
                0.0,
                largest,
            )
            for rows in reversed(table.POOLED_FACTORS)
        ]
    )
    logs[:, :3] = np.nan
    return _frozen(1 / np.array(table.POOLED_KEYS[::-1])), _frozen(logs)


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
