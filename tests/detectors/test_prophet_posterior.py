"""The direct engine's maximum against the optimality conditions and a general optimiser."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from detectors.prophet.design import Design, Floats, Model
from detectors.prophet.posterior import Basis, combine, maximise
from tests.detectors.prophet_oracle import (
    Parameters,
    days,
    density,
    design_of,
    fitted_values,
    maximum,
    scales,
    violation,
)

HOUR_MS = 3_600_000


def _noise(seed: int, n: int, *, noise: float = 1.0, wander: float = 0.0) -> Floats:
    """A weekly season, a break of trend, noise and a random walk, scaled to [0, 1]."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    y = np.sin(2 * np.pi * t / 7) + 0.05 * np.maximum(t - n / 2, 0)
    y = y + noise * rng.normal(size=n) + wander * np.cumsum(rng.normal(size=n))
    scaled: Floats = (y - y.min()) / (y.max() - y.min())
    return scaled


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(30, 140),
    noise=st.sampled_from([0.01, 0.3, 2.0]),
    wander=st.sampled_from([0.0, 0.5]),
    tau=st.sampled_from([0.001, 0.05, 1.0, 50.0]),
    hourly=st.booleans(),
    flat=st.booleans(),
)
def test_the_maximum_is_stationary(
    seed: int, n: int, noise: float, wander: float, tau: float, hourly: bool, flat: bool
) -> None:
    model = Model(growth="flat" if flat else "linear", changepoint_prior_scale=tau)
    design = design_of(model, days(n, HOUR_MS if hourly else 24 * HOUR_MS))
    scaled = _noise(seed, n, noise=noise, wander=wander)
    found = maximum(design, scaled)
    if found.sigma > 1e-8:
        assert violation(design, scaled, found) < 1e-8
    else:
        # As many columns as rows: the density has no maximum but at sigma = 0, cut off here.
        assert n < 60


def test_the_conditions_can_fail() -> None:
    design = design_of(Model(), days(120))
    scaled = _noise(1, 120)
    found = maximum(design, scaled)
    for field in ("trend", "effects"):
        moved = dataclasses.replace(found, **{field: getattr(found, field) + 1e-4})
        assert violation(design, scaled, moved) > 1e-5
    assert violation(design, scaled, dataclasses.replace(found, sigma=found.sigma * 1.001)) > 1e-4
    eager = dataclasses.replace(found, delta=found.delta + 1e-6)
    assert violation(design, scaled, eager) > 1e-2


@pytest.mark.parametrize(
    ("n", "settings_"),
    [
        (90, {}),
        (400, {}),
        (140, {"growth": "flat"}),
        (120, {"changepoint_prior_scale": 0.5, "n_changepoints": 8}),
    ],
)
def test_no_general_optimiser_finds_a_better_point(n: int, settings_: dict[str, object]) -> None:
    design = design_of(Model(**settings_), days(n))  # type: ignore[arg-type]
    scaled = _noise(7, n, wander=0.1)
    found = maximum(design, scaled)
    best = density(design, scaled, found)
    far = density(design, scaled, _searched(design, scaled, None))
    near = density(design, scaled, _searched(design, scaled, found))
    assert best >= max(far, near) - 1e-8
    assert far >= best - 10  # the search came near, so the comparison means something
    assert near >= best - 1e-2


def _slow(seed: int, n: int) -> Floats:
    """A course that turns slowly, between noise about few changes and many changes without."""
    rng = np.random.default_rng(seed)
    y = 40 * np.sin(np.arange(n) / rng.uniform(20, 30)) + rng.normal(0, 2, n)
    scaled: Floats = (y - y.min()) / (y.max() - y.min())
    return scaled


def test_of_two_maxima_the_denser_one_is_found() -> None:
    design, scaled = design_of(Model(), days(156)), _slow(2, 156)
    found = maximum(design, scaled)
    assert violation(design, scaled, found) < 1e-8
    noisy, _ = _settled(_basis(design), scaled, 0.05, 1.0)
    assert noisy > 25 * found.sigma**2, "there are two"
    near = _searched(design, scaled, found, 2_000)
    assert density(design, scaled, found) >= density(design, scaled, near) - 1e-8
    assert density(design, scaled, near) > density(
        design, scaled, _searched(design, scaled, None, 500)
    )


def _basis(design: Design) -> Basis:
    rows = design.rows
    ridge = np.hstack([design.trend(rows), design.effects(rows)])
    return Basis.of(ridge, scales(design), design.hinges(rows))


@pytest.mark.parametrize("n", [156, 400])
def test_no_start_ends_at_a_denser_point(n: int) -> None:
    """The descent and the ascent of the variance, against ones from forty places between."""
    design, tau = design_of(Model(), days(n)), 0.05
    basis, found_two = _basis(design), 0
    for seed in range(12):
        scaled = _slow(seed, n)
        found = maximise(basis, scaled[None], tau)
        reached = [_settled(basis, scaled, tau, start) for start in np.geomspace(1e-8, 0.2, 40)]
        best = max(reached, key=lambda end: end[1])
        found_two += max(end[0] for end in reached) > 1.01 * min(end[0] for end in reached)
        assert abs(found.sigma[0] ** 2 - best[0]) <= 1e-9 * best[0]
    assert found_two


