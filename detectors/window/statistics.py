"""What the kernels of Window read and fill.

All kernels read `values` of shape (s, n) with NaN for what is no part of a baseline, the key of
each of the n slots, the pool of each key, and for each of m judged slots its key and its span
[first, stop). Keys of one pool share a spread. They fill `Statistics` of shape (s, m). Consecutive
slots with one span share the work. Each kernel has a module of its own, so that nobody waits for
the compilation of one they do not use.
"""

from typing import NamedTuple

from numba import types

from detectors.series import Floats


class Statistics(NamedTuple):
    """What bounds are made of; each of shape (s, m), NaN where a baseline has no point."""

    centre: Floats
    below: Floats  # spread below the centre
    above: Floats
    points: Floats  # that share the slot's key
    freedom: Floats  # degrees of freedom of the spread
    size: Floats  # max|baseline|


VALUES = types.Array(types.float64, 2, "A", readonly=True)
SLOTS = types.Array(types.int64, 1, "C", readonly=True)
FACTORS = types.Array(types.float64, 1, "C", readonly=True)
FILLED = types.NamedUniTuple(types.float64[:, ::1], len(Statistics._fields), Statistics)  # type: ignore[no-untyped-call]

# What kernels by ranks measure, and how.
MAD_TO_SIGMA = 1.4826
MEAN_DEVIATION_TO_SIGMA = 1.253314
FLOOR = 1e-12  # of max|baseline|: a MAD up to this counts as zero
LOW_QUANTILE, HIGH_QUANTILE = 0.05, 0.95
CENTRE_ONLY, MAD, QUANTILES = 0, 1, 2
MODES = {"pct": CENTRE_ONLY, "robust": MAD, "quantile": QUANTILES}
"""What is measured below and above the median, by Window's method."""
