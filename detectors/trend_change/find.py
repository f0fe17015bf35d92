"""The changes of one series: found one by one or in pairs, dated and tested beside each other."""

import numpy as np
from numba import types

from detectors.compiled import kernel
from detectors.result import Codes, Flags
from detectors.series import Floats, Millis
from detectors.trend_change.model import basis, change_at, coefficients, residuals
from detectors.trend_change.outliers import pull_in
from detectors.trend_change.scan import scan
from detectors.trend_change.search import (
    autocorrelation,
    date,
    explained,
    propose,
    scan_beside,
    season_left,
)

_DATE_BOUND = 7.352  # -2 log(1 - sqrt(0.95)): likelihood ratios of 95 % of the true dates
_SMALLEST_NOISE = 1e-12  # of the largest value

# Columns of `numbers`, one row per change; rows of `paths`, one column per point.
SIZE, STATISTIC = range(2)
WITHOUT, FITTED, SCORE, REACH = range(4)
# Cells of `facts`.
SIGMA, PHI, BOUND, SPREADLESS = range(4)

_FLOATS = types.float64[::1]
_ROWS = types.float64[:, ::1]
_FLAGS = types.boolean[::1]
_INTS = types.int64[::1]
_CODES = types.int8[::1]


@kernel(types.float64(_FLAGS, _FLAGS, _FLAGS, types.int64, types.int64))
def places(known: Flags, rows: Flags, allowed: Flags, period: int, shortest: int) -> float:
    """Fill `rows` and where a change may begin; returns the degrees of freedom beside a trend."""
    n = len(known)
    seen = np.zeros(period, np.bool_)
    points, before, freedom = known.sum(), 0, -3.0  # trend, a change, autocorrelation
    for t in range(n):
        rows[t] = known[t] and before > 0
        allowed[t] = known[t] and shortest <= before <= points - shortest
        before += known[t]
        if rows[t]:
            freedom += 1.0 if seen[t % period] else 0.0
            seen[t % period] = True
    return max(freedom, 1.0)


@kernel(types.int64(_FLOATS, _FLAGS, _FLAGS, _FLAGS, types.int64, types.int64, _ROWS, _FLOATS,
                    _ROWS, _INTS, _CODES, types.float64, types.float64, _FLOATS))  # fmt: skip
def _collect(
    values: Floats,
    known: Flags,
    rows: Flags,
    allowed: Flags,
    period: int,
    shortest: int,
    raw_phis: Floats,
    phis: Floats,
    bounds: Floats,
    firsts: Millis,
    kinds: Codes,
    freedom: float,
    least: float,
    facts: Floats,
) -> int:
    """Add changes as long as one more, or two more, stand out; fills PHI and BOUND."""
    most = len(firsts) - 2
    count = 0
    while True:
        added = 0
        for extra in range(1, 3):
            raw = autocorrelation(values, known, rows, allowed, period, shortest, firsts, kinds,
                                  count, extra, freedom, least)  # fmt: skip
            phi = np.interp(raw, raw_phis[extra - 1], phis)
            bound = np.interp(phi, phis, bounds[extra - 1])
            if extra == 1:
                facts[PHI], facts[BOUND] = phi, bound
            if count + extra > most:
                break
            statistic = propose(values, rows, allowed, period, shortest, phi, firsts, kinds, count,
                                extra, freedom, least)  # fmt: skip
            if statistic > bound:
                added = extra
                break
        if added == 0:
            return count
        count += added
        for k in range(count - added):  # date the others again beside what is new
            date(values, rows, allowed, period, shortest, facts[PHI], firsts, kinds, count, k,
                 freedom, least)  # fmt: skip


@kernel(types.int64(_FLOATS, _FLAGS, _FLAGS, types.int64, _INTS, _INTS, _INTS, _CODES, _ROWS,
                    types.int64, types.float64, types.float64, _FLOATS))  # fmt: skip