def _settled(basis: Basis, scaled: Floats, tau: float, variance: float) -> tuple[float, float]:
    """Where the map of the variance ends from one start, and the log density there."""
    from detectors.prophet import kernel

    values = scaled.copy()
    kernel.reflect(basis.reflectors, basis.factors, values)
    ridges, spanned = len(basis.strengths), len(basis.factors)
    return kernel.settle(
        np.ascontiguousarray(basis.rotation.T @ values[:ridges]), values[ridges:spanned],
        kernel.dot_from(values, values, spanned), len(values), basis.strengths, basis.couple,
        basis.triangle, tau, variance, np.inf, np.empty(ridges), np.zeros(basis.couple.shape[1]),
    )  # fmt: skip


def _searched(
    design: Design, scaled: Floats, near: Parameters | None, most: int = 20_000
) -> Parameters:
    """L-BFGS-B from zero or a moved maximum; a change of trend is split in two positive parts."""
    width, terms = len(design.trend_scales), len(design.effect_scales)
    size = len(design.changepoints)
    columns = np.hstack(
        [design.trend(design.rows), design.effects(design.rows), design.hinges(design.rows)]
    )
    split = np.hstack([columns, -columns[:, width + terms :]])
    tau = design.model.changepoint_prior_scale

    def target(x: Floats) -> tuple[float, Floats]:
        log_sigma, smooth = x[-1], x[: width + terms]
        variance = np.exp(2 * log_sigma)
        residuals = scaled - split @ x[:-1]
        value = residuals @ residuals / (2 * variance) + len(scaled) * log_sigma + 2 * variance
        value += ((smooth / scales(design)) ** 2).sum() / 2 + x[width + terms : -1].sum() / tau
        gradient = np.empty_like(x)
        gradient[:-1] = -split.T @ residuals / variance
        gradient[: width + terms] += smooth / scales(design) ** 2
        gradient[width + terms : -1] += 1 / tau
        gradient[-1] = -residuals @ residuals / variance + len(scaled) + 4 * variance
        return value, gradient

    free, positive = [(None, None)] * (width + terms), [(0.0, None)] * (2 * size)
    start = np.zeros(width + terms + 2 * size + 1)
    if near is not None:
        up, down = np.maximum(near.delta, 0), np.maximum(-near.delta, 0)
        start[:-1] = np.concatenate([near.trend, near.effects, up, down]) * 1.001
        start[-1] = np.log(near.sigma)
    outcome = optimize.minimize(
        target,
        start,
        jac=True,
        bounds=[*free, *positive, (-15.0, 2.0)],
        method="L-BFGS-B",
        options={"maxiter": most, "maxfun": 100_000, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 50},
    )
    x = outcome.x
    delta = x[width + terms : width + terms + size] - x[width + terms + size : -1]
    return Parameters(x[:width], delta, x[width : width + terms], float(np.exp(x[-1])))


@pytest.mark.parametrize("seed", range(4))
def test_multiplicative_seasons_reach_a_stationary_point_too(seed: int) -> None:
    rng = np.random.default_rng(seed)
    t = np.arange(300)
    level = 50 + 0.3 * t + 0.4 * np.maximum(t - 150, 0)
    y = level * (1 + 0.2 * np.sin(2 * np.pi * t / 7)) + rng.normal(size=300)
    scaled = y / np.abs(y).max()
    design = design_of(Model(seasonality_mode="multiplicative", scaling="absmax"), days(300))
    found = maximum(design, scaled)
    assert violation(design, scaled, found) < 1e-6
    assert np.abs(fitted_values(design, found) - scaled).max() < 5 * found.sigma


def test_columns_that_repeat_each_other_are_no_trouble() -> None:
    """Four and more weekly terms on daily data are the first three again."""
    design = design_of(Model(weekly=6), days(200))
    scaled = _noise(3, 200)
    plain = design_of(Model(weekly=3), days(200))
    found, expected = maximum(design, scaled), maximum(plain, scaled)
    assert violation(design, scaled, found) < 1e-8
    np.testing.assert_allclose(
        fitted_values(design, found), fitted_values(plain, expected), atol=1e-4
    )


def test_more_columns_than_rows_are_no_trouble() -> None:
    design = design_of(Model(yearly=20, weekly=3), days(30))
    found = maximum(design, _noise(3, 30))
    assert np.isfinite(fitted_values(design, found)).all()


def test_a_series_without_noise_is_followed_exactly() -> None:
    t = np.arange(200)
    y = 0.2 + 0.003 * t + 0.1 * np.sin(2 * np.pi * t / 7)
    scaled = (y - y.min()) / (y.max() - y.min())
    design = design_of(Model(), days(200))
    found = maximum(design, scaled)
    assert found.sigma < 1e-6
    np.testing.assert_allclose(fitted_values(design, found), scaled, atol=1e-6)


def test_the_answer_has_the_same_bits_in_any_batch() -> None:
    design = design_of(Model(), days(400))
    basis = _basis(design)
    scaled = np.array([_noise(seed, 400, wander=0.2) for seed in range(37)])
    together = maximise(basis, scaled, 0.05)
    for k in (0, 5, 36):
        alone = maximise(basis, scaled[k : k + 1], 0.05)
        reversed_ = maximise(basis, scaled[::-1], 0.05)
        for part in ("ridge", "delta", "sigma"):
            assert (getattr(alone, part)[0] == getattr(together, part)[k]).all()
            assert (getattr(reversed_, part)[36 - k] == getattr(together, part)[k]).all()


def test_combine_is_a_matrix_product() -> None:
    rng = np.random.default_rng(0)
    columns, coefficients = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))
    np.testing.assert_allclose(combine(columns, coefficients), coefficients @ columns.T)
    assert combine(np.empty((5, 0)), np.empty((4, 0))).tolist() == np.zeros((4, 5)).tolist()
