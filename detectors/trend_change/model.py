"""One series as rows of innovations: seasons and trend off, autocorrelation out.

A *row* is a point with one before it. Prewhitened with the coefficient phi it reads
y[t] - phi * y[t - 1], and the same is done to every column of the model. Seasons need no columns:
prewhitening maps the phases' indicators onto themselves, so a phase's mean over the rows takes them
off exactly, whatever phi is.
"""

import numpy as np
from numba import types

from detectors.compiled import kernel
from detectors.result import Codes, Flags
from detectors.series import Floats, Millis

LEVEL, SLOPE = 0, 1

_FLOATS = types.float64[::1]
_ROWS = types.float64[:, ::1]
_FLAGS = types.boolean[::1]
_INTS = types.int64[::1]
_CODES = types.int8[::1]


@kernel(_FLOATS(_FLOATS, _FLAGS, types.int64))
def phase_means(column: Floats, rows: Flags, period: int) -> Floats:
    """Mean of each phase's rows, shape (period,); NaN where it has none.

    One pass over all points: one for each phase would read all of the memory each time.
    """
    totals, counts = np.zeros(period), np.zeros(period)
    phase = 0
    for t in range(len(column)):
        if rows[t]:
            totals[phase] += column[t]
            counts[phase] += 1.0
        phase = phase + 1 if phase + 1 < period else 0
    return totals / counts


@kernel(types.void(_FLOATS, _FLAGS, types.int64))
def remove_season(column: Floats, rows: Flags, period: int) -> None:
    """Take the mean of each phase's rows off a column, in place; other cells become 0."""
    means = phase_means(column, rows, period)
    phase = 0
    for t in range(len(column)):
        column[t] = column[t] - means[phase] if rows[t] else 0.0
        phase = phase + 1 if phase + 1 < period else 0


@kernel(types.float64(types.int64, types.int64, types.int64))
def change_at(t: int, first: int, kind: int) -> float:
    """Cell t of the column of a change of size 1 whose first point is `first`."""
    if t < first:
        return 0.0
    return 1.0 if kind == LEVEL else float(t - first + 1)


@kernel(types.void(_ROWS, types.int64, _ROWS))
def _orthonormalise(columns: Floats, k: int, factor: Floats) -> None:
    """Make column k orthogonal to those before it and of length 1; fills column k of `factor`."""
    n = columns.shape[1]
    factor[:k, k] = 0.0
    for _ in range(2):  # twice is enough, whatever the columns have in common
        for j in range(k):
            along = 0.0
            for t in range(n):
                along += columns[j, t] * columns[k, t]
            factor[j, k] += along
            for t in range(n):
                columns[k, t] -= along * columns[j, t]
    size = 0.0
    for t in range(n):
        size += columns[k, t] ** 2
    size = np.sqrt(size)
    factor[k, k] = size
    for t in range(n):
        columns[k, t] = columns[k, t] / size if size > 0.0 else 0.0


@kernel(types.int64(_ROWS, _FLAGS, types.int64, _INTS, _CODES, types.int64, types.float64, _ROWS))
def basis(
    columns: Floats,
    rows: Flags,
    period: int,
    firsts: Millis,
    kinds: Codes,
    count: int,
    phi: float,
    factor: Floats,
) -> int:
    """Fill `columns` with an orthonormal basis of the trend and `count` changes.

    Parameters
    ----------
    columns : ndarray of float64, shape (1 + changes or more, n)
        Filled; row 0 is the trend.
    rows : ndarray of bool, shape (n,)
    period : int
        Points in one season.
    firsts, kinds : ndarray, shape (count or more,)
        First point and kind of each change.
    phi : float
        Coefficient of the autocorrelation.
    factor : ndarray of float64, shape (1 + changes or more, 1 + changes or more)
        Filled with the triangular factor: column k of the model is sum_j factor[j, k] * basis j.

    Returns
    -------
    int
        Columns of the basis.
    """
    n = columns.shape[1]
    for k in range(count + 1):
        for t in range(n):
            if k == 0:
                columns[k, t] = (1.0 - phi) * (t - n // 2)
            else:
                first, kind = firsts[k - 1], kinds[k - 1]
                columns[k, t] = change_at(t, first, kind) - phi * change_at(t - 1, first, kind)
        remove_season(columns[k], rows, period)
        _orthonormalise(columns, k, factor)
    return count + 1


@kernel(
    types.void(_FLOATS, _FLAGS, types.int64, types.float64, _ROWS, types.int64, _FLOATS, _FLOATS)
)
def residuals(
    values: Floats,
    rows: Flags,
    period: int,
    phi: float,
    columns: Floats,
    count: int,
    left: Floats,
    along: Floats,
) -> None:
    """Fill `left` with what the basis leaves of the prewhitened values, `along` with the rest."""
    n = len(values)
    for t in range(n):
        left[t] = values[t] - phi * values[t - 1] if rows[t] else 0.0
    remove_season(left, rows, period)
    for j in range(count):
        along[j] = 0.0
        for t in range(n):
            along[j] += columns[j, t] * left[t]
        for t in range(n):
            left[t] -= along[j] * columns[j, t]


@kernel(types.void(_FLOATS, _ROWS, types.int64, _FLOATS))
def coefficients(along: Floats, factor: Floats, count: int, found: Floats) -> None:
    """Fill `found` with the coefficients of trend and changes, from those of the basis."""
    for k in range(count - 1, -1, -1):
        rest = along[k]
        for j in range(k + 1, count):
            rest -= factor[k, j] * found[j]
        found[k] = rest / factor[k, k] if factor[k, k] > 0.0 else 0.0
