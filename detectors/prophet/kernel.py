"""The compiled part of the direct engine: ridge and lasso on one shared basis, many series.

Every sum runs in a fixed order over one series alone, so that a series gets the same bits
in any batch. Nothing here is imported before the first fit: numba costs half a second.
"""

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import kernel

Floats = NDArray[np.float64]

# A fitted noise below 1e-9 of the history's range is rounding, not noise.
VARIANCE_FLOOR = 1e-18
TOLERANCE = 1e-12
# Variances this near to each other, relatively, are one stationary point.
ONE_POINT = 1e-6
# Of a column's squared length; less is a column that repeats the others.
LEAST_PIVOT = 1e-13
# Three are usual, tens with many changes of trend; more only where the density has no maximum.
ROUNDS = 400


@kernel()
def dot_from(left: Floats, right: Floats, start: int) -> float:
    """Return the sum of products from a place on, in four interleaved sums: three times faster."""
    end = len(left)
    whole = start + (end - start) // 4 * 4
    a = b = c = d = 0.0
    for i in range(start, whole, 4):
        a += left[i] * right[i]
        b += left[i + 1] * right[i + 1]
        c += left[i + 2] * right[i + 2]
        d += left[i + 3] * right[i + 3]
    for i in range(whole, end):
        a += left[i] * right[i]
    return (a + b) + (c + d)


@kernel()
def reflect(reflectors: Floats, factors: Floats, values: Floats) -> None:
    """Replace values, shape (n,), by Q' values; Q is the product of Householder's reflections."""
    for j in range(len(factors)):
        vector = reflectors[j]
        along = factors[j] * (values[j] + dot_from(vector, values, j + 1))
        values[j] -= along
        for i in range(j + 1, len(values)):
            values[i] -= along * vector[i]


@kernel()
def solve_active(gram: Floats, target: Floats, active: NDArray[np.int64], count: int) -> Floats:
    """Solve gram[active, active] x = target by Cholesky; a vanishing pivot gets a tiny ridge."""
    lower = np.empty((count, count))
    x = np.empty(count)
    for a in range(count):
        for b in range(a + 1):
            entry = gram[active[a], active[b]]
            for c in range(b):
                entry -= lower[a, c] * lower[b, c]
            if a == b:
                least = LEAST_PIVOT * gram[active[a], active[a]]
                lower[a, a] = np.sqrt(max(entry + least, least))
            else:
                lower[a, b] = entry / lower[b, b]
        entry = target[a]
        for c in range(a):
            entry -= lower[a, c] * x[c]
        x[a] = entry / lower[a, a]
    for a in range(count - 1, -1, -1):
        entry = x[a]
        for c in range(a + 1, count):
            entry -= lower[c, a] * x[c]
        x[a] = entry / lower[a, a]
    return x


@kernel()
def descend(gram: Floats, linear: Floats, penalty: float, delta: Floats) -> None:
    """Minimise over the support of delta: solve, stop at the first sign change, drop, repeat."""
    size = len(delta)
    active = np.empty(size, np.int64)
    target = np.empty(size)
    for _ in range(size + 1):
        count = 0
        for j in range(size):
            if delta[j] != 0.0:
                active[count] = j
                target[count] = linear[j] - (penalty if delta[j] > 0 else -penalty)
                count += 1
        if count == 0:
            return
        x = solve_active(gram, target, active, count)
        step, blocking = 1.0, -1
        for a in range(count):
            old = delta[active[a]]
            if x[a] * old <= 0.0:
                reach = old / (old - x[a])
                if reach < step or blocking < 0:
                    step, blocking = reach, a
        for a in range(count):
            j = active[a]
            moved = delta[j] + step * (x[a] - delta[j])
            # Rounding must not carry a survivor across zero, where its sign would be wrong.
            delta[j] = moved if moved * delta[j] > 0.0 else 0.0
        if blocking < 0:
            return
        delta[active[blocking]] = 0.0


@kernel()
def lasso(gram: Floats, linear: Floats, penalty: float, delta: Floats) -> None:
    """Minimise delta' gram delta / 2 - linear' delta + penalty |delta|, from delta, in place."""
    size = len(delta)
    refused = np.zeros(size, np.bool_)
    for _ in range(10 * size + 10):
        descend(gram, linear, penalty, delta)
        worst, entering, sign = 1e-10 * penalty, -1, 0.0
        for j in range(size):
            if delta[j] != 0.0 or refused[j]:
                continue
            slope = linear[j]
            for i in range(size):
                slope -= gram[j, i] * delta[i]
            if abs(slope) - penalty > worst:
                worst, entering = abs(slope) - penalty, j
                sign = 1.0 if slope > 0 else -1.0
        if entering < 0:
            return
        # The exact minimiser along the one new coordinate: its sign is right and it descends.
        delta[entering] = sign * worst / gram[entering, entering]
        if delta[entering] == 0.0:
            refused[entering] = True


@kernel()
def noise_variance(squares: float, rows: int) -> float:
    """Return the variance that maximises the posterior, given the residual sum of squares."""
    root = np.sqrt(rows * rows + 16.0 * squares)
    return max(2.0 * squares / (rows + root), VARIANCE_FLOOR)  # type: ignore[no-any-return]


@kernel()
def add_normal_equations(
    columns: Floats, weights: Floats, values: Floats, gram: Floats, linear: Floats
) -> None:
    """Add columns' W columns to gram and columns' W values to linear."""
    rows, size = columns.shape
    for i in range(rows):
        for a in range(size):
            pull = weights[i] * columns[i, a]
            linear[a] += pull * values[i]
            for b in range(size):
                gram[a, b] += pull * columns[i, b]


