"""Multiplicative seasons, y = trend * (1 + effects): not convex, so solved by Gauss-Newton.

Each step linearises the product and solves the additive problem for both factors at once,
which meets the same stationary points as alternating between them, in fewer steps.
"""

from dataclasses import dataclass

import numpy as np

from detectors.prophet.design import Design, Floats
from detectors.prophet.posterior import Basis, log_posterior, maximise

STEPS = 60
HALVINGS = 10
TOLERANCE = 1e-11


@dataclass(frozen=True)
class Product:
    """One series' trend and effects with their coefficients."""

    trend: Floats
    delta: Floats
    effects: Floats

    def towards(self, other: "Product", step: float) -> "Product":
        """Return the point a fraction ``step`` of the way to another."""
        return Product(
            self.trend + step * (other.trend - self.trend),
            self.delta + step * (other.delta - self.delta),
            self.effects + step * (other.effects - self.effects),
        )


@dataclass(frozen=True)
class Columns:
    """The columns of both factors over some rows."""

    trend: Floats
    hinges: Floats
    effects: Floats

    def level(self, at: Product) -> Floats:
        """Return the trend, shape (rows,)."""
        level: Floats = self.trend @ at.trend + self.hinges @ at.delta
        return level

    def factor(self, at: Product) -> Floats:
        """Return 1 + effects, shape (rows,)."""
        factor: Floats = 1.0 + self.effects @ at.effects
        return factor


def maximise_product(design: Design, scaled: Floats) -> tuple[Product, float]:
    """Maximise the posterior of one scaled series, shape (n,); return its sigma too."""
    columns = Columns(
        design.trend(design.rows), design.hinges(design.rows), design.effects(design.rows)
    )
    scales = np.concatenate([design.trend_scales, design.effect_scales])
    tau = design.model.changepoint_prior_scale
    width = len(design.trend_scales)

    def quality(at: Product) -> tuple[float, float]:
        residuals = scaled - columns.level(at) * columns.factor(at)
        sigma = _sigma(residuals)
        ridge = np.concatenate([at.trend, at.effects])
        return log_posterior(residuals, ridge, scales, at.delta, tau, sigma), sigma

    start = maximise(
        Basis.of(columns.trend, design.trend_scales, columns.hinges), scaled[None], tau
    )
    at = Product(start.ridge[0], start.delta[0], np.zeros(len(design.effect_scales)))
    best, sigma = quality(at)
    for _ in range(STEPS):
        level, factor = columns.level(at), columns.factor(at)
        basis = Basis.of(
            np.hstack([factor[:, None] * columns.trend, level[:, None] * columns.effects]),
            scales,
            factor[:, None] * columns.hinges,
        )
        found = maximise(basis, (scaled + level * (factor - 1.0))[None], tau)
        goal = Product(found.ridge[0, :width], found.delta[0], found.ridge[0, width:])
        for halving in range(HALVINGS):
            tried = at.towards(goal, 0.5**halving)
            better, its_sigma = quality(tried)
            if better >= best - 1e-12 * abs(best):
                break
        else:
            break
        moved = np.abs(columns.level(tried) * columns.factor(tried) - level * factor).max()
        at, best, sigma = tried, better, its_sigma
        if moved <= TOLERANCE:
            break
    return at, sigma


def _sigma(residuals: Floats) -> float:
    from detectors.prophet import kernel  # noqa: PLC0415  (compiles: only when something is fitted)

    squares = float(residuals @ residuals)
    return float(
        np.sqrt(max(kernel.noise_variance(squares, len(residuals)), kernel.VARIANCE_FLOOR))
    )
