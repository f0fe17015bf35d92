"""Prophet's posterior written down plainly, and what must hold at its maximum."""

import os
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from detectors.prophet.design import Calendar, Design, Floats, Model
from detectors.prophet.multiplicative import maximise_product
from detectors.prophet.posterior import Basis, log_posterior, maximise
from detectors.wall_clock import DAY_MS

FIRST_DAY = 19_000


def days(n: int, step_ms: int = DAY_MS) -> np.ndarray:
    """Local times of n points from a fixed day on."""
    return FIRST_DAY * DAY_MS + np.arange(n) * step_ms


def design_of(model: Model, local: np.ndarray) -> Design:
    return Design.of(model, Calendar(local), np.arange(len(local)))


@dataclass(frozen=True)
class Parameters:
    """One point of the parameter space, in scaled units."""

    trend: Floats
    delta: Floats
    effects: Floats
    sigma: float


def fitted_values(design: Design, at: Parameters) -> Floats:
    """The model's own formula, row by row as the package's Stan code has it."""
    time = design.time(design.rows)
    level = np.full(len(time), at.trend[-1])
    if design.model.growth == "linear":
        level = level + at.trend[0] * time
    for change, delta in zip(design.changepoints, at.delta, strict=True):
        level = level + np.where(time > change, (time - change) * delta, 0.0)
    effects = design.effects(design.rows) @ at.effects
    if design.model.seasonality_mode == "multiplicative":
        return level * (1 + effects)
    return level + effects


def scales(design: Design) -> Floats:
    return np.concatenate([design.trend_scales, design.effect_scales])


def density(design: Design, scaled: Floats, at: Parameters) -> float:
    """Log posterior density of the parameters, up to a constant."""
    return log_posterior(
        scaled - fitted_values(design, at),
        np.concatenate([at.trend, at.effects]),
        scales(design),
        at.delta,
        design.model.changepoint_prior_scale,
        at.sigma,
    )


def maximum(design: Design, scaled: Floats) -> Parameters:
    """What the direct engine finds for one scaled series."""
    if design.model.seasonality_mode == "multiplicative":
        at, sigma = maximise_product(design, scaled)
        return Parameters(at.trend, at.delta, at.effects, sigma)
    rows, width = design.rows, len(design.trend_scales)
    ridge = np.hstack([design.trend(rows), design.effects(rows)])
    found = maximise(
        Basis.of(ridge, scales(design), design.hinges(rows)),
        scaled[None],
        design.model.changepoint_prior_scale,
    )
    return Parameters(
        found.ridge[0, :width], found.delta[0], found.ridge[0, width:], float(found.sigma[0])
    )


def violation(design: Design, scaled: Floats, at: Parameters) -> float:
    """How far the parameters are from a stationary point; 0 is exact, rounding leaves 1e-12.

    Each gradient is measured against the sum of the sizes of its terms. A change of trend that
    is 0 needs a slope within the Laplace prior's 1/tau, another one a slope of exactly that.
    """
    residuals = scaled - fitted_values(design, at)
    rows = design.rows
    level = design.trend(rows) @ at.trend + design.hinges(rows) @ at.delta
    factor = np.ones((len(rows), 1))
    effects = design.effects(rows)
    if design.model.seasonality_mode == "multiplicative":
        factor = 1 + (effects @ at.effects)[:, None]
        effects = level[:, None] * effects
    smooth = np.hstack([factor * design.trend(rows), effects])
    variance = at.sigma**2
    prior = np.concatenate([at.trend, at.effects]) / scales(design) ** 2
    worst = _relative(
        smooth.T @ residuals / variance - prior,
        np.abs(smooth).T @ np.abs(residuals) / variance + np.abs(prior),
    )
    hinges = factor * design.hinges(rows)
    slope = hinges.T @ residuals / variance
    size = np.abs(hinges).T @ np.abs(residuals) / variance
    bound = 1 / design.model.changepoint_prior_scale
    active = at.delta != 0
    worst = max(worst, _relative((slope - bound * np.sign(at.delta))[active], size[active] + bound))
    worst = max(
        worst, _relative(np.maximum(np.abs(slope) - bound, 0)[~active], size[~active] + bound)
    )
    # d/ds of RSS/2s + T/2 log s + 2s, times 2s
    squares = float(residuals @ residuals)
    stationary = -squares / variance + len(rows) + 4 * variance
    return max(worst, abs(stationary) / len(rows))


def _relative(gradient: Floats, size: Floats) -> float:
    if not len(gradient):
        return 0.0
    return float(np.max(np.abs(gradient) / np.maximum(size, 1e-300)))


def prophet_engine() -> ModuleType:
    """The engine on the package; without the package a skip, except in CI."""
    from detectors.prophet import package

    try:
        import prophet  # noqa: F401
    except ImportError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("the prophet package is not installed (extra `prophet`)")
    return package


def parameters_of_package(design: Design, fitted: Any) -> Parameters:
    """The package's fitted parameters in this room's shape."""
    values = {name: np.ravel(value) for name, value in fitted.params.items()}
    trend = np.array([values["k"][0], values["m"][0]])
    return Parameters(
        trend[-len(design.trend_scales) :],
        values["delta"][: len(design.changepoints)],
        values["beta"][: len(design.effect_scales)],
        float(values["sigma_obs"][0]),
    )