def _confirm(
    values: Floats,
    rows: Flags,
    allowed: Flags,
    period: int,
    firsts: Millis,
    earliest: Millis,
    latest: Millis,
    kinds: Codes,
    numbers: Floats,
    count: int,
    freedom: float,
    least: float,
    facts: Floats,
) -> int:
    """Test each change beside the others and find the dates that explain about as much."""
    n = len(values)
    along, weight = np.empty((2, n)), np.empty((2, n))
    other_firsts, other_kinds = np.zeros(count, np.int64), np.zeros(count, np.int8)
    k = 0
    while k < count:
        others = 0
        for j in range(count):
            if j != k:
                other_firsts[others], other_kinds[others] = firsts[j], kinds[j]
                others += 1
        total = scan_beside(values, rows, period, facts[PHI], other_firsts, other_kinds, others,
                            along, weight)  # fmt: skip
        kind, first = kinds[k], firsts[k]
        most = explained(along[kind, first], weight[kind, first])
        free = max(freedom - others, 1.0)
        rest = max(total - most, least * free)
        statistic = np.sqrt(most / (rest / free)) if rest > 0.0 else 0.0
        if not statistic > facts[BOUND]:
            count -= 1
            for j in range(k, count):
                firsts[j], kinds[j] = firsts[j + 1], kinds[j + 1]
            k = 0
            continue
        numbers[k, STATISTIC] = statistic
        earliest[k], latest[k] = first, first
        widest = rest * np.exp(_DATE_BOUND / free)
        for t in range(n):
            if allowed[t] and total - explained(along[kind, t], weight[kind, t]) <= widest:
                earliest[k], latest[k] = min(earliest[k], t), max(latest[k], t)
        k += 1
    return count


@kernel(types.void(_ROWS, _ROWS, _FLAGS, _FLOATS, _ROWS))
def _score(along: Floats, weight: Floats, allowed: Flags, facts: Floats, paths: Floats) -> None:
    """Fill the score of one more change at each point, with its sign."""
    for t in range(along.shape[1]):
        paths[SCORE, t] = 0.0
        for kind in range(2):
            most = explained(along[kind, t], weight[kind, t]) if allowed[t] else 0.0
            if most > 0.0 and facts[SIGMA] > 0.0:
                score = np.sqrt(most) / (facts[SIGMA] * facts[BOUND])
                if score > abs(paths[SCORE, t]):
                    paths[SCORE, t] = score if along[kind, t] > 0.0 else -score


@kernel(types.void(_FLOATS, _FLAGS, _FLAGS, _FLAGS, types.int64, _INTS, _CODES, _ROWS, _ROWS,
                   types.int64, types.float64, types.float64, _FLOATS))  # fmt: skip
