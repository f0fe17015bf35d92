"""The engine on the prophet package: logistic growth, sampling, and the oracle of the other."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np

from detectors.errors import DetectorError
from detectors.prophet.design import Design, Floats, Ints
from detectors.prophet.forecast import Forecast, trend_variance

# Stan needs a seed to sample; a constant one makes a verdict repeatable.
SEED = 20260101


def forecast(design: Design, values: Floats, future: Ints) -> Forecast:
    """Fit every row of ``values``, shape (series, n), and forecast the rows ``future``."""
    expected = np.empty((len(values), len(future)))
    spread = np.empty_like(expected)
    for k, series in enumerate(values):
        expected[k], spread[k] = predict(fit(design, series), design, future)
    return Forecast(expected, spread)


def fit(design: Design, values: Floats) -> Any:
    """Return the package's fitted object for one series, shape (n,)."""
    model = design.model
    package = load()
    fitted = package.Prophet(
        growth=model.growth,
        n_changepoints=model.n_changepoints,
        changepoint_range=model.changepoint_range,
        yearly_seasonality=_order(design, "yearly"),
        weekly_seasonality=_order(design, "weekly"),
        daily_seasonality=_order(design, "daily"),
        seasonality_mode=model.seasonality_mode,
        seasonality_prior_scale=model.seasonality_prior_scale,
        changepoint_prior_scale=model.changepoint_prior_scale,
        mcmc_samples=model.mcmc_samples,
        uncertainty_samples=0,
        scaling=model.scaling,
    )
    for name in design.holidays:
        fitted.add_regressor(
            _regressor(name), prior_scale=model.holidays_prior_scale, standardize=False
        )
    frame = frame_of(design, design.rows)
    frame["y"] = values
    sampling = {"seed": SEED, "show_progress": False} if model.mcmc_samples else {}
    # Stan's files go where they are deleted even when the fit fails; the package alone leaves
    # two of them per fit.
    with TemporaryDirectory(prefix="prophet-") as folder, quiet():
        try:
            fitted.fit(frame, output_dir=folder, **sampling)
        except (RuntimeError, ValueError) as error:
            raise DetectorError(f"the prophet package could not fit the series: {error}") from error
        finally:
            fitted.stan_backend.cleanup()
    return fitted


def load() -> ModuleType:
    """Import the package, once and quietly."""
    # Its import complains about missing plotly, and both log every fit. Without any handler
    # cmdstanpy would set a level and a handler of its own at its first message.
    logging.getLogger("prophet.plot").setLevel(logging.CRITICAL)
    stan_log = logging.getLogger("cmdstanpy")
    if not stan_log.hasHandlers():
        stan_log.addHandler(logging.NullHandler())
    try:
        import prophet  # noqa: PLC0415  (optional, and takes a second with pandas)
    except ImportError as error:
        raise DetectorError(
            'engine "package", logistic growth and mcmc_samples need the prophet package: '
            "pip install 'lupus-server[prophet]'"
        ) from error
    stan_log.setLevel(logging.ERROR)
    logging.getLogger("prophet").setLevel(logging.ERROR)
    return prophet


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore what the package's use of pandas and numpy warns of; its users cannot act on it."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _order(design: Design, name: str) -> int | bool:
    orders = [season.order for season in design.seasons if season.name == name]
    # The package reads 1 as an order but True as its default one.
    return orders[0] if orders else False


def _regressor(name: str) -> str:
    return f"on_{name}"


def frame_of(design: Design, rows: Ints) -> Any:
    """Return the rows as the data frame that the package takes, without values."""
    import pandas as pd  # noqa: PLC0415  (comes with the package)

    columns: dict[str, Any] = {"ds": design.calendar.local[rows].view("datetime64[ms]")}
    for name in design.holidays:
        columns[_regressor(name)] = design.calendar.holidays[name][rows].astype(np.float64)
    if design.model.growth == "logistic":
        columns["cap"] = np.full(len(rows), design.model.cap)
        columns["floor"] = np.full(len(rows), design.model.floor)
    return pd.DataFrame(columns)


def predict(fitted: Any, design: Design, future: Ints) -> tuple[Floats, Floats]:
    """Return expected value and spread of the future rows, over all draws of the parameters.

    The package's own ``predict`` is not used: with scaling minmax it multiplies the seasons
    with trend + floor although it fitted them to the trend alone, and its interval is a
    simulation that no seed of its own repeats.
    """
    # It sorts its rows by wall time, which repeats an hour when the clocks go back.
    first = np.unique(design.calendar.local[future], return_index=True)[1]
    with quiet():
        frame = fitted.setup_dataframe(frame_of(design, future[first]))
        effects = fitted.make_all_seasonality_features(frame)[0].to_numpy()
        draws = [_draw(fitted, frame, effects, draw) for draw in range(len(fitted.params["k"]))]
    expected, variance = (np.array(column) for column in zip(*draws, strict=True))
    mean = frame["floor"].to_numpy() + fitted.y_scale * expected.mean(axis=0)
    spread = fitted.y_scale * np.sqrt(variance.mean(axis=0) + expected.var(axis=0))
    places = np.searchsorted(design.calendar.local[future[first]], design.calendar.local[future])
    return mean[places], spread[places]


def _draw(fitted: Any, frame: Any, effects: Floats, draw: int) -> tuple[Floats, Floats]:
    """Return yhat and its variance under one draw of the parameters, in scaled units."""
    names = ("k", "m", "sigma_obs", "delta", "beta")
    values = [np.atleast_1d(np.asarray(fitted.params[name])[draw]) for name in names]
    rate, offset, sigma = (value.item() for value in values[:3])
    delta, beta = values[3:]
    time, changes = frame["t"].to_numpy(), fitted.changepoints_t
    variance = trend_variance(len(changes), np.abs(delta).mean(keepdims=True)[None], time)[0]
    if fitted.growth == "linear":
        trend = fitted.piecewise_linear(time, delta, rate, offset, changes)
    elif fitted.growth == "logistic":
        cap = frame["cap_scaled"].to_numpy()
        trend = fitted.piecewise_logistic(time, cap, delta, rate, offset, changes)
        # The same ramps inside the logistic curve, by its slope.
        variance = variance * (trend * (1.0 - trend / cap)) ** 2
    else:
        trend, variance = fitted.flat_trend(time, offset), np.zeros(len(time))
    product = effects @ beta
    if fitted.seasonality_mode == "multiplicative":
        return trend * (1.0 + product), variance * (1.0 + product) ** 2 + sigma**2
    return trend + product, variance + sigma**2
