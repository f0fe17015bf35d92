"""Bounds of the statistic for one series, read from the simulated tables."""

from functools import lru_cache

import numpy as np

from detectors.series import Floats
from detectors.trend_change import bounds as tables

PHIS = np.array(tables.PHIS)
_FREEDOMS = np.array(tables.FREEDOMS, np.float64)
_RAW_PHIS = np.array(tables.RAW_PHIS)
_LOG_RATES = np.log(tables.RATES)
_BOUNDS = np.maximum.accumulate(np.array(tables.BOUNDS), axis=1)

# Rates looked up for a stated one: on series that made no table they are up to a third higher.
_MARGIN = 0.75
_LEAST_LIKELY = 1e-6


def raw_phis(freedom: float) -> Floats:
    """Measured coefficients that stand for `PHIS`, beside one and two changes; shape (2, p)."""
    at = np.interp(-1.0 / freedom, -1.0 / _FREEDOMS, np.arange(len(_FREEDOMS)))
    return _between(_RAW_PHIS, 1, at)


def bounds(freedom: float, rate: float) -> Floats:
    """Bounds at `PHIS` of the statistic of one change, and of the lesser of two; shape (2, p)."""
    wanted = np.interp(-np.log(_MARGIN * rate), -_LOG_RATES, np.arange(len(_LOG_RATES)))
    return _between(_at_freedom(freedom), 1, wanted)


@lru_cache(maxsize=4096)
def limits(freedom: float, rate: float) -> tuple[Floats, Floats]:
    """`raw_phis` and `bounds`, kept: many series have the same length and gaps."""
    return raw_phis(freedom), bounds(freedom, rate)


def chance(statistic: float, freedom: float, phi: float) -> float:
    """Share of the series without changes that have one with a statistic as large."""
    row = [np.interp(phi, PHIS, one) for one in _at_freedom(freedom)[0]]
    squares = np.square(row)
    inside = np.interp(statistic**2, squares, _LOG_RATES)
    if statistic > row[-1]:
        fall = (_LOG_RATES[-1] - _LOG_RATES[0]) / (squares[-1] - squares[0])
        inside = _LOG_RATES[-1] + fall * (statistic**2 - squares[-1])
    return min(max(float(np.exp(inside)) / _MARGIN, _LEAST_LIKELY), 1.0)


def _at_freedom(freedom: float) -> Floats:
    at = np.interp(np.log(freedom), np.log(_FREEDOMS), np.arange(len(_FREEDOMS)))
    return _between(_BOUNDS, 2, at)


def _between(table: Floats, axis: int, at: float) -> Floats:
    """Interpolate a table linearly at a fractional position of an axis."""
    low = min(int(at), table.shape[axis] - 2)
    share = at - low
    below, above = table.take(low, axis), table.take(low + 1, axis)
    mixed: Floats = (1.0 - share) * below + share * above
    return mixed
