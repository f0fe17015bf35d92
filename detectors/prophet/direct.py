"""The direct engine: the exact maximum of the posterior, all series of a design at once."""

import numpy as np

from detectors.prophet.design import Design, Floats, Ints
from detectors.prophet.forecast import Forecast, Scale, trend_variance
from detectors.prophet.multiplicative import Columns, Product, maximise_product
from detectors.prophet.posterior import Basis, Maximum, combine, maximise


def forecast(design: Design, values: Floats, future: Ints) -> Forecast:
    """Fit every row of ``values``, shape (series, n), and forecast the rows ``future``."""
    scale = Scale.of(design.model, values)
    scaled = scale.down(values)
    if design.model.seasonality_mode == "multiplicative":
        return scale.up(_product(design, scaled, future))
    return scale.up(_sum(design, scaled, future))


def _sum(design: Design, scaled: Floats, future: Ints) -> Forecast:
    found = _maximum(design, scaled)
    expected = combine(np.hstack([design.trend(future), design.effects(future)]), found.ridge)
    expected += combine(design.hinges(future), found.delta)
    return Forecast(expected, _spread(design, found.sigma, found.delta, future))


def _maximum(design: Design, scaled: Floats) -> Maximum:
    rows = design.rows
    basis = Basis.of(
        np.hstack([design.trend(rows), design.effects(rows)]),
        np.concatenate([design.trend_scales, design.effect_scales]),
        design.hinges(rows),
    )
    return maximise(basis, scaled, design.model.changepoint_prior_scale)


def parts(design: Design, values: Floats, future: Ints) -> dict[str, float]:
    """Return what the forecast of one series, shape (n,), for one row is made of.

    The trend is in the series' units, as is what seasons and holidays add to it; where they
    multiply it, theirs are shares of it.
    """
    scale = Scale.of(design.model, values[None])
    scaled = scale.down(values[None])
    width = len(design.trend_scales)
    multiplies = design.model.seasonality_mode == "multiplicative"
    if multiplies:
        at = maximise_product(design, scaled[0])[0]
    else:
        found = _maximum(design, scaled)
        at = Product(found.ridge[0, :width], found.delta[0], found.ridge[0, width:])
    columns = Columns(design.trend(future), design.hinges(future), design.effects(future))
    size = float(scale.size.item())
    terms = columns.effects[0] * at.effects * (1.0 if multiplies else size)
    made = {"trend": float(scale.floor.item()) + size * float(columns.level(at).item())}
    first = 0
    for season in design.seasons:
        made[season.name] = float(terms[first : first + 2 * season.order].sum())
        first += 2 * season.order
    return {**made, "holidays": float(terms[first:].sum())} if design.holidays else made


def _product(design: Design, scaled: Floats, future: Ints) -> Forecast:
    columns = Columns(design.trend(future), design.hinges(future), design.effects(future))
    expected = np.empty((len(scaled), len(future)))
    spread = np.empty_like(expected)
    for k, series in enumerate(scaled):
        at, sigma = maximise_product(design, series)
        factor = columns.factor(at)
        expected[k] = columns.level(at) * factor
        spread[k] = _spread(design, np.array([sigma]), at.delta[None], future, factor)[0]
    return Forecast(expected, spread)


def _spread(
    design: Design, sigma: Floats, delta: Floats, future: Ints, factor: Floats | float = 1.0
) -> Floats:
    """Return the standard deviation of new points, shape (series, m)."""
    candidates = len(design.changepoints)
    mean_change = combine(np.full((1, candidates), 1 / max(candidates, 1)), np.abs(delta))
    variance = trend_variance(candidates, mean_change, design.time(future))
    return np.sqrt(sigma[:, None] ** 2 + variance * factor**2)
