"""The maximum of Prophet's posterior, exactly, for many series on one design.

There can be two: little noise about many changes of trend, or much about few. With at least two
rows for each column the denser one is found, with fewer the noisier one.

Given the noise variance s, growth, offset and effects are a ridge regression and the
changepoints a lasso. The ridge columns, scaled by their priors, are rotated once so that
eliminating them is a division: with A = U S V', what they leave of y is s/(S^2 + s) of U'y.
"""

from dataclasses import dataclass

import numpy as np

from detectors.prophet.design import NOISE_PRIOR_SCALE, Floats


@dataclass(frozen=True)
class Basis:
    """An orthonormal basis of a design's columns: ridge columns first, hinges after.

    The basis itself is never written out: applying its reflections costs no more, and writing it
    out costs most of a fit.

    Attributes
    ----------
    reflectors, factors : shapes (p + S, n) and (r + q,)
        Householder's reflections, as LAPACK leaves them.
    rotation : shape (r, r)
        From the first r coordinates to the ridge columns' singular directions.
    strengths : shape (r,)
        Squared singular values of the ridge columns in units of their priors.
    couple, triangle : shapes (r, S) and (q, S)
        The hinges' coordinates along the ridge part and along the rest.
    back : shape (p, r)
        From rotated to original coefficients.
    """

    reflectors: Floats
    factors: Floats
    rotation: Floats
    strengths: Floats
    couple: Floats
    triangle: Floats
    back: Floats

    @classmethod
    def of(cls, ridge: Floats, scales: Floats, hinges: Floats) -> "Basis":
        """Factor ridge columns (n, p) with prior scales (p,), and hinges (n, S)."""
        p = ridge.shape[1]
        reflectors, factors = np.linalg.qr(np.hstack([ridge * scales, hinges]), mode="raw")
        upper = np.triu(reflectors.T[: len(factors)])
        r = min(p, len(factors))
        left, singular, right = np.linalg.svd(upper[:r, :p], full_matrices=False)
        return cls(
            reflectors=np.ascontiguousarray(reflectors),
            factors=factors,
            rotation=np.ascontiguousarray(left),
            strengths=singular**2,
            couple=np.ascontiguousarray(left.T @ upper[:r, p:]),
            triangle=np.ascontiguousarray(upper[r:, p:]),
            back=scales[:, None] * right.T * singular,
        )


@dataclass(frozen=True)
class Maximum:
    """The parameters at the maximum, in scaled units, one row per series."""

    ridge: Floats
    delta: Floats
    sigma: Floats


def maximise(basis: Basis, scaled: Floats, tau: float) -> Maximum:
    """Maximise the posterior of every row of ``scaled``, shape (series, n).

    Fitted values are within a 1e-7th of the noise of the exact solution.
    """
    from detectors.prophet import kernel  # noqa: PLC0415  (compiles: only when something is fitted)

    series = len(scaled)
    rotated = np.empty((series, len(basis.strengths)))
    delta = np.empty((series, basis.couple.shape[1]))
    variance = np.empty(series)
    kernel.maximise_many(
        np.ascontiguousarray(scaled),
        basis.reflectors,
        basis.factors,
        basis.rotation,
        basis.strengths,
        basis.couple,
        basis.triangle,
        tau,
        rotated,
        delta,
        variance,
    )
    return Maximum(combine(basis.back, rotated), delta, np.sqrt(variance))


def combine(columns: Floats, coefficients: Floats) -> Floats:
    """Return coefficients @ columns.T, shape (series, m), with the same bits in any batch."""
    from detectors.prophet import kernel  # noqa: PLC0415  (compiles: only when something is fitted)

    product: Floats = kernel.combine(np.ascontiguousarray(columns), coefficients)
    return product


def log_posterior(
    residuals: Floats, ridge: Floats, scales: Floats, delta: Floats, tau: float, sigma: float
) -> float:
    """Return the log density up to a constant, as Stan's ``target`` without its Jacobian."""
    return float(
        -(residuals @ residuals) / (2 * sigma**2)
        - len(residuals) * np.log(sigma)
        - ((ridge / scales) ** 2).sum() / 2
        - np.abs(delta).sum() / tau
        - (sigma / NOISE_PRIOR_SCALE) ** 2 / 2
    )
