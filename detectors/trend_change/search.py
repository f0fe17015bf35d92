"""Proposes changes beside those that are known, and measures the autocorrelation they leave."""

import numpy as np
from numba import types

from detectors.compiled import kernel
from detectors.result import Codes, Flags
from detectors.series import Floats, Millis
from detectors.trend_change.model import basis, change_at, coefficients, phase_means, residuals
from detectors.trend_change.scan import scan

LARGEST_PHI = 0.97
SMALLEST_PHI = -0.6
_ROUNDS = 3
_SMALLEST_WEIGHT = 1e-9

_FLOATS = types.float64[::1]
_ROWS = types.float64[:, ::1]
_FLAGS = types.boolean[::1]
_INTS = types.int64[::1]
_CODES = types.int8[::1]


@kernel(types.float64(_FLOATS, _FLAGS, types.int64, _INTS, _CODES, types.int64, _FLOATS, _FLOATS))
def season_left(
    values: Floats,
    known: Flags,
    period: int,
    firsts: Millis,
    kinds: Codes,
    count: int,
    found: Floats,
    season: Floats,
) -> float:
    """Fill `season` beside given coefficients; returns the lag-one coefficient of what is left."""
    n = len(values)
    left = np.empty(n)
    for t in range(n):
        left[t] = values[t] - found[0] * (t - n // 2)
        for k in range(count):
            left[t] -= found[k + 1] * change_at(t, firsts[k], kinds[k])
    season[:] = phase_means(left, known, period)
    product, square = 0.0, 0.0
    for t in range(1, n):
        if known[t] and known[t - 1]:
            before = left[t - 1] - season[(t - 1) % period]
            product += before * (left[t] - season[t % period])
            square += before * before
    return product / square if square > 0.0 else 0.0


@kernel(types.float64(types.float64, types.float64))
def explained(along: float, weight: float) -> float:
    """Give what a change explains; 0 where the rest of the model explains it already."""
    return along * along / weight if weight > _SMALLEST_WEIGHT else 0.0


@kernel(types.float64(_FLOATS, _FLAGS, types.int64, types.float64, _INTS, _CODES, types.int64,
                      _ROWS, _ROWS))  # fmt: skip
def scan_beside(
    values: Floats,
    rows: Flags,
    period: int,
    phi: float,
    firsts: Millis,
    kinds: Codes,
    count: int,
    along: Floats,
    weight: Floats,
) -> float:
    """Scan beside `count` changes; returns the sum of squares that they leave."""
    n = len(values)
    columns, factor = np.empty((count + 1, n)), np.zeros((count + 1, count + 1))
    left, product = np.empty(n), np.empty(count + 1)
    used = basis(columns, rows, period, firsts, kinds, count, phi, factor)
    residuals(values, rows, period, phi, columns, used, left, product)
    scan(left, rows, period, phi, columns, used, along, weight)
    total = 0.0
    for t in range(n):
        total += left[t] * left[t]
    return total


@kernel(types.float64(_FLOATS, _FLAGS, _FLAGS, types.int64, types.int64, types.float64, _INTS,
                      _CODES, types.int64, types.int64, types.float64, types.float64))  # fmt: skip
def date(
    values: Floats,
    rows: Flags,
    allowed: Flags,
    period: int,
    shortest: int,
    phi: float,
    firsts: Millis,
    kinds: Codes,
    count: int,
    which: int,
    freedom: float,
    least: float,
) -> float:
    """Move change `which` to where it explains most beside the `count - 1` others.

    Returns its statistic, |t| of its size; 0 where it has no place.
    """
    n = len(values)
    other_firsts, other_kinds = np.empty(count, np.int64), np.empty(count, np.int8)
    free = allowed.copy()
    others = 0
    for j in range(count):
        if j != which:
            other_firsts[others], other_kinds[others] = firsts[j], kinds[j]
            others += 1
            free[max(firsts[j] - shortest + 1, 0) : firsts[j] + shortest] = False
    along, weight = np.empty((2, n)), np.empty((2, n))
    total = scan_beside(values, rows, period, phi, other_firsts, other_kinds, others, along, weight)
    most = 0.0
    for kind in range(2):
        for t in range(n):
            if free[t] and explained(along[kind, t], weight[kind, t]) > most:
                most = explained(along[kind, t], weight[kind, t])
                firsts[which], kinds[which] = t, kind
    if most == 0.0:
        return 0.0
    rest = max((total - most) / max(freedom - others, 1.0), least)
    return np.sqrt(most / rest) if rest > 0.0 else 0.0


_PROPOSE = (_FLOATS, _FLAGS, _FLAGS, types.int64, types.int64, types.float64, _INTS, _CODES,
            types.int64, types.int64, types.float64, types.float64)  # fmt: skip


@kernel(types.float64(*_PROPOSE))
def propose(
    values: Floats,
    rows: Flags,
    allowed: Flags,
    period: int,
    shortest: int,
    phi: float,
    firsts: Millis,
    kinds: Codes,
    count: int,
    extra: int,
    freedom: float,
    least: float,
) -> float:
    """Write `extra` more changes behind the `count` known ones.

    Returns the smallest of their statistics, each beside all others.
    """
    statistic = 0.0
    for j in range(extra):
        statistic = date(values, rows, allowed, period, shortest, phi, firsts, kinds,
                         count + j + 1, count + j, freedom, least)  # fmt: skip
        if statistic == 0.0:
            firsts[count + j], kinds[count + j] = 0, 0
            return 0.0
    if extra > 1:
        statistic = np.inf
        for j in range(extra):
            again = date(values, rows, allowed, period, shortest, phi, firsts, kinds,
                         count + extra, count + j, freedom, least)  # fmt: skip
            statistic = min(statistic, again)
    return statistic


@kernel(types.float64(_FLOATS, _FLAGS, *_PROPOSE[1:5], *_PROPOSE[6:]))
def autocorrelation(
    values: Floats,
    known: Flags,
    rows: Flags,
    allowed: Flags,
    period: int,
    shortest: int,
    firsts: Millis,
    kinds: Codes,
    count: int,
    extra: int,
    freedom: float,
    least: float,
) -> float:
    """Measure the lag-one coefficient beside the known changes and `extra` proposed ones."""
    n, most = len(values), count + extra
    columns, factor = np.empty((most + 1, n)), np.zeros((most + 1, most + 1))
    left, season = np.empty(n), np.empty(period)
    found, product = np.empty(most + 1), np.empty(most + 1)
    phi = 0.0
    for _ in range(_ROUNDS):
        placed = propose(values, rows, allowed, period, shortest, phi, firsts, kinds, count, extra,
                         freedom, least)  # fmt: skip
        known_changes = most if placed > 0.0 else count
        used = basis(columns, rows, period, firsts, kinds, known_changes, phi, factor)
        residuals(values, rows, period, phi, columns, used, left, product)
        coefficients(product, factor, used, found)
        phi = season_left(values, known, period, firsts, kinds, known_changes, found, season)
        phi = min(max(phi, SMALLEST_PHI), LARGEST_PHI)
    return phi