@kernel()
def subtract_product(columns: Floats, delta: Floats, values: Floats, out: Floats) -> None:
    """Write values - columns delta."""
    for i in range(len(values)):
        left = values[i]
        for a in range(len(delta)):
            left -= columns[i, a] * delta[a]
        out[i] = left


@kernel()
def settle(
    ridge_coordinates: Floats,
    hinge_coordinates: Floats,
    outside: float,
    rows: int,
    strengths: Floats,
    couple: Floats,
    triangle: Floats,
    tau: float,
    variance: float,
    enough: float,
    ridge: Floats,
    delta: Floats,
) -> tuple[float, float]:
    """Follow the variance to a fixed point, or to `enough`; return it and the log density there.

    Given the variance s the rest is ridge and lasso; given the rest, s is a root of a quadratic.
    That map is increasing in s: from above it falls to its largest fixed point, from below it
    rises to its smallest, and delta may begin anywhere.
    """
    size = len(delta)
    fixed_gram, fixed_linear = np.zeros((size, size)), np.zeros(size)
    ones = np.ones(len(hinge_coordinates))
    add_normal_equations(triangle, ones, hinge_coordinates, fixed_gram, fixed_linear)
    left = np.empty(len(hinge_coordinates))
    squares = 0.0
    for _ in range(ROUNDS):
        gram, linear = fixed_gram.copy(), fixed_linear.copy()
        shrinkage = variance / (strengths + variance)
        add_normal_equations(couple, shrinkage, ridge_coordinates, gram, linear)
        lasso(gram, linear, variance / tau, delta)
        subtract_product(couple, delta, ridge_coordinates, ridge)
        subtract_product(triangle, delta, hinge_coordinates, left)
        squares = outside + ((shrinkage * ridge) ** 2).sum() + (left**2).sum()
        ridge /= strengths + variance
        updated = noise_variance(squares, rows)
        settled = abs(updated - variance) <= TOLERANCE * variance
        variance = updated
        if settled or variance >= enough:
            break
    density = -squares / (2.0 * variance) - 0.5 * rows * np.log(variance) - 2.0 * variance
    density -= 0.5 * (strengths * ridge * ridge).sum() + np.abs(delta).sum() / tau
    return variance, density


@kernel()
def maximise(
    ridge_coordinates: Floats,
    hinge_coordinates: Floats,
    outside: float,
    rows: int,
    strengths: Floats,
    couple: Floats,
    triangle: Floats,
    tau: float,
    ridge: Floats,
    delta: Floats,
) -> float:
    """Find the denser of the noisiest and the quietest stationary point; return its variance.

    A smooth course can be read as noise about few changes of trend or as many changes with little
    noise. With fewer than two rows for each column only the noisiest is looked for: there the
    quietest is columns that spell out the noise, and the density has no maximum.
    """
    energy = outside + (ridge_coordinates**2).sum() + (hinge_coordinates**2).sum()
    delta[:] = 0.0
    variance, density = settle(
        ridge_coordinates, hinge_coordinates, outside, rows, strengths, couple, triangle, tau,
        noise_variance(energy, rows), np.inf, ridge, delta,
    )  # fmt: skip
    if rows < 2 * (len(ridge_coordinates) + len(hinge_coordinates)):
        return variance
    # No fit leaves less than what is outside of all columns.
    least, one_point = noise_variance(outside, rows), (1.0 - ONE_POINT) * variance
    quiet_ridge, quiet_delta = ridge.copy(), delta.copy()
    quiet, its_density = settle(
        ridge_coordinates, hinge_coordinates, outside, rows, strengths, couple, triangle, tau,
        least, one_point, quiet_ridge, quiet_delta,
    )  # fmt: skip
    if quiet < one_point and its_density > density:
        ridge[:] = quiet_ridge
        delta[:] = quiet_delta
        variance = quiet
    return variance


@kernel()
def maximise_many(
    scaled: Floats,
    reflectors: Floats,
    factors: Floats,
    rotation: Floats,
    strengths: Floats,
    couple: Floats,
    triangle: Floats,
    tau: float,
    ridge: Floats,
    delta: Floats,
    variance: Floats,
) -> None:
    """Fit every row of scaled, shape (series, n); write ridge, delta and variance."""
    ridges, spanned = len(strengths), len(factors)
    coordinates = np.empty(ridges)
    for k in range(len(scaled)):
        values = scaled[k].copy()
        reflect(reflectors, factors, values)
        for i in range(ridges):
            coordinates[i] = 0.0
            for j in range(ridges):
                coordinates[i] += rotation[j, i] * values[j]
        variance[k] = maximise(
            coordinates,
            values[ridges:spanned],
            dot_from(values, values, spanned),
            len(values),
            strengths,
            couple,
            triangle,
            tau,
            ridge[k],
            delta[k],
        )


@kernel()
def combine(columns: Floats, coefficients: Floats) -> Floats:
    """Return coefficients @ columns.T in an order of summation that no batch changes."""
    out = np.zeros((len(coefficients), len(columns)))
    for k in range(len(coefficients)):
        for i in range(len(columns)):
            total = 0.0
            for j in range(columns.shape[1]):
                total += columns[i, j] * coefficients[k, j]
            out[k, i] = total
    return out
