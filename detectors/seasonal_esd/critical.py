"""Critical values of the generalised extreme Studentised deviate test."""

from functools import lru_cache

import numpy as np
from scipy.special import stdtrit

from detectors.series import Floats

_LARGEST = 1e150  # its square is still a number


# 256 lengths in flight; a value costs about a microsecond, a series needs up to n / 2 of them.
@lru_cache(maxsize=256)
def critical_values(n: int, steps: int, alpha: float, tails: int) -> Floats:
    """Compute what a deviate must exceed at each removal, and at the one after the last.

    Parameters
    ----------
    n : int
        Values before the first removal.
    steps : int
        Removals.
    alpha : float
        Significance level.
    tails : int
        1 or 2, the sides on which a value can be extreme.

    Returns
    -------
    ndarray of float64, shape (steps + 1,)
        NaN where fewer than one degree of freedom is left.

    Notes
    -----
    Against exact quantiles: within 64 units in the last place for 6 degrees of freedom, 8 for more.

    B. Rosner, "Percentage Points for a Generalized ESD Many-Outlier Procedure", Technometrics 25
    (1983).
    """
    left = n - np.arange(1.0, steps + 2)  # values after this removal
    freedom = left - 1
    enough = freedom > 0
    t = np.full(steps + 1, np.nan)
    # Far below any alpha of use the quantile comes as infinity with the wrong sign.
    quantiles = np.abs(stdtrit(freedom[enough], alpha / (tails * (left[enough] + 1))))
    t[enough] = np.minimum(quantiles, _LARGEST)
    critical = np.full(steps + 1, np.nan)
    square = freedom + t * t
    critical[enough] = (t * left / np.sqrt(square * (left + 1)))[enough]
    critical.setflags(write=False)
    return critical
