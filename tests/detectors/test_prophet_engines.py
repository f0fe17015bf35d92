"""Two engines, one answer: the direct engine against the prophet package."""

import builtins
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from detectors.errors import DetectorError
from detectors.prophet import direct, package
from detectors.prophet.design import Calendar, Design, Floats, Ints, Model
from detectors.prophet.forecast import Scale
from tests.detectors.prophet_oracle import (
    days,
    density,
    design_of,
    maximum,
    parameters_of_package,
    prophet_engine,
)

HOUR_MS = 3_600_000
AHEAD = 14


@pytest.fixture(scope="module")
def engine() -> ModuleType:
    return prophet_engine()


Rng = np.random.Generator
Make = Callable[[Rng, Floats], Floats]


def _weekly(t: Floats) -> Floats:
    wave: Floats = np.sin(2 * np.pi * t / 7) + 0.4 * np.cos(4 * np.pi * t / 7)
    return wave


def _spikes(rng: Rng, t: Floats) -> Floats:
    spiked = _weekly(t) + rng.normal(size=len(t))
    spiked[rng.integers(0, len(t), 5)] += 15
    return spiked


# Name: number of points, step in hours, model, values.
KINDS: dict[str, tuple[int, int, dict[str, Any], Make]] = {
    "noise": (200, 24, {}, lambda rng, t: rng.normal(size=len(t))),
    "slope": (200, 24, {}, lambda rng, t: 0.1 * t + rng.normal(size=len(t))),
    "weekly": (365, 24, {}, lambda rng, t: 3 * _weekly(t) + rng.normal(size=len(t))),
    "broken slope": (
        365,
        24,
        {},
        lambda rng, t: 0.1 * np.maximum(t - 150, 0) + rng.normal(size=len(t)),
    ),
    "level shift": (300, 24, {}, lambda rng, t: 5.0 * (t > 170) + rng.normal(size=len(t))),
    "yearly": (
        760,
        24,
        {},
        lambda rng, t: 5 * np.sin(2 * np.pi * t / 365.25) + _weekly(t) + rng.normal(size=len(t)),
    ),
    "random walk": (300, 24, {}, lambda rng, t: np.cumsum(rng.normal(size=len(t)))),
    "heavy tails": (250, 24, {}, lambda rng, t: rng.standard_t(3, size=len(t))),
    "spikes": (250, 24, {}, _spikes),
    "exponential": (300, 24, {}, lambda rng, t: np.exp(t / 100) + 0.3 * rng.normal(size=len(t))),
    "counts": (200, 24, {}, lambda rng, t: rng.poisson(3 + _weekly(t) + 0.01 * t).astype(float)),
    "share near one": (200, 24, {}, lambda rng, t: 1 - rng.beta(1, 200, size=len(t))),
    "large offset": (200, 24, {}, lambda rng, t: 1e9 + 3 * _weekly(t) + rng.normal(size=len(t))),
    "tiny": (
        200,
        24,
        {},
        lambda rng, t: 1e-12 * (5 + 3 * _weekly(t) + rng.normal(size=len(t))),
    ),
    "hourly": (
        24 * 21,
        1,
        {},
        lambda rng, t: 4 * np.sin(2 * np.pi * t / 24) + rng.normal(size=len(t)),
    ),
    "steps of a week": (110, 168, {}, lambda rng, t: 0.1 * t + rng.normal(size=len(t))),
    "absmax": (
        300,
        24,
        {"scaling": "absmax"},
        lambda rng, t: 20 + 3 * _weekly(t) + 0.02 * t + rng.normal(size=len(t)),
    ),
    "flat": (
        200,
        24,
        {"growth": "flat"},
        lambda rng, t: 10 + 3 * _weekly(t) + rng.normal(size=len(t)),
    ),
    "multiplicative": (
        300,
        24,
        {"seasonality_mode": "multiplicative", "scaling": "absmax"},
        lambda rng, t: (50 + 0.3 * t) * (1 + 0.2 * _weekly(t)) + rng.normal(size=len(t)),
    ),
    "eager trend": (
        200,
        24,
        {"changepoint_prior_scale": 0.5, "n_changepoints": 10, "changepoint_range": 0.9},
        lambda rng, t: np.cumsum(rng.normal(size=len(t))) + rng.normal(size=len(t)),
    ),
}


@dataclass(frozen=True)
class Comparison:
    """Both engines on one series; distances in the package's own sigma."""

    density: float
    package_density: float
    distances: Floats
    spreads: Floats
    package_spreads: Floats


@pytest.fixture(scope="module")
def comparisons(engine: ModuleType) -> dict[str, Comparison]:
    return {kind: _compare(engine, seed, *KINDS[kind]) for seed, kind in enumerate(KINDS)}