def _draw(
    values: Floats,
    known: Flags,
    rows: Flags,
    allowed: Flags,
    period: int,
    firsts: Millis,
    kinds: Codes,
    numbers: Floats,
    paths: Floats,
    count: int,
    freedom: float,
    least: float,
    facts: Floats,
) -> None:
    """Fill sizes, paths and SIGMA for `count` changes in time order."""
    n = len(values)
    phi = facts[PHI]
    columns, factor = np.empty((count + 1, n)), np.zeros((count + 1, count + 1))
    left, product, found = np.empty(n), np.empty(count + 1), np.empty(count + 1)
    along, weight = np.empty((2, n)), np.empty((2, n))
    season = np.empty(period)
    used = basis(columns, rows, period, firsts, kinds, count, phi, factor)
    residuals(values, rows, period, phi, columns, used, left, product)
    coefficients(product, factor, used, found)
    season_left(values, known, period, firsts, kinds, count, found, season)
    total = 0.0
    for t in range(n):
        total += left[t] * left[t]
    square = total / max(freedom + 1.0 - count, 1.0)
    facts[SPREADLESS] = 1.0 if square <= least else 0.0
    facts[SIGMA] = np.sqrt(max(square, least))
    scan(left, rows, period, phi, columns, used, along, weight)
    _score(along, weight, allowed, facts, paths)
    used = basis(columns, rows, period, firsts, kinds, 0, phi, factor)
    scan(left, rows, period, phi, columns, used, along, weight)
    typical = np.nanmean(season)
    for t in range(n):
        smallest = weight[0, t] if allowed[t] else 0.0
        paths[REACH, t] = (
            facts[BOUND] * facts[SIGMA] / np.sqrt(smallest) if smallest > 1e-9 else np.nan
        )
        fitted = found[0] * (t - n // 2)
        fitted += typical if np.isnan(season[t % period]) else season[t % period]
        without = fitted
        for k in range(count):
            if firsts[k] <= t:
                without = fitted
                fitted += found[k + 1] * change_at(t, firsts[k], kinds[k])
        paths[WITHOUT, t], paths[FITTED, t] = without, fitted
    for k in range(count):
        numbers[k, SIZE] = found[k + 1]


@kernel(types.int64(_FLOATS, types.int64, types.int64, _ROWS, _FLOATS, _ROWS, _INTS, _INTS, _INTS,
                    _CODES, _ROWS, _ROWS, _FLOATS))  # fmt: skip
def find(
    given: Floats,
    period: int,
    shortest: int,
    raw_phis: Floats,
    phis: Floats,
    bounds: Floats,
    firsts: Millis,
    earliest: Millis,
    latest: Millis,
    kinds: Codes,
    numbers: Floats,
    paths: Floats,
    facts: Floats,
) -> int:
    """Find the changes of one series.

    Parameters
    ----------
    given : ndarray of float64, shape (n,)
        NaN where there is no value.
    period, shortest : int
        Points in one season; fewest points on each side of a change.
    raw_phis, bounds : ndarray of float64, shape (2, p)
        Autocorrelations as they are measured beside one and two more changes, and the bounds of the
        statistic of one and of the lesser one of two.
    phis : ndarray of float64, shape (p,)
        The autocorrelations that those stand for.
    firsts, earliest, latest, kinds : ndarray, shape (most + 2,)
        Filled: first point of each change, ends of the set of its dates, and its kind.
    numbers : ndarray of float64, shape (most + 2, 2)
        Filled with SIZE (per point for a slope) and STATISTIC of each.
    paths : ndarray of float64, shape (4, n)
        Filled: WITHOUT the latest change, FITTED, SCORE of one more change at each point with its
        sign, and in REACH the smallest level change that is found there.
    facts : ndarray of float64, shape (4,)
        Filled with SIGMA of the innovations, PHI, BOUND and whether the series is SPREADLESS.

    Returns
    -------
    int
        Changes found, in time order.
    """
    n = len(given)
    values, known = given.copy(), ~np.isnan(given)
    pull_in(values, period, shortest - 1)
    largest = 0.0
    for t in range(n):
        if known[t]:
            largest = max(largest, abs(values[t]))
        elif np.isnan(values[t]):  # before the first point
            values[t] = 0.0
    rows, allowed = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    freedom = places(known, rows, allowed, period, shortest)
    least = (_SMALLEST_NOISE * largest) ** 2
    count = _collect(values, known, rows, allowed, period, shortest, raw_phis, phis, bounds, firsts,
                     kinds, freedom, least, facts)  # fmt: skip
    for k in range(1, count):  # into time order
        for j in range(k, 0, -1):
            if firsts[j - 1] > firsts[j]:
                firsts[j - 1], firsts[j] = firsts[j], firsts[j - 1]
                kinds[j - 1], kinds[j] = kinds[j], kinds[j - 1]
    count = _confirm(values, rows, allowed, period, firsts, earliest, latest, kinds, numbers, count,
                     freedom, least, facts)  # fmt: skip
    _draw(values, known, rows, allowed, period, firsts, kinds, numbers, paths, count, freedom,
          least, facts)  # fmt: skip
    return count
