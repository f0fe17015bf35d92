"""What both engines answer, and the arithmetic that they share: scaling and spread."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from detectors.prophet.design import Design, Floats, Ints, Model

# The package adds it to the mean size of the changes of trend.
CHANGE_FLOOR = 1e-8


@dataclass(frozen=True)
class Forecast:
    """Expected value and standard deviation of new points, both of shape (series, m)."""

    expected: Floats
    spread: Floats


class Engine(Protocol):
    """One way to fit the model."""

    def __call__(self, design: Design, values: Floats, future: Ints) -> Forecast:
        """Fit each row of ``values`` on the design's rows and forecast the rows ``future``."""


@dataclass(frozen=True)
class Scale:
    """The package's scaling of values: (y - floor) / size, both of shape (series, 1)."""

    floor: Floats
    size: Floats

    @classmethod
    def of(cls, model: Model, values: Floats) -> "Scale":
        """Measure the history, shape (series, n), as ``model.scaling`` says."""
        if model.scaling == "minmax":
            floor = values.min(axis=1, keepdims=True)
            size = values.max(axis=1, keepdims=True) - floor
        else:
            floor = np.zeros((len(values), 1))
            size = np.abs(values).max(axis=1, keepdims=True)
        return cls(floor, np.where(size > 0, size, 1.0))

    def down(self, values: Floats) -> Floats:
        """Return values in the model's units."""
        return (values - self.floor) / self.size

    def up(self, forecast: Forecast) -> Forecast:
        """Return a forecast in the series' units."""
        return Forecast(self.floor + self.size * forecast.expected, self.size * forecast.spread)


def trend_variance(changepoints: int, mean_change: Floats, time: Floats) -> Floats:
    """Return the variance of the trend beyond the history, shape of mean_change x time.

    Changes come as a Poisson process, ``changepoints`` per span of history, each Laplace with
    the mean size of the fitted ones: the variance of their summed ramps is 2 S l^2 f^3 / 3.

    Parameters
    ----------
    changepoints
        Number of candidates in the history; with none the trend cannot change.
    mean_change : shape (series, 1)
        Mean of the fitted changes' sizes.
    time : shape (m,)
        Time in spans of history, 1 at its end.
    """
    beyond = np.maximum(time - 1.0, 0.0)
    size = mean_change + CHANGE_FLOOR
    variance: Floats = (2 * changepoints / 3) * size**2 * beyond**3
    return variance