def _compare(
    engine: ModuleType, seed: int, n: int, step_hours: int, settings: dict[str, Any], make: Make
) -> Comparison:
    local = days(n + AHEAD, step_hours * HOUR_MS)
    values = make(np.random.default_rng(seed), np.arange(n).astype(float))
    model = Model(**settings)
    design = Design.of(model, Calendar(local), np.arange(n))
    future = np.arange(n, n + AHEAD)
    fitted = engine.fit(design, values)
    scaled = Scale.of(model, values[None]).down(values[None])[0]
    ours = direct.forecast(design, values[None], future)
    expected, spread = engine.predict(fitted, design, future)
    return Comparison(
        density(design, scaled, maximum(design, scaled)),
        density(design, scaled, parameters_of_package(design, fitted)),
        np.abs(ours.expected[0] - expected) / spread,
        ours.spread[0],
        spread,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_direct_engine_finds_no_lower_maximum(
    kind: str, comparisons: dict[str, Comparison]
) -> None:
    found = comparisons[kind]
    assert found.density >= found.package_density - 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_the_engines_forecast_the_same(kind: str, comparisons: dict[str, Comparison]) -> None:
    """Where they differ Stan stopped short: its L-BFGS meets the corners of |delta|."""
    found = comparisons[kind]
    assert found.distances.max() < 1.0
    if found.density - found.package_density < 5.0:
        np.testing.assert_allclose(found.spreads, found.package_spreads, rtol=0.1)


def test_the_engines_forecasts_differ_by_less_than_a_tenth_of_sigma_in_the_median(
    comparisons: dict[str, Comparison],
) -> None:
    assert len(comparisons) == 20
    assert np.median([found.distances.max() for found in comparisons.values()]) < 0.1


def test_the_packages_own_rules_choose_the_same_seasons_and_changepoints(
    engine: ModuleType,
) -> None:
    prophet = engine.load()
    import pandas as pd

    for n, hours in ((20, 24), (13, 24), (735, 24), (60, 1), (400, 1), (120, 168), (40, 12)):
        local = days(n, hours * HOUR_MS)
        design = design_of(Model(), local)
        theirs = prophet.Prophet()
        with engine.quiet():
            theirs.preprocess(pd.DataFrame({"ds": local.view("M8[ms]"), "y": np.arange(n) * 1.0}))
        seasons = [(s.name, s.period_ms / 864e5, s.order * 2) for s in design.seasons]
        assert seasons == [
            (name, season["period"], season["fourier_order"] * 2)
            for name, season in theirs.seasonalities.items()
        ]
        np.testing.assert_allclose(design.changepoints, theirs.changepoints_t)
        if seasons:
            with engine.quiet():
                features = theirs.make_all_seasonality_features(theirs.history)[0].to_numpy()
            np.testing.assert_allclose(design.effects(design.rows), features, atol=1e-7)


def test_the_interval_is_the_packages_simulated_one(engine: ModuleType) -> None:
    n, ahead = 300, 60
    local = days(n + ahead)
    rng = np.random.default_rng(2)
    values = np.cumsum(rng.normal(size=n)) + rng.normal(size=n)
    design = Design.of(Model(changepoint_prior_scale=0.5), Calendar(local), np.arange(n))
    fitted = engine.fit(design, values)
    ours = engine.predict(fitted, design, np.arange(n, n + ahead))[1]
    simulated = _simulated(engine, fitted, design, np.arange(n, n + ahead))
    np.testing.assert_allclose(ours, simulated, rtol=0.12)
    assert ours[-1] > 1.2 * ours[0]


def test_a_logistic_trend_is_certain_near_its_cap(engine: ModuleType) -> None:
    n, ahead = 200, 100
    local = days(n + ahead)
    rng = np.random.default_rng(16)
    values = 90 / (1 + np.exp(-(np.arange(n) - 170) / 30)) + 0.05 * rng.normal(size=n)
    model = Model(growth="logistic", cap=90.0, weekly=False, changepoint_prior_scale=0.5)
    design = Design.of(model, Calendar(local), np.arange(n))
    fitted = engine.fit(design, values)
    future = np.arange(n, n + ahead)
    ours = engine.predict(fitted, design, future)[1]
    simulated = _simulated(engine, fitted, design, future)
    np.testing.assert_allclose(ours, simulated, rtol=0.35)
    assert ours.max() > 2 * ours[0]


def _simulated(engine: ModuleType, fitted: Any, design: Design, future: Ints) -> Floats:
    """Standard deviation of the package's own draws of future points."""
    fitted.uncertainty_samples = 3000
    state = np.random.get_state()  # noqa: NPY002  (the package draws from numpy's global state)
    np.random.seed(1)  # noqa: NPY002
    with engine.quiet():
        draws = fitted.predictive_samples(engine.frame_of(design, future))["yhat"]
    np.random.set_state(state)  # noqa: NPY002
    spread: Floats = draws.std(axis=1)
    return spread


def test_holidays_get_the_same_effects(engine: ModuleType) -> None:
    local = days(400)
    rng = np.random.default_rng(4)
    feast = np.zeros(400, bool)
    feast[[30, 130, 230, 330, 395]] = True
    unseen = np.arange(400) == 396
    values = 20 + rng.normal(size=400) - 12 * feast
    calendar = Calendar(local, {"feast": feast, "unseen": unseen})
    design = Design.of(Model(), calendar, np.arange(390))
    assert design.holidays == ("feast",)
    future = np.arange(390, 400)
    ours = direct.forecast(design, values[None, :390], future).expected[0]
    theirs = engine.forecast(design, values[None, :390], future).expected[0]
    np.testing.assert_allclose(ours, theirs, atol=0.1)
    scaled = Scale.of(design.model, values[None, :390]).down(values[None, :390])[0]
    fitted = parameters_of_package(design, engine.fit(design, values[:390]))
    gain = density(design, scaled, maximum(design, scaled)) - density(design, scaled, fitted)
    assert -1e-6 <= gain < 1
    assert ours[5] < 11
    assert ours[6] > 18


def test_logistic_growth_stays_below_its_cap(engine: ModuleType) -> None:
    n = 200
    local = days(n + 400)
    t = np.arange(n)
    rng = np.random.default_rng(5)
    values = 10 + 80 / (1 + np.exp(-(t - 120) / 25)) + rng.normal(size=n)
    model = Model(growth="logistic", cap=90.0, floor=10.0, weekly=False)
    design = Design.of(model, Calendar(local), np.arange(n))
    forecast = engine.forecast(design, values[None], np.arange(n, n + 400))
    assert forecast.expected.max() < 90.0
    assert forecast.expected[0, -1] > 88
    assert 0.5 < forecast.spread[0, 0] < 2.0


def test_sampling_adds_the_spread_of_its_draws_and_repeats_itself(engine: ModuleType) -> None:
    local = days(140)
    values = np.random.default_rng(6).normal(size=40)
    calendar, rows, future = Calendar(local), np.arange(40), np.arange(40, 140)
    sampled = Design.of(Model(mcmc_samples=100, n_changepoints=0), calendar, rows)
    best = Design.of(Model(n_changepoints=0), calendar, rows)
    first = engine.forecast(sampled, values[None], future)
    again = engine.forecast(sampled, values[None], future)
    assert (first.expected == again.expected).all()
    assert (first.spread == again.spread).all()
    plain = direct.forecast(best, values[None], future).spread[0]
    assert (first.spread[0] > plain).all()
    # A slope known from 40 noisy days says little about the hundredth day after them.
    assert first.spread[0, -1] > 1.3 * first.spread[0, 0]
    assert plain[-1] == pytest.approx(plain[0])


def test_a_repeated_wall_hour_gets_its_forecast_twice(engine: ModuleType) -> None:
    hours = days(24 * 15 + 24, HOUR_MS).copy()
    n = 24 * 15
    hours[n + 3 :] -= HOUR_MS  # the clock is set back within the forecast
    values = np.random.default_rng(8).normal(size=n) + 5 * np.sin(np.arange(n) * 2 * np.pi / 24)
    design = Design.of(Model(), Calendar(hours), np.arange(n))
    future = np.arange(n, n + 24)
    for forecast in (engine.forecast, direct.forecast):
        expected = forecast(design, values[None], future).expected[0]
        assert expected[2] == expected[3]
        assert expected[1] != expected[2]


def test_fits_leave_no_files_and_say_nothing(engine: ModuleType, tmp_path: Path) -> None:
    """In a process of its own, where no test runner has handlers on the root logger."""
    assert engine.__name__ in FIT
    run = subprocess.run(
        [sys.executable, "-c", FIT],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert run.stdout.splitlines() == ["[]"]
    assert not {"cmdstanpy", "plotly", "prophet"} & set(run.stderr.split()), run.stderr


FIT = """
import tempfile, warnings
from pathlib import Path
import numpy as np
from detectors.prophet.package import fit
from tests.detectors.prophet_oracle import days, design_of
from detectors.prophet.design import Model
warnings.simplefilter("error")
design = design_of(Model(), days(120))
fit(design, np.arange(120) % 9.0)
files = lambda: sorted(Path(tempfile.gettempdir()).rglob("*"))
before = files()
fit(design, np.arange(120) % 10.0)
print(sorted(set(files()) - set(before)))
assert before, "cmdstanpy keeps its folder below TMPDIR"
assert not [path for path in before if path.suffix in (".csv", ".json", ".txt")], before
"""


def test_what_stan_cannot_fit_is_one_clear_error(
    engine: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    prophet = engine.load()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Error during optimization!")

    monkeypatch.setattr(prophet.models.CmdStanPyBackend, "fit", fail)
    with pytest.raises(DetectorError, match="could not fit the series: Error during optim"):
        engine.fit(design_of(Model(), days(120)), np.arange(120.0))


def test_a_missing_package_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name in ("prophet", "cmdstanpy"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(DetectorError, match=r"pip install 'lupus-server\[prophet\]'"):
        package.load()
